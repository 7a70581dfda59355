"""SSH keys: pairs, what stands in authorized_keys, what ssh's words mean, and that no accident shuts anybody out."""

from __future__ import annotations

import importlib.util
import os
import pwd
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock

import ansible.module_utils
import pytest
from ansible.playbook.play_context import PlayContext

from panshi.errors import PanshiError
from panshi.record import RotationRow
from panshi.secret import Entry, SecretId
from panshi.secret.declared import Baseline, Declared, connection_last, declared_accounts
from panshi.secret.key_file import KeyFile
from panshi.secret.key_hosts import Way, check_hosts, way_of
from panshi.secret.keys import KeyPolicy, private_key, public_key, public_line
from panshi.secret.kinds import KINDS
from panshi.secret.login import KEY_WAY, in_memory, judge_key, key_login
from panshi.secret.rotate import Answer, Order, imported, rotate
from panshi.secret.ssh_key import AccountKey
from panshi.secret.vault_file import VaultFiles

from .conftest import boundaries, vault

PLUGINS = Path(__file__).resolve().parents[3] / "plugins"
SECRET = SecretId("web1", "ssh_key", "ops")
BASELINE = Baseline(min_length=8, min_classes=3, max_days=90)
MARK = "panshi-rotated"


@pytest.fixture(scope="module")
def module() -> ModuleType:
    loaded = {}
    for name, path in (
        ("ansible.module_utils.panshi_session", "module_utils/panshi_session.py"),
        ("panshi_ssh_key_under_test", "modules/panshi_ssh_key.py"),
    ):
        spec = importlib.util.spec_from_file_location(name, PLUGINS / path)
        assert spec and spec.loader
        loaded[name] = sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(loaded[name])
    ansible.module_utils.panshi_session = loaded["ansible.module_utils.panshi_session"]
    return loaded["panshi_ssh_key_under_test"]


@pytest.fixture(scope="module")
def pairs() -> list[str]:
    return [KeyPolicy().make("ops") for _ in range(4)]


def keygen(folder: Path, *options: str, passphrase: str = "") -> str:
    path = folder / "made"
    for left in folder.glob("made*"):
        left.unlink()
    subprocess.run(["ssh-keygen", "-q", "-N", passphrase, "-f", path, *options], check=True, timeout=60)
    return path.read_text()


# --- pairs


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_real_ssh_keygen_reads_what_is_made(kind: str, tmp_path: Path) -> None:
    value = KeyPolicy(kind).make("ops")
    path = tmp_path / "key"
    path.write_text(f"{value}\n")
    path.chmod(0o600)
    derived = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True, text=True).stdout
    assert derived.split()[:2] == public_line(value).split()
    listed = subprocess.run(["ssh-keygen", "-l", "-f", path], check=True, capture_output=True, text=True).stdout
    assert listed.split()[:2] == ["256" if kind == "ed25519" else "4096", public_key(value).fingerprint]


@pytest.mark.parametrize("options", [("-t", "ecdsa"), ("-t", "rsa", "-b", "2048", "-m", "PEM"), ("-t", "ed25519")])
def test_real_key_of_ssh_keygen_is_taken_whatever_its_format(options: tuple[str, ...], tmp_path: Path) -> None:
    text = keygen(tmp_path, *options)
    value = private_key(text.replace("\n", "\r\n"), "x")
    assert f"{value}\n" == text
    assert public_line(value).split() == (tmp_path / "made.pub").read_text().split()[:2]


def test_real_key_that_cannot_be_rotated_is_refused_and_not_quoted(tmp_path: Path) -> None:
    texts = {
        "口令短语": keygen(tmp_path, "-t", "ed25519", passphrase="of somebody"),
        "1024 位": keygen(tmp_path, "-t", "rsa", "-b", "1024"),
        "不是 SSH 私钥": (tmp_path / "made.pub").read_text(),
    }
    texts["设有口令短语"] = keygen(tmp_path, "-t", "rsa", "-m", "PEM", passphrase="of somebody")
    for why, text in texts.items():
        with pytest.raises(PanshiError, match=rf"PS-E7292.*{why}") as refused:
            private_key(text, "标准输入")
        assert not any(line in str(refused.value) for line in text.splitlines() if len(line) > 40)


