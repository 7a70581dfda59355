"""Every job with marked secrets, and a search for them everywhere; that the search finds anything is proven first."""

from __future__ import annotations

import base64
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import yaml

sys.path.insert(0, str(Path(__file__).parent))
from accounts_run import OWN
from canaries import Search
from faulty_source import NAMES, one_source
from lab_copies import ROOT
from products import NAME, UNIT, pack
from rotation import VAULT_PASSWORD, Rotation, rotation

from panshi.patch import digest, load_plan

pytestmark = [pytest.mark.lab]
HOST = "web1"
LOOKUP = "{{ lookup('panshi_secret', 'ops') }}"
BY_PASSWORD = {
    "ansible_password": LOOKUP,
    "ansible_become_password": LOOKUP,
    "ansible_ssh_password_mechanism": "sshpass",
}


@dataclass
class Estate:
    """Hosts, the search, and every secret that there has been."""

    rotation: Rotation
    search: Search
    secrets: set[str]

    def remember(self) -> None:
        """Every version that the store keeps is a secret that was used."""
        for secret in self.rotation.store.names():
            entry = self.rotation.store.read(secret)
            self.secrets |= {one.value for one in (entry.current, entry.pending, *entry.previous) if one is not None}

    def play(self, playbook: str, **variables: object) -> None:
        """Run a playbook as loudly as it can be."""
        log = self.rotation.operator.records / "ansible.log"
        done = self.rotation.rotate(
            "-vvv", playbook=playbook, environment={"ANSIBLE_LOG_PATH": str(log), **self.temporary}, **variables
        )
        self.search.outputs.append(done.out)
        assert done.status == 0, done.out[-3000:]
        self.remember()

    def panshi(self, *words: str, typed: str = "", good: tuple[int, ...] = (0,)) -> None:
        """Run our own command."""
        command = [sys.executable, "-m", "panshi", *words, "--inventory", str(self.rotation.copies.folder)]
        command += ["--vault-password-file", str(self.rotation.password_file)]
        command += [] if words[:2] == ("secret", "status") else ["--records", str(self.rotation.operator.records)]
        environment = {**os.environ, **self.temporary}
        done = subprocess.run(command, cwd=ROOT, env=environment, input=typed, capture_output=True, text=True)
        self.search.outputs.append(done.stdout + done.stderr)
        assert done.returncode in good, done.stdout + done.stderr
        self.remember()

    @property
    def second_way(self) -> dict[str, str]:
        """How the guard of a change sees that the host can still be reached."""
        return {"user": "rescue", "key": str(self.rotation.copies.state.key)}

    @property
    def temporary(self) -> dict[str, str]:
        """A folder for temporary files that is searched afterwards."""
        folder = self.rotation.operator.records / "tmp"
        folder.mkdir(exist_ok=True)
        return {"TMPDIR": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder)}


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Estate]:
    with rotation(
        tmp_path_factory.mktemp("canary"), subnet="203.0.113.224/27", lab="panshi-lab-canary", hosts={HOST: "deb12"}
    ) as made:
        places = [made.operator.records, made.copies.folder, Path("/dev/shm")]
        search = Search(made.copies, (HOST,), places, made.copies.folder)
        marked = {account: f"Canary-{uuid.uuid4().hex[:12]}" for account in ("ops", "appsvc")}
        for account, value in marked.items():
            made.copies.podman_input(HOST, "chpasswd", f"{account}:{value}\n")
        estate = Estate(made, search, {VAULT_PASSWORD, *marked.values()})
        made.copies.variables(accounts_passwords=["appsvc", "ops"])
        with search.watching():
            for account, value in marked.items():
                estate.panshi("secret", "import", f"{HOST}/linux/{account}", "--ticket=CHG-1", typed=f"{value}\n")
        # From here on the marked password lets Ansible in and makes it root.
        declared = {"accounts_passwords": ["appsvc", "ops"], "accounts_break_glass": ["appsvc"]}
        made.copies.variables(**declared, **BY_PASSWORD)
        made.copies.sh(HOST, "rm -f /home/ops/.ssh/authorized_keys; sed -i '/^ops/s/NOPASSWD://' /etc/sudoers.d/*")
        yield estate


def outside(estate: Estate) -> str:
    """A secret that no job knows."""
    return f"Planted-{uuid.uuid4().hex[:12]}"


def in_output(estate: Estate, value: str) -> None:
    estate.search.outputs.append(f"fatal: {value}")


def in_file(estate: Estate, value: str) -> None:
    (estate.rotation.operator.records / "planted").write_text(f"x{value}y")


def in_base64(estate: Estate, value: str) -> None:
    (estate.rotation.operator.records / "planted").write_text(base64.b64encode(value.encode()).decode())


def in_git(estate: Estate, value: str) -> None:
    planted = estate.search.repository / "planted"
    planted.write_text(value)
    estate.search.commit()
    planted.unlink()
    estate.search.commit()


def in_argument(estate: Estate, value: str) -> None:
    with estate.search.watching():
        subprocess.run(["sh", "-c", "sleep 1", value], check=True)


def in_environment(estate: Estate, value: str) -> None:
    with estate.search.watching():
        subprocess.run(["sleep", "1"], env={"PLANTED": value}, check=True)


def in_argument_there(estate: Estate, value: str) -> None:
    with estate.search.watching():
        estate.rotation.copies.podman_input(HOST, "sh", f"exec sh -c 'sleep 1; true' {value}\n")


