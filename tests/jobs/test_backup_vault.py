"""The ransomware exercise on real hosts: a thief with all of a client cannot destroy the second copy.

What a test cannot wait for is emulated, and says so: days that pass are times of files that the vault's root moves into
the past, and a clock that was put forward is a mark of the last run that lies too far back.
"""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from database import put
from harden_run import ROOT, Done, Operator
from lab_copies import Copies, lab_copies

pytestmark = [pytest.mark.lab]
LAB, SUBNET = "panshi-lab-vlt", "203.0.113.32/27"
VAULT, CLIENT, OTHER = "vault1", "db1", "db2"
PROGRAM = "/usr/local/lib/panshi/panshi_vault.py"
REPO = f"/srv/panshi-vault/{CLIENT}/repo"
PASSWORDS = {CLIENT: "vault-password-of-db1", OTHER: "vault-password-of-db2"}
KEYS = "/etc/panshi-test"
# Custodians are other people than those who work every day with `ops`: the lab's second account and one more.
CUSTODIANS = ("rescue", "keeper")
_KEEPER = """
useradd -m keeper && mkdir -m 0700 /home/keeper/.ssh && cp ~rescue/.ssh/authorized_keys /home/keeper/.ssh/
chown -R keeper: /home/keeper/.ssh && echo 'keeper ALL=(ALL) NOPASSWD: ALL' >/etc/sudoers.d/keeper
"""
_KEYS = f"""
mkdir -m 0700 {KEYS}
for name in {CLIENT} {OTHER}; do ssh-keygen -q -t ed25519 -N '' -C $name -f {KEYS}/$name; done
"""
_CLIENT = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update && apt-get -q -y --no-install-recommends install restic
mkdir -p /srv/files && echo first-copy >{KEYS}/local
restic -q -r /srv/backup --password-file {KEYS}/local init
"""
# Everything that the key of a client can ask for, against everything that is there; run with the exercise's own wire.
_WILD = """
import hashlib, json, os, sys
sys.path[:0] = ["/run/wild"]
from panshi_vault_exercise import Wire
found = {}
with Wire(sys.argv[2:]) as wire:
    names = {kind: [one["name"] for one in json.loads(wire.ask("GET", f"/{kind}/")[1])] for kind in
             ("data", "index", "keys", "snapshots")}
    there = ["/config"] + [f"/{kind}/{name}" for kind in names for name in names[kind]]
    found["objects"] = len(there)
    found["delete"] = sorted({wire.ask("DELETE", path)[0] for path in there})
    found["overwrite"] = sorted({wire.ask("POST", path, os.urandom(99))[0] for path in there})
    found["truncate"] = sorted({wire.ask("POST", path)[0] for path in there})
    found["put"] = sorted({wire.ask("PUT", path, b"x")[0] for path in there})
    found["lock"] = [wire.ask(method, "/locks/" + "a" * 64, b"x" if method == "POST" else b"")[0] for method in
                     ("POST", "DELETE")]
    other = "/../../%s/repo/" % sys.argv[1]
    found["read"] = [wire.ask("GET", path)[0] for path in (other + "config", "/../config")]
    for path in (other + "config", other + "snapshots/" + "b" * 64, "/../../../../etc/panshi-evil", "/../evil"):
        wire.ask("POST", path, b"evil")
    for kind in ("index", "keys", "snapshots"):
        for _ in range(25 if kind == "keys" else 1):
            junk = os.urandom(200)
            wire.ask("POST", "/%s/%s" % (kind, hashlib.sha256(junk).hexdigest()), junk)