@pytest.mark.parametrize("policy", [{"type": "dsa"}, {"length": 20}, "ed25519", {"type": ["rsa"]}])
def test_policy_of_a_password_is_none_of_a_key(policy: Any) -> None:
    with pytest.raises(PanshiError, match="PS-E7007"):
        declared_accounts("web1", [{"account": "ops", "target": "ssh_key", "policy": policy}], BASELINE)


# --- lines of authorized_keys


OLD, NEW, OTHER = (f"ssh-ed25519 {name}" for name in ("AAAAold", "AAAAnew", "AAAAother"))


@pytest.mark.parametrize(
    ("line", "made"),
    [
        (OLD, f"{NEW} {MARK}"),
        (f"{OLD} ops@bureau", f"{NEW} ops@bureau {MARK}"),
        (f"{OLD} ops@bureau {MARK}", f"{NEW} ops@bureau {MARK}"),
        (f'restrict,from="192.0.2.1,!198.51.100.7" {OLD}\r', f'restrict,from="192.0.2.1,!198.51.100.7" {NEW} {MARK}'),
        (f'expiry-time="202706302359" {OLD} chen', f"{NEW} chen {MARK}"),
        (f'no-pty,expiry-time="20270630",environment="A=b c" {OLD}', f'no-pty,environment="A=b c" {NEW} {MARK}'),
    ],
)
def test_parsed_successor_keeps_options_and_comment(module: ModuleType, line: str, made: str) -> None:
    assert module.holds(line, OLD)
    assert module.successor(line, OLD, NEW) == made


@pytest.mark.parametrize("line", ["", f"#{OLD}", f"  # {OLD}", OTHER, f"{OLD}x", "ssh-rsa AAAAold", "AAAAold"])
def test_parsed_line_without_the_key_is_left_alone(module: ModuleType, line: str) -> None:
    assert module.holds(line, OLD) is None


@pytest.mark.parametrize(
    ("options", "refused"),
    [
        ("", ""),
        ("restrict,pty", ""),
        ('from="198.51.100.0/24"', ""),
        ('no-pty,from="*.bureau.example,198.51.100.?"', ""),
        ('from="198.51.100.5,!198.51.100.*"', "from="),
        ('from="192.0.2.1"', "from="),
        ('command="/usr/bin/rsync",restrict', "command="),
    ],
)
def test_parsed_options_that_keep_a_login_from_being_a_proof(module: ModuleType, options: str, refused: str) -> None:
    why = module.unfit(options, "198.51.100.5")
    assert refused in why and bool(why) is bool(refused)


@pytest.mark.parametrize(
    ("text", "refused"),
    [
        ("pubkeyauthentication yes;authenticationmethods any;pubkeyacceptedalgorithms ssh-ed25519,ecdsa", ""),
        ("pubkeyauthentication no", "PubkeyAuthentication"),
        ("authenticationmethods publickey,password", "AuthenticationMethods"),
        ("authenticationmethods publickey password", ""),
        ("pubkeyacceptedkeytypes rsa-sha2-512,ecdsa-sha2-nistp256", "ssh-ed25519"),
        ("authorizedkeysfile none", "AuthorizedKeysFile"),
    ],
)
def test_parsed_settings_of_sshd(module: ModuleType, text: str, refused: str) -> None:
    settings: dict[str, list[str]] = {}
    for line in text.split(";"):
        key, _, value = line.partition(" ")
        settings.setdefault(key, []).append(value)
    why = module.refusal(settings, "ssh-ed25519")
    assert refused in why and bool(why) is bool(refused)


class Home:
    """An account whose home is a folder of the test."""

    def __init__(self, module: ModuleType, folder: Path, patterns: str = ".ssh/authorized_keys .ssh/authorized_keys2"):
        self.module, self.folder = module, folder
        self.person = SimpleNamespace(pw_name="ops", pw_uid=os.getuid(), pw_gid=os.getgid(), pw_dir=str(folder))
        self.settings = {"authorizedkeysfile": [patterns]}
        self.ansible = SimpleNamespace(selinux_enabled=lambda: False)

    @property
    def files(self) -> list[Any]:
        return list(self.module.key_files(self.person, self.settings))

    @property
    def path(self) -> Path:
        return self.folder / ".ssh" / "authorized_keys"

    def add(self, public: str, *old: str) -> bool:
        return bool(self.module.add(self.ansible, self.files, public, list(old)))

    def keep(self, public: str, *old: str) -> bool:
        return bool(self.module.keep(self.ansible, self.files, public, list(old)))