def in_file_there(estate: Estate, value: str) -> None:
    estate.rotation.copies.podman_input(HOST, "sh", f"echo {value} >/var/tmp/planted\n")


def in_journal(estate: Estate, value: str) -> None:
    estate.rotation.copies.podman_input(HOST, "sh", f"echo {value} | systemd-cat; journalctl --sync\n")


@pytest.mark.parametrize(
    ("plant", "kind"),
    [
        (in_output, "output"),
        (in_file, "file here"),
        (in_base64, "file here"),
        (in_git, "git"),
        (in_argument, "cmdline"),
        (in_environment, "environ"),
        (in_argument_there, "cmdline"),
        (in_file_there, "file there"),
        (in_journal, "journal there"),
    ],
)
def test_real_planted_leak_is_found(estate: Estate, plant: Callable[[Estate, str], None], kind: str) -> None:
    value = outside(estate)
    plant(estate, value)
    assert kind in estate.search.leaks([value])


def clean(estate: Estate) -> None:
    """None of the secrets is anywhere, and the search has had something to look at."""
    estate.search.commit()
    assert len(estate.search.processes) > 50 and sum(map(len, estate.search.outputs)) > 1000
    assert len(estate.secrets) >= 3
    assert estate.search.leaks(estate.secrets) == set()


def test_real_rotation_of_imported_passwords_leaks_nothing(estate: Estate) -> None:
    with estate.search.watching():
        estate.play("rotate.yml", ticket="CHG-2")
        estate.panshi("secret", "status", good=(0, 1))
    assert [row.detail for row in estate.rotation.rows() if row.event == "refused"] == ["", ""]
    clean(estate)


@pytest.mark.long
def test_real_every_job_leaks_nothing(estate: Estate) -> None:
    """All jobs by the marked password: who logs in, and becomes root, is the account that is rotated."""
    checks = ["linux-umask", "linux-tmout"]
    gentle = {"harden_checks": checks, "harden_opt_in": checks, "harden_batches": ["100%"]}
    with estate.search.watching():
        estate.panshi("audit", "--accept-findings", good=(0, 3))
        estate.play("audit.yml")
        estate.play("harden.yml", **gentle)
        estate.play("patch_plan.yml", patch_plans=str(estate.rotation.operator.records / "plans"))
        estate.play("rotate.yml")
        estate.play("break_glass.yml")
        estate.panshi("secret", "status", good=(0, 1))
    clean(estate)


@pytest.mark.long
def test_real_accounts_permissions_and_versions_leak_nothing(estate: Estate) -> None:
    service = {"name": "appsvc", "owner": "应用组", "purpose": "service", "request": "LAB-3", "reviewer": "陈向天"}
    people = {"accounts_users": [*OWN, service], "accounts_folder": str(estate.rotation.operator.records / "tables")}
    with estate.search.watching():
        estate.play("accounts.yml", accounts_batches=["100%"], guard_second_way=estate.second_way, **people)
        estate.play("permissions.yml", **people)
        products = [{"name": "OpenSSH", "debian": ["openssh-server"]}]
        plans = str(estate.rotation.operator.records / "plans")
        estate.play("versions.yml", versions_products=products, patch_plans=plans)
    clean(estate)


@pytest.mark.long
def test_real_patches_and_releases_leak_nothing(estate: Estate, tmp_path: Path) -> None:
    records, copies = estate.rotation.operator.records, estate.rotation.copies
    notice = tmp_path / "notice.yml"
    affected = [{"name": NAMES[0], "affected": "<1.1", "fixed": "1.1"}]
    notice.write_text(yaml.safe_dump({"id": "N-1", "received": "2026-11-21 09:00", "packages": affected}))
    unit = tmp_path / f"{NAME}.service"
    unit.write_text(UNIT)
    copies.podman("cp", str(unit), f"{copies.lab}-{HOST}:/etc/systemd/system/{unit.name}")
    copies.sh(HOST, "systemctl daemon-reload")
    with one_source(copies, HOST, tmp_path) as source, estate.search.watching():
        source.publish(NAMES[0], "1.1", conffile="shipped with 1.1\n")
        estate.play("patch_notice.yml", notice=str(notice), patch_plans=str(records / "plans"))
        estate.play("patch_plan.yml", patch_plans=str(records / "plans"))
        plan = max((records / "plans").rglob("*.yml"), key=lambda path: path.stat().st_mtime)
        signed = {"plan": str(plan), "plan_sha256": digest(load_plan(plan).document)}
        estate.play("patch_apply.yml", guard_second_way=estate.second_way, **signed)
        release = {"app_release_name": NAME, "app_release_strip": 1, "app_release_unit": unit.name}
        release |= {"app_release_probes": [{"unit": unit.name}], "app_release_drain_seconds": 0}
        release |= {"app_release_shared": [{"path": "logs", "mode": "0750"}], "patch_group": "shop"}
        packed = pack(tmp_path, "1.0", log4j="2.17.1").variables
        estate.play("app_release.yml", guard_second_way=estate.second_way, **release, **packed)
    assert copies.sh(HOST, f"dpkg-query -W -f '${{Version}}' {NAMES[0]}") == "1.1"
    assert copies.sh(HOST, f"readlink /opt/{NAME}/current").strip() == "releases/1.0"
    clean(estate)


@pytest.mark.long
def test_real_rollback_leaks_nothing(estate: Estate) -> None:
    run = sorted(path.name for path in (estate.rotation.operator.records / "estate" / "harden").iterdir())[-1]
    with estate.search.watching():
        estate.play("rollback.yml", run=run)
    clean(estate)