print(json.dumps(found))
"""
_MARK_BACK = """
import json
mark = json.load(open("{mark}"))
mark["wall"] -= 40 * 86400
json.dump(mark, open("{mark}", "w"))
"""


@dataclass(frozen=True)
class Estate:
    """A vault, a client with a first copy, and what was backed up when."""

    operator: Operator
    sums: dict[str, str]

    @property
    def copies(self) -> Copies:
        """The hosts."""
        return self.operator.copies

    def reach(self, name: str = CLIENT) -> str:
        """Return the command by which a client reaches the vault."""
        options = f"-o BatchMode=yes -o StrictHostKeyChecking=accept-new -i {KEYS}/{name}"
        return f"ssh {options} vault-{name}@{self.copies.addresses[VAULT]}"

    def client(self, *arguments: str, name: str = CLIENT, check: bool = True) -> str:
        """Run restic on the client, as its root, on the second copy."""
        words = [f"rclone.program={self.reach(name)}", "--password-file", f"{KEYS}/{name}.password", *arguments]
        told = " ".join(map(shlex.quote, words))
        return self.copies.sh(CLIENT, f"restic -r rclone: --no-cache -o {told} 2>&1", check=check)

    def listed(self) -> list[str]:
        """Return the snapshots of the client's files that the second copy has."""
        said = self.client("snapshots", "--json", "--path", "/srv/files")
        return [one["id"] for one in json.loads(said.splitlines()[-1])]

    def send(self) -> str:
        """Change the files, back them up, bring the snapshot to the vault, and return the files' checksums."""
        script = "for n in 1 2 3; do head -c 700000 /dev/urandom >/srv/files/$n; done; cd /srv/files; sha256sum *"
        backup = f"restic -q -r /srv/backup --password-file {KEYS}/local backup /srv/files"
        sums = self.copies.sh(CLIENT, f"{script}; {backup} >&2")
        self.client("copy", "--from-repo", "/srv/backup", "--from-password-file", f"{KEYS}/local")
        return sums

    def custodian(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the vault's program as a custodian does."""
        return self.copies.ssh(VAULT, f"sudo {PROGRAM} {shlex.join(arguments)}", user=CUSTODIANS[0], seconds=60)

    def exercise(self, **variables: str) -> Done:
        """Run the exercise's playbook."""
        return self.operator.play("backup_vault_exercise.yml", **variables)

    def on_vault(self, script: str) -> str:
        """Run a script as the vault's root, by the console."""
        return self.copies.sh(VAULT, script)

    def status(self) -> dict[str, Any]:
        """Return what the daily check reads of this client."""
        found: dict[str, Any] = json.loads(self.on_vault("cat /var/lib/panshi-vault/status.json"))
        return found

    def restored(self, at: str) -> list[str]:
        """Return the checksums of the files of each snapshot that the vault had at a time, read whole and checked."""
        place = f"/srv/panshi-vault/{CLIENT}/view-{re.sub(r'[^0-9]', '', at)}"
        done = self.custodian("view", "--client", CLIENT, "--at", at, "--to", place)
        assert done.returncode == 0, done.stderr
        restic = f"restic -r {place} --no-cache --password-file /etc/panshi-vault/{CLIENT}.password"
        assert "no errors were found" in self.on_vault(f"{restic} check --read-data")
        names = [one["id"] for one in json.loads(self.on_vault(f"{restic} snapshots --json --path /srv/files"))]
        out = [
            self.on_vault(f"{restic} restore {name} --target {place}.out >&2; cd {place}.out/srv/files && sha256sum *")
            for name in names
        ]
        self.on_vault(f"rm -r {place} {place}.out")
        return out


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    folder = tmp_path_factory.mktemp("vault")
    with lab_copies(folder / "estate", LAB, SUBNET, {VAULT: "deb12", CLIENT: "deb12"}) as copies:
        copies.sh(VAULT, _KEEPER)
        copies.sh(CLIENT, _KEYS)
        for name, password in PASSWORDS.items():
            put(copies, CLIENT, f"{KEYS}/{name}.password", f"{password}\n")
        found = Estate(Operator(copies, folder / "records"), {})
        _describe(found)
        with ThreadPoolExecutor() as pool:
            client = pool.submit(copies.sh, CLIENT, _CLIENT)
            done = found.operator.play("backup_vault.yml")
        client.result()
        assert done.status == 0, done.out[-3000:]
        for name in PASSWORDS:
            found.client("init", name=name)
        found.sums["first"] = found.send()
        _days_pass(found, "100 days ago 10:00")
        found.sums["second"] = found.send()
        _days_pass(found, "100 days ago 11:00")
        found.sums["third"] = found.send()
        yield found


def _describe(estate: Estate) -> None:
    """Declare the vault with its custodians, and the client's way to it."""
    copies = estate.copies
    groups = {"vault": {"hosts": {VAULT: {}}}, "vault_clients": {"hosts": {CLIENT: {}}}}
    (copies.folder / "vault.yml").write_text(yaml.safe_dump(groups), encoding="utf-8")
    (copies.folder / "host_vars").mkdir()
    public = {name: copies.sh(CLIENT, f"cat {KEYS}/{name}.pub").strip() for name in PASSWORDS}
    clients = {name: {"key": public[name], "max_gb": 0.05, "password": PASSWORDS[name]} for name in PASSWORDS}
    vault = {
        "ansible_user": CUSTODIANS[0],
        "guard_second_way": {"user": CUSTODIANS[1], "key": str(copies.state.key)},
        "backup_vault_custodians": list(CUSTODIANS),
        "backup_vault_refuse_accounts": ["ops"],
        "backup_vault_keep_free_gb": 1,
        "backup_vault_clients": clients,
    }
    # the operator's key is on the client, as if it had been stolen
    copies.podman("cp", str(copies.state.key), f"{copies.lab}-{CLIENT}:{KEYS}/operator")
    copies.sh(CLIENT, f"chown root: {KEYS}/operator")
    login = f"ssh -o BatchMode=yes -o StrictHostKeyChecking=accept-new -i {KEYS}/operator ops@{copies.addresses[VAULT]}"
    client = {
        "vault_exercise_ssh": estate.reach(),
        "vault_exercise_password_file": f"{KEYS}/{CLIENT}.password",
        "vault_exercise_operator": login,
    }
    for host, variables in ((VAULT, vault), (CLIENT, client)):
        (copies.folder / "host_vars" / f"{host}.yml").write_text(yaml.safe_dump(variables), encoding="utf-8")


def _days_pass(estate: Estate, when: str) -> None:
    """Let what has just arrived have arrived long ago."""
    estate.on_vault(f"find {REPO} -type f -mmin -60 -exec touch -d {shlex.quote(when)} {{}} +")


def test_emulated_days_after_the_protection_copies_are_thinned_by_arrival_and_held(estate: Estate) -> None:
    done = estate.custodian("keep")
    assert done.returncode == 0, done.stderr
    told = estate.status()["clients"][CLIENT]["keep"]
    assert (told["state"], told["snapshots"], told["forgotten"]) == ("ok", 2, 1) and told["held"] > 0
    assert len(estate.listed()) == 2
    # what was thinned is still to be had, to the byte, from the time before
    before = estate.on_vault("date -u -d '50 days ago' +%Y-%m-%dT%H:%M:%SZ").strip()
    assert estate.restored(before) == [estate.sums["first"], estate.sums["second"]]


def test_emulated_a_clock_that_was_put_forward_lets_nothing_go(estate: Estate) -> None:
    before = estate.on_vault(f"find {REPO} -type f | sort | sha256sum")
    mark = "/var/lib/panshi-vault/clock.json"
    estate.on_vault(f"python3 - <<'END'\n{_MARK_BACK.format(mark=mark)}END")
    done = estate.custodian("keep")
    assert done.returncode == 1 and "PS-E7344" in done.stderr and "时钟被拨动了 +34560" in done.stderr
    assert estate.status()["clock"]["state"] == "refused"
    assert estate.on_vault(f"find {REPO} -type f | sort | sha256sum") == before
    assert estate.custodian("accept-clock").returncode == 0
    assert estate.custodian("check").returncode == 0
    assert estate.status()["clients"][CLIENT]["check"]["state"] == "ok"


def test_real_exercise_sees_every_attempt_refused_and_records_it(estate: Estate) -> None:
    done = estate.exercise()
    assert done.status == 0, done.out[-3000:]
    (run,) = done.runs("backup_vault_exercise")
    names = {row.attempt for row in run.exercises}
    assert all(row.refused for row in run.exercises)
    assert {"delete-snapshots", "overwrite-data", "shell", "sftp", "forward", "flags", "operator", "restore"} <= names
    assert "删除快照：拒绝（HTTP 403，内容未变）" in done.out


def test_real_exercise_fails_loudly_when_the_vault_is_not_append_only(estate: Estate) -> None:
    """Broken on purpose: the forced command is not append-only any more, and who works every day is let in again."""
    there = estate.listed()
    sshd = "/etc/ssh/sshd_config.d/00-panshi-vault.conf"
    estate.on_vault(f"""sed -i.whole 's/ "--append-only",//' {PROGRAM}; mv {sshd} {sshd}.whole""")
    estate.on_vault(f"sed '/^DenyUsers/d' {sshd}.whole >{sshd}; systemctl reload ssh")
    try:
        done = estate.exercise()
    finally:
        estate.on_vault(f"for file in {PROGRAM} {sshd}; do mv $file.whole $file; done; systemctl reload ssh")
    assert done.status != 0 and "PS-E7350" in done.out, done.out[-3000:]
    (run,) = done.runs("backup_vault_exercise")
    through = {row.attempt for row in run.exercises if not row.refused}
    assert {"delete-snapshots", "delete-index", "delete-data", "overwrite-config", "operator", "restore"} <= through
    # it was only the scratch that was at stake
    assert estate.listed() == there


def test_real_who_works_every_day_does_not_get_in(estate: Estate) -> None:
    assert estate.copies.ssh(VAULT, "true", user="ops").returncode == 255
    # neither by the console
    assert "uid=" not in estate.on_vault("runuser -u ops -- sudo -n id 2>&1 || true")
    assert "(ALL : ALL) !ALL" in estate.on_vault("LC_ALL=C sudo -l -U ops | tail -1")
    for name in CUSTODIANS:
        assert estate.copies.ssh(VAULT, "sudo -n id -u", user=name).stdout.strip() == "0"


def test_real_thief_with_everything_of_a_client_destroys_nothing_that_had_come_before(estate: Estate) -> None:
    copies = estate.copies
    known = {estate.sums["first"], estate.sums["third"]}
    listing = f"cd {REPO} && find . -type f ! -path './locks/*' -exec sha256sum {{}} + | sort"
    before = set(estate.on_vault(listing).splitlines())
    other = estate.on_vault(f"cd /srv/panshi-vault/{OTHER} && find . | sort && find . -type f -exec sha256sum {{}} +")
    at = estate.on_vault("date -u +%Y-%m-%dT%H:%M:%SZ; sleep 1.1").strip()
    # what restic itself would do; each of these repeats itself for most of a minute once it is refused
    newest = estate.listed()[-1]
    estate.client("backup", "--time", "2031-01-01 00:00:00", "/srv/files")
    running = f"restic -r rclone: --no-cache -o {shlex.quote(f'rclone.program={estate.reach()}')}"
    running = f"timeout 4 {running} --password-file {KEYS}/{CLIENT}.password"
    said = copies.sh(
        CLIENT, f"{running} forget {newest} --prune 2>&1 & {running} tag --set stolen {newest} 2>&1 & wait"
    )
    assert "403 Forbidden" in said
    put(copies, CLIENT, "/run/wild.py", _WILD)
    copies.sh(CLIENT, "mkdir -p /run/wild/ansible/module_utils && touch /run/wild/ansible/__init__.py")
    put(copies, CLIENT, "/run/wild/ansible/module_utils/__init__.py", "")
    put(copies, CLIENT, "/run/wild/ansible/module_utils/basic.py", "AnsibleModule = None\n")
    module = (ROOT / "plugins/modules/panshi_vault_exercise.py").read_text(encoding="utf-8")
    put(copies, CLIENT, "/run/wild/panshi_vault_exercise.py", module)
    found = json.loads(copies.sh(CLIENT, f"python3 /run/wild.py {OTHER} {estate.reach()}"))
    assert found["objects"] > 8, found
    assert (found["delete"], found["overwrite"], found["truncate"]) == ([403], [403], [403])
    assert found["put"] == [405] and found["lock"] == [200, 200] and found["read"] == [404, 404]
    # not one byte of what was there is gone, and nothing has come to where it should not
    assert before <= set(estate.on_vault(listing).splitlines())
    assert other == estate.on_vault(
        f"cd /srv/panshi-vault/{OTHER} && find . | sort && find . -type f -exec sha256sum {{}} +"
    )
    strays = f"find / -xdev -newermt {at} -user vault-{CLIENT} ! -path '{REPO}/*' ! -path '{REPO}' ! -path '/proc/*'"
    assert estate.on_vault(f"{strays} ! -type s 2>/dev/null || true") == ""
    # the poisoned index keeps restic from the repository, which the vault says by itself
    assert estate.custodian("check").returncode == 1
    told = estate.status()["clients"]
    assert told[CLIENT]["check"]["state"] == "failed" and "PS-E7345" in told[CLIENT]["check"]["message"]
    assert told[OTHER]["check"]["state"] == "ok"
    assert estate.custodian("keep").returncode == 0
    assert estate.status()["clients"][CLIENT]["keep"]["forgotten"] == 0
    assert before <= set(estate.on_vault(listing).splitlines())
    # as it was before the thief came: checked, read whole, byte for byte
    assert known <= set(estate.restored(at))


@pytest.mark.long
def test_real_junk_fills_the_clients_own_room_and_no_more(estate: Estate) -> None:
    name = OTHER
    restic = f"restic -r rclone: --no-cache -o {shlex.quote(f'rclone.program={estate.reach(name)}')}"
    restic = f"timeout 8 {restic} --password-file {KEYS}/{name}.password"
    script = f"head -c 70000000 /dev/urandom | {restic} backup --stdin 2>&1 || true"
    said = estate.copies.sh(CLIENT, script)
    assert "PS-E7341" in said and "上限 51 MiB" in said, said[-2000:]
    sizes = estate.on_vault(f"find /srv/panshi-vault/{name}/repo -type f -printf '%s\\n'").split()
    # what was on its way when the folder was measured comes on top
    assert 45 < sum(map(int, sizes)) / (1 << 20) < 56
    # the custodian is told, and what is there can still be read
    assert estate.custodian("watch").returncode == 1
    told = estate.status()["clients"]
    assert told[name]["watch"]["state"] == "full" and told[CLIENT]["watch"]["state"] != "full"
    said = estate.client("check", "--no-lock", name=name, check=False)
    assert "no errors were found" in said, said