@pytest.fixture
def home(module: ModuleType, tmp_path: Path) -> Home:
    return Home(module, tmp_path)


def test_real_file_keeps_every_other_byte_and_its_mode(home: Home) -> None:
    home.path.parent.mkdir(mode=0o700)
    text = f"# kept\n\n{OTHER} somebody\nrestrict {OLD} ops\n# \udcff no text at all"
    home.path.write_text(text, errors="surrogateescape")
    home.path.chmod(0o640)
    (home.path.parent / ".panshi-keys-of-a-killed-run").write_text("x")
    assert home.add(NEW, OLD) and not home.add(NEW, OLD)
    with_new = text.replace(" ops\n", f" ops\nrestrict {NEW} ops {MARK}\n")
    assert home.path.read_text(errors="surrogateescape") == with_new
    assert home.keep(NEW, OLD) and not home.keep(NEW, OLD)
    assert home.path.read_text(errors="surrogateescape") == with_new.replace(f"restrict {OLD} ops\n", "")
    assert home.path.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in home.path.parent.iterdir()] == ["authorized_keys"]


def test_real_first_key_is_let_in_and_one_in_the_second_file_is_found(home: Home) -> None:
    assert home.add(NEW)
    assert home.path.read_text() == f"{NEW} {MARK}\n"
    assert (home.path.parent.stat().st_mode & 0o777, home.path.stat().st_mode & 0o777) == (0o700, 0o600)
    second = home.path.with_name("authorized_keys2")
    second.write_text(f"{OLD}\n")
    assert home.keep(NEW, OLD)
    assert second.read_text() == ""


def test_real_old_key_stays_where_the_new_one_is_not_let_in(home: Home) -> None:
    home.path.parent.mkdir()
    home.path.write_text(f"{OLD}\n")
    with pytest.raises(ValueError, match="旧的没有去掉"):
        home.keep(NEW, OLD)
    assert home.path.read_text() == f"{OLD}\n"


def test_real_link_of_the_account_leads_nowhere(home: Home, tmp_path: Path) -> None:
    elsewhere = tmp_path / "of-root"
    elsewhere.mkdir()
    (elsewhere / "authorized_keys").write_text("root's\n")
    (tmp_path / ".ssh").symlink_to(elsewhere)
    with pytest.raises(ValueError, match="不是目录"):
        home.add(NEW)
    (tmp_path / ".ssh").unlink()
    (tmp_path / ".ssh").mkdir()
    home.path.symlink_to(elsewhere / "authorized_keys")
    with pytest.raises(ValueError, match="链接"):
        home.add(NEW)
    home.path.unlink()
    os.mkfifo(home.path)
    with pytest.raises(ValueError, match="自己的文件"):
        home.add(NEW)
    assert (elsewhere / "authorized_keys").read_text() == "root's\n"


def test_real_file_outside_the_home_is_the_administrators(module: ModuleType, tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "keys").mkdir()
    one = Home(module, tmp_path / "home", f"{tmp_path}/keys/%u")
    if os.getuid():
        pytest.skip("needs root")
    assert one.add(NEW)
    made = tmp_path / "keys" / "ops"
    assert made.read_text() == f"{NEW} {MARK}\n" and made.stat().st_mode & 0o777 == 0o644


# --- logins


PRINT = "SHA256:60A4IDU98NvoMSa02L17Y1khkfHBShyrqQKD22gMqyM"
_OFFER = f"debug1: Offering public key: /proc/7/fd/9 ED25519 {PRINT} explicit\n"
_TAKEN = f"debug1: Server accepts key: /proc/7/fd/9 ED25519 {PRINT} explicit\n"
_OTHER = _OFFER.replace(PRINT, "SHA256:other") + _TAKEN.replace(PRINT, "SHA256:other")
_IN = 'Authenticated to web1 ([198.51.100.5]:22) using "publickey".\n'
_DENIED = "ops@web1: Permission denied (publickey,password)."


@pytest.mark.parametrize(
    ("said", "accepted"),
    [
        (_OFFER + _TAKEN + _IN, True),
        (_OFFER + _DENIED, False),
        # Another key of somebody's settings lets ssh in: no proof of this one, and this one was refused.
        (_OFFER + _OTHER + _IN, False),
    ],
)
def test_parsed_words_of_ssh_about_one_key(said: str, accepted: bool) -> None:
    assert judge_key("ops", PRINT, said).accepted is accepted
    assert judge_key("ops", PRINT, said).way == KEY_WAY


@pytest.mark.parametrize(
    "said",
    [
        _DENIED,
        _OTHER + _IN,
        _OFFER + "ops@web1: Permission denied (password).",
        _OFFER + _TAKEN + "Connection closed by 198.51.100.5 port 22",
        "ssh: connect to host web1 port 22: Connection refused",
        "Host key verification failed.",
        _OFFER + "Received disconnect from web1 port 22:2: Too many authentication failures",
        "",
    ],
)
def test_parsed_login_that_was_not_about_the_key_is_no_answer(said: str) -> None:
    with pytest.raises(PanshiError, match="PS-E7013"):
        judge_key("ops", PRINT, said)


def test_real_key_in_memory_is_read_by_openssh_and_gone_afterwards(pairs: list[str]) -> None:
    with in_memory(pairs[0]) as path:
        # Twice, as ssh does: for what it offers and for what it signs.
        for _ in range(2):
            read = subprocess.run(["ssh-keygen", "-y", "-f", path], check=True, capture_output=True, text=True)
            assert read.stdout.split() == public_line(pairs[0]).split()
        assert Path(path).stat().st_mode & 0o777 == 0o600
    assert not Path(path).exists()


_SSH = """#!/bin/sh
# What the client says, for the key that it was given and the options that it was given first.
printf '%s\\n' "$@" >{told}
file=$(printf '%s\\n' "$@" | sed -n 's/^IdentityFile="\\(.*\\)"$/\\1/p')
ssh-keygen -y -f "$file" >{told}.public || exit 255
print=$(ssh-keygen -l -f "$file" | cut -d ' ' -f 2)
echo "debug1: Offering public key: $file ED25519 $print explicit" >&2
[ {accepts} = yes ] || {{ echo "ops@web1: Permission denied (publickey,password)." >&2; exit 255; }}
echo "debug1: Server accepts key: $file ED25519 $print explicit" >&2
echo 'Authenticated to web1 ([198.51.100.5]:22) using "publickey".' >&2
exit 1
"""


@pytest.mark.parametrize("accepts", [True, False])
def test_emulated_ssh_is_given_one_key_and_no_other_way(tmp_path: Path, pairs: list[str], accepts: bool) -> None:
    program, told = tmp_path / "ssh", tmp_path / "told"
    program.write_text(_SSH.format(told=told, accepts="yes" if accepts else "no"))
    program.chmod(0o700)
    variables = {
        "inventory_hostname": "web1",
        "ansible_host": "198.51.100.5",
        "ansible_user": "somebody",
        "ansible_password": "of somebody",
        "ansible_ssh_private_key_file": "/of/somebody",
        "ansible_ssh_common_args": "-o IdentityAgent=/of/somebody -o ControlPath=/of/somebody",
        "ansible_ssh_executable": str(program),
    }
    answer = key_login(variables, lambda value: value, PlayContext(), "ops")(pairs[0])
    assert answer.accepted is accepts and answer.way == KEY_WAY
    assert (tmp_path / "told.public").read_text().split() == public_line(pairs[0]).split()
    words = told.read_text().splitlines()
    assert "/of/somebody" not in [word.partition("=")[2].strip('"') for word in words if "IdentityFile" in word]
    # ssh takes the first value that it is given.
    first: dict[str, str] = {}
    for name, _, value in (word.partition("=") for word in words if "=" in word):
        first.setdefault(name, value)
    wanted = {"IdentitiesOnly": "yes", "IdentityAgent": "none", "ControlPath": "none", "StrictHostKeyChecking": "yes"}
    assert wanted.items() <= first.items() and first["PreferredAuthentications"] == "publickey"
    assert first["User"] == '"ops"' and "PRIVATE" not in told.read_text()


# --- the file of the connection's key


def test_real_file_of_the_connection_is_replaced_with_its_public_key(tmp_path: Path, pairs: list[str]) -> None:
    real, path = tmp_path / "kept" / "id", tmp_path / "id"
    real.parent.mkdir()
    real.write_text(f"{pairs[0]}\n")
    real.chmod(0o600)
    (tmp_path / "kept" / "id.pub").write_text("of the old one")
    path.symlink_to(real)
    taken: list[str] = []
    one = KeyFile(path, lambda: taken.append(real.read_text()))
    one.ready({"current": pairs[0]})
    for _ in range(2):
        assert one.update({"pending": pairs[1], "current": pairs[0]}, pairs[1]).accepted
    assert path.is_symlink() and real.stat().st_mode & 0o777 == 0o600
    assert taken == [f"{pairs[1]}\n"] * 2
    assert (tmp_path / "kept" / "id.pub").read_text() == f"{public_line(pairs[1])}\n"
    assert sorted(one.name for one in real.parent.iterdir()) == ["id", "id.pub"]


def test_real_file_with_another_key_is_refused_before_anything_is_changed(tmp_path: Path, pairs: list[str]) -> None:
    path = tmp_path / "id"
    with pytest.raises(PanshiError, match=r"PS-E7293.*读不到"):
        KeyFile(path).ready({"current": pairs[0]})
    path.write_text(pairs[1])
    with pytest.raises(PanshiError, match=r"PS-E7293.*不是库里的"):
        KeyFile(path).ready({"current": pairs[0]})
    assert path.read_text() == pairs[1]
    path.chmod(0o640)
    with pytest.raises(PanshiError, match=r"PS-E7293.*0640"):
        KeyFile(path).ready({"current": pairs[1]})


# --- declarations


def declared(host: str = "web1", **more: Any) -> Declared:
    return declared_accounts(host, [{"account": "ops", "target": "ssh_key", **more}], BASELINE)[0]


def ways(**more: Any) -> dict[str, Way]:
    variables = {"ansible_user": "ops", "ansible_ssh_private_key_file": "/keys/id"}
    return {host: way_of({**variables, **more.get(host, {})}, "", "") for host in ("web1", "web2")}


OWN = {"ansible_ssh_private_key_file": "/keys/web2"}
BOTH = {"scope": "estate", "at": {"hosts": ["web1", "web2"]}}


@pytest.mark.parametrize(
    ("one", "hosts"),
    [
        (declared(), ways(web2=OWN)),
        (declared(**BOTH), ways()),
        (declared(), ways(web1={"ansible_user": "root", "guard_second_way": {"user": "ops", "key": "/k"}}, web2=OWN)),
        (declared(), ways(web2=OWN, web1={"accounts_users": [{"name": "ops", "keys": [{"rotated": True}]}]})),
    ],
)
def test_declared_key_that_is_nobody_elses_way_in(one: Declared, hosts: dict[str, Way]) -> None:
    check_hosts([one], hosts)


@pytest.mark.parametrize(
    ("one", "hosts", "said"),
    [
        (declared(), ways(), r"PS-E7291.*web2（ops）"),
        (declared(**BOTH), ways(web2={"ansible_user": "root"}), r"PS-E7291.*web2（root）"),
        (declared(**BOTH), ways(web2=OWN), "PS-E7007.*不是同一把"),
        (
            declared(),
            ways(web1={"guard_second_way": {"user": "rescue", "key": "/keys/../keys/id"}}, web2=OWN),
            "PS-E7291.*rescue",
        ),
        (declared(at={"hosts": ["web1", "web9"]}), ways(), "PS-E7007.*web9"),
        (declared(at={"hosts": ["web2"]}), ways(), "PS-E7007.*应包含"),
        (declared(), ways(web2=OWN, web1={"accounts_users": [{"name": "ops", "keys": []}]}), "PS-E7295"),
    ],
)
def test_declared_key_that_others_need_is_refused(one: Declared, hosts: dict[str, Way], said: str) -> None:
    with pytest.raises(PanshiError, match=said):
        check_hosts([one], hosts)


def test_declared_key_is_rotated_by_one_declaration_only() -> None:
    with pytest.raises(PanshiError, match=r"PS-E7007.*web2 上的 ops"):
        check_hosts([declared(**BOTH), declared("web2")], ways())


def test_declared_key_of_the_connection_goes_last() -> None:
    accounts: list[Any] = [{"account": "ops", "target": "ssh_key"}, {"account": "backup", "target": "ssh_key"}, "ops"]
    order = connection_last(declared_accounts("web1", accounts, BASELINE), ["ops"])
    assert [str(one.secret) for one in order] == ["web1/ssh_key/backup", "web1/ssh_key/ops", "web1/linux/ops"]


# --- the protocol


@dataclass
class Hosts:
    """Hosts that let in the keys whose public parts stand in their files; the controller logs in with a file's key."""

    module: ModuleType
    folder: Path
    names: tuple[str, ...] = ("web1", "web2")
    deaf: str = ""
    takes_all: str = ""
    homes: dict[str, Home] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in self.names:
            (self.folder / name).mkdir()
            self.homes[name] = Home(self.module, self.folder / name)

    def lines(self, host: str) -> str:
        path = self.homes[host].path
        return path.read_text() if path.exists() else ""

    def ask(self, host: str, module: str, **given: Any) -> Mapping[str, Any]:
        if host == self.deaf:
            raise PanshiError("PS-E7013", f"{host} 没有应答", "")
        home, lines = self.homes[host], self.lines(host).split("\n")
        if given["verb"] == "look":
            present = [n for n, public in given["known"].items() if any(self.module.holds(x, public) for x in lines)]
            return {"why": "", "which": present[0] if present else ""}
        edit = home.add if given["verb"] == "add" else home.keep
        return {"changed": edit(given["public"], *given["old"])}

    def on(self, host: str) -> Callable[..., Mapping[str, Any]]:
        return lambda module, **given: self.ask(host, module, **given)

    def key_login(self, host: str, account: str) -> Callable[[str], Answer]:
        return lambda value: Answer(self.let_in(host, value), KEY_WAY, "Permission denied (publickey)")

    def let_in(self, host: str, value: str) -> bool:
        here = any(self.module.holds(line, public_line(value)) for line in self.lines(host).split("\n"))
        return here or host == self.takes_all


@dataclass
class Estate:
    """A store, hosts, and the file of the connection's key."""

    store: VaultFiles
    hosts: Hosts
    file: Path
    one: Declared

    @property
    def entry(self) -> Entry:
        return self.store.read(self.one.secret)

    def rotate(self) -> list[RotationRow]:
        rows: list[RotationRow] = []
        with self.store.hold(self.one.secret.scope):
            entry = self.entry
            target = KINDS["ssh_key"].make(self.one, entry, self.hosts)  # type: ignore[arg-type]
            rotate(self.store, target, entry, Order(self.one.policy, "CHG-1", "run"), rows.append, [KeyFile(self.file)])
        return rows

    def reached(self) -> bool:
        """Return whether the file's key lets Ansible in everywhere."""
        return all(self.hosts.let_in(host, self.file.read_text().strip()) for host in self.hosts.names)

    def whole(self) -> None:
        entry = self.entry
        assert entry.current is not None and entry.pending is None
        assert self.reached() and self.file.read_text().strip() == entry.current.value
        for host in self.hosts.names:
            assert (
                self.hosts.lines(host) == f"{OTHER} somebody\nrestrict {public_line(entry.current.value)} ops {MARK}\n"
            )


@pytest.fixture
def estate(module: ModuleType, tmp_path: Path, pairs: list[str]) -> Estate:
    made = Estate(
        VaultFiles(tmp_path / "secrets", "bureau", vault()), Hosts(module, tmp_path), tmp_path / "id", declared(**BOTH)
    )
    made.file.write_text(f"{pairs[0]}\n")
    made.file.chmod(0o600)
    for name in made.hosts.names:
        path = made.hosts.homes[name].path
        path.parent.mkdir()
        path.write_text(f"{OTHER} somebody\nrestrict {public_line(pairs[0])} ops\n")
    with made.store.hold("estate"):
        made.store.write(Entry(made.one.secret, imported(pairs[0], "CHG-0")))
    return made


def test_emulated_rotation_on_two_hosts_that_share_a_key(estate: Estate, pairs: list[str]) -> None:
    rows = estate.rotate()
    assert [row.event for row in rows] == ["pending", "set", "proved", "dependent", "retired", "refused", "promoted"]
    assert rows[2].way == f"{KEY_WAY}（2 台主机）"
    estate.whole()
    assert estate.entry.previous[0].value == pairs[0] != estate.file.read_text().strip()
    assert "PRIVATE" not in repr(rows)
    estate.rotate()
    estate.whole()


def test_emulated_host_that_does_not_answer_leaves_every_old_key(estate: Estate, pairs: list[str]) -> None:
    estate.hosts.deaf = "web2"
    with pytest.raises(PanshiError, match="PS-E7013"):
        estate.rotate()
    assert estate.entry.pending is None and estate.reached()
    real = estate.hosts.ask

    def goes_away(host: str, module: str, **given: Any) -> Mapping[str, Any]:
        estate.hosts.deaf = "web2" if given["verb"] == "add" else ""
        return real(host, module, **given)

    with mock.patch.object(estate.hosts, "ask", goes_away), pytest.raises(PanshiError, match="PS-E7013"):
        estate.rotate()
    assert estate.reached() and all(estate.hosts.let_in(host, pairs[0]) for host in ("web1", "web2"))
    estate.hosts.deaf = ""
    assert [row.event for row in estate.rotate()][:2] == ["resolved", "set"]
    estate.whole()


def test_emulated_host_that_still_takes_the_old_key_is_named_and_nothing_is_promoted(estate: Estate) -> None:
    estate.hosts.takes_all = "web2"
    with pytest.raises(PanshiError, match=r"PS-E7010.*旧密钥仍能登录"):
        estate.rotate()
    assert estate.entry.pending is not None and estate.reached()
    estate.hosts.takes_all = ""
    estate.rotate()
    estate.whole()


def test_emulated_new_key_that_logs_in_nowhere_leaves_the_old_one(estate: Estate, pairs: list[str]) -> None:
    refused = mock.patch.object(Hosts, "let_in", return_value=False)
    with refused, pytest.raises(PanshiError, match=r"PS-E7009.*新密钥登录没有成功.*web1"):
        estate.rotate()
    assert estate.file.read_text().strip() == pairs[0] and estate.reached()


CALLS = (
    *((AccountKey, verb) for verb in ("which", "set", "prove", "retire", "refused")),
    (Hosts, "ask"),
    (KeyFile, "ready"),
    (KeyFile, "update"),
    (Path, "replace"),
    (os, "rename"),
    (os, "fsync"),
)


def test_real_kill_of_the_process_at_every_boundary_shuts_nobody_out(estate: Estate) -> None:
    names: list[str] = []
    estate.rotate()
    with boundaries(CALLS, names.append):
        estate.rotate()
    assert len(names) >= 40, names
    for number, name in enumerate(names):
        child = os.fork()
        if child == 0:
            left = iter(range(number))

            def hook(_: str, left: Iterator[int] = left) -> None:
                if next(left, None) is None:
                    os.kill(os.getpid(), signal.SIGKILL)

            try:
                with boundaries(CALLS, hook):
                    estate.rotate()
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)
        assert os.WTERMSIG(status) == signal.SIGKILL, name
        # The file of the connection's key holds one that works, at every moment, and the store knows it.
        assert estate.reached(), name
        assert estate.file.read_text().strip() in estate.entry.known().values(), name
        estate.rotate()
        estate.whole()
        assert not list(estate.file.parent.glob(".panshi-key*")), name


def test_module_knows_the_account_that_it_runs_as(module: ModuleType) -> None:
    person = pwd.getpwuid(os.getuid())
    (file,) = module.key_files(person, {"authorizedkeysfile": ["%h/.ssh/authorized_keys"]})
    assert file.path == str(Path(person.pw_dir) / ".ssh" / "authorized_keys")
