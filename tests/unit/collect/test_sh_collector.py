"""The sh collector against the Python one: same ids, same shapes, same masking; odd hosts never break the document."""

from __future__ import annotations

import itertools
import json
import os
import random
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from panshi.collect import linux

from .test_linux_document import SCHEMA

SOURCE = (Path(linux.__file__).parent / "linux.sh").read_text(encoding="utf-8")
TOOLS = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
NOBODY = 65534
ITEMS = [*linux.READ_FIRST, *linux.COMMANDS, *linux.READ_LAST, linux.SCAN]
SECRET = "Zq7-not-a-word"  # noqa: S105 - a canary, no password
HASH = "$6$rounds=5000$saltsalt$" + "h" * 86

Document = dict[str, Any]
Collect = Callable[..., Document]


def collect(source: str, *options: str, path: str = TOOLS, shell: str = "sh", user: int | None = None) -> Document:
    """Run the collector from standard input as a host does and return what it printed."""
    done = subprocess.run(
        [shell, "-s", "--", *options],
        input=source.encode(),
        capture_output=True,
        env={"PANSHI_PATH": path, "PATH": TOOLS},
        cwd="/",
        user=user,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    assert done.returncode == 0
    # Fails on a control character, on bytes that are no UTF-8 and on a key that comes twice.
    document: Document = json.loads(done.stdout, object_pairs_hook=distinct)
    return document


def distinct(pairs: list[tuple[str, Any]]) -> Document:
    """Return a JSON object whose keys are distinct: of two items with one id, one would be lost."""
    found = dict(pairs)
    assert len(found) == len(pairs)
    return found


def without_scan(source: str) -> str:
    """Return the collector without the pass over this machine's whole file system."""
    return source.replace("  scan\n  now\n", "  now\n")


def replaced(changes: dict[str, str], source: str = SOURCE) -> str:
    """Return the collector that looks elsewhere; every text that is to be replaced must be there."""
    for old, new in changes.items():
        assert old in source, old
        source = source.replace(old, new)
    return without_scan(source)


@pytest.fixture(scope="module")
def real() -> Document:
    return collect(SOURCE, "--budget=20")


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that every account may enter, unlike pytest's."""
    with tempfile.TemporaryDirectory() as name:
        Path(name).chmod(0o755)
        yield Path(name)


def read_folder(folder: Path, mode: str = "F", *options: str) -> dict[str, Any]:
    """Return what the collector reads of the files in a folder, by name."""
    source = replaced({"  files S /etc/shadow": f"  files {mode} '{folder}/*'\n  files S /etc/shadow"})
    items = collect(source, *options)["items"]
    start = f"file:{folder}/"
    return {key[len(start) :]: item for key, item in items.items() if key.startswith(start)}


def texts(folder: Path, mode: str, lines: list[str]) -> list[str]:
    """Return each text as the collector lets it leave the host."""
    for number, text in enumerate(lines):
        (folder / f"{number:03d}").write_text(text, encoding="utf-8", newline="")
    read = read_folder(folder, mode)
    return [read[f"{number:03d}"]["out"] for number in range(len(lines))]


def test_real_document_has_the_shape_of_the_python_collector(real: Document) -> None:
    own = {"collector": {"const": "linux.sh"}, "python": {"type": "null"}}
    jsonschema.validate(real, {**SCHEMA, "properties": {**SCHEMA["properties"], **own}})  # type: ignore[dict-item]
    assert real["uid"] == os.geteuid()
    assert real["version"] == linux.VERSION


def test_real_every_item_is_answered_or_skipped_with_a_reason(real: Document) -> None:
    answered = {name for name in real["items"] if not name.startswith("file:")}
    skipped = {one["id"]: one["why"] for one in real["skipped"]}
    assert answered | {name for name in skipped if not name.startswith("file:")} == {item.name for item in ITEMS}
    assert all(skipped.values())


def test_real_items_name_the_same_commands(real: Document) -> None:
    shown = {item.name: item.cmd for item in ITEMS}
    assert {name: item["cmd"] for name, item in real["items"].items() if name in shown} == {
        name: cmd for name, cmd in shown.items() if name in real["items"]
    }


def test_real_patterns_are_those_of_the_python_collector(real: Document) -> None:
    assert real["globs"] == [pattern for _, patterns in linux.FILES for pattern in patterns.split()]


def test_real_sysctl_keys_are_those_of_the_python_collector(real: Document) -> None:
    def keys(text: str) -> list[str]:
        return [
            line.partition(" = ")[0] for line in text.splitlines() if ".conf." not in line
        ]  # interfaces come and go

    assert keys(real["items"]["kernel.sysctl"]["out"]) == keys(linux.sysctl(linux.Host()))


@pytest.mark.parametrize("shell", ["dash", "bash"])
def test_real_both_usual_shells_run_it(shell: str) -> None:
    if not shutil.which(shell):
        pytest.skip(f"no {shell} on this machine")
    assert len(collect(without_scan(SOURCE), shell=shell)["items"]) > len(ITEMS)


def test_real_start_by_command_text_as_the_fleet_does_it() -> None:
    source = without_scan(SOURCE)
    assert len(SOURCE.encode()) < 128 * 1024, "Linux limits one argument to 128 KiB"
    done = subprocess.run(["sh", "-c", source, "linux.sh", "--budget=9"], capture_output=True, timeout=60, check=True)
    assert json.loads(done.stdout)["collector"] == "linux.sh"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give up root")
def test_real_without_root_the_reason_is_told() -> None:
    document = collect(without_scan(SOURCE), user=NOBODY)
    for name in ("account.shadow", "account.gshadow_passwords", "grub.password"):
        item = document["items"][name]
        assert (item["rc"], item["out"], item["err"]) == (1, "", linux.NEED_ROOT)
    assert document["uid"] == NOBODY
    assert document["items"]["file:/etc/shadow"]["stat"]["uid"] == 0


def test_real_an_unknown_option_is_refused() -> None:
    done = subprocess.run(["sh", "-s", "--", "--fast"], input=SOURCE, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert "--fast" in done.stderr


# --- odd files --------------------------------------------------------------------------------------------------------
ODD = [
    "plain \"double\" 'single' \\ back\\nslash \\u0041 $HOME `id` %s & \\& \\\\",
    "tab\tbell\x07 escape\x1b[31m delete\x7f carriage\r\n",
    "".join(map(chr, range(1, 32))),
    "no end of line",
    "one end of line\n",
    "\n\n\n",
    "",
    "等级保护 é 𠮷 \u2028\n",
    "first\n0123456789abcdef0123456789abcdef B forged slot\n0123456789abcdef0123456789abcdef . 9\n",
]


def test_parsed_any_text_arrives_as_it_is(folder: Path) -> None:
    assert texts(folder, "F", ODD) == ODD


def test_parsed_bytes_that_are_no_utf8_become_replacement_characters(folder: Path) -> None:
    (folder / "latin").write_bytes(b"caf\xe9 \xff\xfe end\n")
    (folder / "nul").write_bytes(b"a\0b\n")
    (folder / "surrogate").write_bytes(b"x\xed\xa0\x80y\n")
    (folder / "overlong").write_bytes(b"\xc0\xaf\xf5\x80z\n")
    (folder / "binary").write_bytes(bytes(range(256)) * 900)
    read = {name: item["out"] for name, item in read_folder(folder).items()}
    assert read["latin"] == "caf� �� end\n"
    assert read["nul"] == linux.text_of(b"a\0b\n")
    assert read["surrogate"].strip("x�y\n") == ""
    assert read["overlong"].endswith("�z\n")
    assert "ABC" in read["binary"]


@pytest.mark.parametrize(
    "name",
    ["with space", 'quo"te', "back\\slash", "new\nline", "tab\tname", "等保", "$(id)", "-n", "a'b", "end\n", "S 1"],
)
def test_parsed_any_file_name_gives_one_item(folder: Path, name: str) -> None:
    (folder / name).write_text("umask 027\n", encoding="utf-8")
    (folder / "zz").write_text("after\n", encoding="utf-8")
    read = read_folder(folder)
    assert set(read) == {linux.printable(name), "zz"}
    assert read[linux.printable(name)]["out"] == "umask 027\n"
    assert read[linux.printable(name)]["stat"]["size"] == 10


def test_parsed_a_name_that_is_no_utf8_gives_an_item(folder: Path) -> None:
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.conf")).write_text("x\n")
    assert set(read_folder(folder)) == {"�.conf"}


def test_parsed_what_is_no_regular_file_is_named_and_never_opened(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    (folder / "to_pipe").symlink_to("pipe")
    (folder / "dangling").symlink_to("/nonexistent/target")
    (folder / "to_file").symlink_to("plain")
    (folder / "plain").write_text("x\n")
    (folder / "dir").mkdir()
    read = read_folder(folder)
    told = {name: (item["rc"], item["stat"]["type"], item["stat"].get("target")) for name, item in read.items()}
    assert told == {
        "pipe": (1, "other", None),
        "to_pipe": (1, "link", "pipe"),
        "dangling": (1, "link", "/nonexistent/target"),
        "to_file": (0, "link", "plain"),
        "plain": (0, "file", None),
        "dir": (0, "dir", None),
    }
    assert read["to_file"]["out"] == "x\n"


def test_parsed_a_file_that_two_patterns_name_is_read_under_the_first(folder: Path) -> None:
    (folder / "chrony.keys").write_text(SECRET)
    (folder / "plain").write_text("x\n")
    rows = f"  files S '{folder}/*.keys'\n  files F '{folder}/*'\n"
    items = collect(replaced({"  files S /etc/shadow": rows + "  files S /etc/shadow"}))["items"]
    assert items[f"file:{folder}/chrony.keys"]["out"] == ""
    assert items[f"file:{folder}/plain"]["out"] == "x\n"


def test_parsed_an_oversize_file_is_cut_at_a_line_and_marked(folder: Path) -> None:
    (folder / "huge").write_text("0123456789\n" * 1_000_000)
    (folder / "one_line").write_text("x" * 5000)
    read = read_folder(folder, "F", "--item-limit=1000")
    assert read["huge"]["out"] == "0123456789\n" * 90
    assert read["huge"]["truncated"] is True
    assert read["one_line"]["out"] == "x" * 1000
    assert read["one_line"]["truncated"] is True


def test_parsed_a_full_document_says_what_is_missing() -> None:
    document = collect(without_scan(SOURCE), "--total-limit=20000")
    assert "总量超出上限" in {one["why"] for one in document["skipped"]}
    assert sum(len(item["out"].encode()) for item in document["items"].values()) < 20000


# --- secrets ----------------------------------------------------------------------------------------------------------
CORPUS = [
    f"password={SECRET}",
    f"DB_PASSWORD = '{SECRET}'",
    f'"api_key": "{SECRET}"',
    f"baseurl=https://zhang:{SECRET}@mirror.example/os",
    f"deb https://u:{SECRET}@mirror.example/debian stable main",
    f"0 3 * * * root mysqldump -u root -p{SECRET} app",
    f"0 3 * * * root sshpass -p {SECRET} ssh backup",
    f"0 3 * * * root redis-cli -h cache -a {SECRET} save",
    f"0 3 * * * root curl -u zhang:{SECRET} https://site.example",
    f"curl -H 'Authorization: Bearer {SECRET}' https://site.example",
    f"0 3 * * * root tool --password {SECRET} --verbose",
    f"*.* :ommysql:db.example,logs,writer,{SECRET}",
    f"rocommunity {SECRET} 192.0.2.0/24",
    f"com2sec notConfigUser default {SECRET}",
    f"CREATE USER a IDENTIFIED BY '{SECRET}'",
    f"machine git.example login zhang password {SECRET}",
    f'Acquire::http::Proxy::password "{SECRET}";',
    f"password_pbkdf2 root grub.pbkdf2.sha512.10000.{'AB' * 40}",
    f"GRUB2_PASSWORD={SECRET}",
    f"root:{HASH}:19000:0:99999:7:::",
    f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\nafter",
    f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET} and no end",
    f"export MYSQL_PWD={SECRET}",
    f"//nas.example/x /mnt cifs username=zhang,password={SECRET},ro 0 0",
    f"ldap bind Password of sync user = {SECRET} x",
    f"a.passwd:= {SECRET}, b_secret({SECRET})",
    f"PGPASSWORD={SECRET} psql; TOKEN={SECRET}",
]
HARMLESS = [
    "%ops ALL=(ALL) NOPASSWD: ALL",
    "Defaults passwd_timeout=1, passwd_tries=3, !targetpw",
    "passwd:         files systemd sss",
    "password requisite pam_pwquality.so retry=3 minlen=12 authtok_type=",
    "password [success=1 default=ignore] pam_unix.so obscure use_authtok try_first_pass sha512",
    "auth required pam_faillock.so preauth deny=5 unlock_time=900",
    "PasswordAuthentication yes",
    "PASS_MAX_DAYS\t90",
    "-a always,exit -F arch=b64 -S openat -F path=/etc/passwd -F key=passwd_changes",
    "-w /etc/shadow -p wa -k identity",
    "passwd_file=/etc/vsftpd/users",
    "password_timeout: 30",
    "$ActionFileDefaultTemplate RSYSLOG_Format",
    "oldpwd=/root bypass=1 password=none secret: yes",
]


@pytest.mark.parametrize(("letter", "mode"), [("F", linux.FULL), ("E", linux.EQUALS), ("P", linux.PLAIN)])
def test_parsed_masking_is_that_of_the_python_collector(folder: Path, letter: str, mode: int) -> None:
    lines = CORPUS + HARMLESS
    assert texts(folder, letter, lines) == [linux.mask(line, mode) for line in lines]


def test_parsed_no_planted_secret_leaves_the_host(folder: Path) -> None:
    for text in texts(folder, "F", CORPUS):
        assert SECRET not in text
        assert "h" * 10 not in text
        assert "AB" * 10 not in text
        assert "***" in text


@pytest.mark.parametrize(
    "text",
    [f'password = "{SECRET}', f"password == {SECRET}", f"mysql -p{SECRET} -p{SECRET}", f"password_admin={SECRET}"],
)
def test_parsed_what_is_written_oddly_is_masked_too(folder: Path, text: str) -> None:
    assert SECRET not in texts(folder, "F", [text])[0]


WORDS = """password passwd pwd db_pwd oldpwd secret token api_key api-key pass passphrase authtok key community mysql
 curl sshpass redis-cli identified by authorization: machine login --password -p -u -a http:// u: @host $6$ Acquire::
 _file timeout yes none = = : := ( ) , ; | ' - _ . a PASSWORD Token""".split()  # noqa: SIM905


def test_parsed_whatever_the_python_collector_hides_the_sh_collector_hides(folder: Path) -> None:
    chance = random.Random(20250601)
    words = [*WORDS, *[SECRET] * 6, *[" "] * 6, "\t", '"']
    lines = ["".join(chance.choices(words, k=chance.randint(2, 12))) for _ in range(2000)]
    shown = texts(folder, "F", ["\n".join(lines)])[0].split("\n")
    worse = [
        (line, got)
        for line, got in zip(lines, shown, strict=True)
        if got.count(SECRET) > linux.mask(line).count(SECRET)
    ]
    assert worse == []


SHADOW = [
    ("a", HASH),
    ("b", "!" + HASH),
    ("c", "!!"),
    ("d", "*"),
    ("e", ""),
    ("f", "$y$j9T$salt$" + "k" * 40),
    ("g", "abcdefghijklm"),
    ("h", "!_abcdefghijklmnopqrs"),
    ("i", "$sm3$x$" + "m" * 40),
    ("j", "!*"),
]


def test_parsed_shadow_and_group_passwords_leave_only_their_state(folder: Path) -> None:
    (folder / "shadow").write_text("".join(f"{name}:{field}:19000:1:90:7:30::\n" for name, field in SHADOW))
    (folder / "gshadow").write_text("".join(f"{name}:{field}::\n" for name, field in SHADOW))
    (folder / "cron").write_text(f"# comment {SECRET}\n0 3 * * * root tool --password {SECRET}\n")
    source = replaced(
        {"/etc/shadow ||": f"{folder}/shadow ||", "/etc/gshadow\n}": f"{folder}/gshadow\n}}"}
        | {"/etc/crontab /etc/anacrontab /etc/cron.d/*": f"{folder}/cron /etc/cron.d/*", "uid=$(id -u)": "uid=0"}
    )
    items = collect(source)["items"]
    assert items["account.shadow"]["out"].splitlines() == [
        ":".join([name, *linux.shadow_state(field), "19000", "1", "90", "7", "30", ""]) for name, field in SHADOW
    ]
    usable = [name for name, field in SHADOW if linux.shadow_state(field)[0] in ("set", "locked")]
    assert items["account.gshadow_passwords"]["out"].split() == usable
    assert f"{folder}/cron:0 3 * * * root tool --password ***" in items["cron.jobs"]["out"].splitlines()
    assert SECRET not in json.dumps(items)


def test_parsed_a_hash_in_passwd_goes(folder: Path) -> None:
    text = f"root:{HASH}:0:0:root:/root:/bin/bash\nold:abcdefghijklm:1:1::/:/bin/sh\nx:x:2:2::/:/bin/sh\nshort\n"
    assert texts(folder, "H", [text]) == [linux.mask_second_field(text)]


def test_real_process_arguments_never_leave_the_host() -> None:
    process = subprocess.Popen(["sleep", "47.11"])
    try:
        document = collect(without_scan(SOURCE))
    finally:
        process.kill()
        process.wait()
    rows = [line.split("\t") for line in document["items"]["proc.list"]["out"].splitlines()]
    assert [row[5:] for row in rows if row[3] == str(process.pid)] == [["sleep", "sleep", ""]]
    assert "47.11" not in json.dumps(document)


# --- programs that misbehave ------------------------------------------------------------------------------------------
@pytest.fixture
def fake(folder: Path) -> Callable[[str, str], str]:
    """Return a function that puts a script before the host's programs and returns the PATH."""

    def put(name: str, script: str) -> str:
        (folder / name).write_text(f"#!/bin/sh\n{script}\n")
        (folder / name).chmod(0o755)
        return f"{folder}:{TOOLS}"

    return put


def test_real_a_hanging_program_costs_only_its_answer(fake: Callable[[str, str], str]) -> None:
    began = time.monotonic()
    document = collect(without_scan(SOURCE), "--budget=8", path=fake("who", "trap '' TERM; sleep 60"))
    assert time.monotonic() - began < 14
    assert document["items"]["account.logged_in"]["rc"] == 124
    assert "account.logged_in" in {one["id"] for one in document["skipped"]}
    assert document["items"]["fs.usage"]["rc"] == 0


def test_real_a_program_that_leaves_a_child_is_not_waited_for(fake: Callable[[str, str], str]) -> None:
    began = time.monotonic()
    item = collect(without_scan(SOURCE), path=fake("who", "sleep 61.7 & echo told"))["items"]["account.logged_in"]
    assert (item["rc"], item["out"]) == (0, "told\n")
    assert time.monotonic() - began < 20
    assert subprocess.run(["pgrep", "-f", "sleep 61.7"], capture_output=True, check=False).stdout == b""


def test_real_a_program_that_never_stops_talking_is_cut(fake: Callable[[str, str], str]) -> None:
    document = collect(without_scan(SOURCE), "--item-limit=4096", path=fake("who", "exec yes 0123456789"))
    item = document["items"]["account.logged_in"]
    assert (item["rc"], item["truncated"]) == (0, True)
    assert len(item["out"]) <= 4096
    assert set(item["out"].split()) == {"0123456789"}


def test_real_the_return_code_and_the_message_of_a_program_arrive(fake: Callable[[str, str], str]) -> None:
    script = 'printf "out without end"; printf "first\\npassword=%s\\n" ' + SECRET + " >&2; exit 42"
    item = collect(without_scan(SOURCE), path=fake("who", script))["items"]["account.logged_in"]
    assert (item["rc"], item["out"], item["err"]) == (42, "out without end", "first\npassword=***")


def test_real_a_host_without_awk_is_told_in_one_line(folder: Path) -> None:
    for name in ("sh", "id", "od", "tr", "printf"):
        (folder / name).symlink_to(shutil.which(name) or f"/usr/bin/{name}")
    done = subprocess.run(
        ["/bin/sh", "-s"], input=SOURCE, capture_output=True, text=True, env={"PANSHI_PATH": str(folder)}, check=False
    )
    assert (done.returncode, done.stdout) == (127, "")
    assert done.stderr.count("\n") == 1
    assert "awk" in done.stderr


# --- what sh has to compute -------------------------------------------------------------------------------------------
VERSIONS = [
    "1.0",
    "1.0-1",
    "1.0-1+deb12u1",
    "1.0~rc1-1",
    "1:0.9",
    "1.10",
    "1.9",
    "1.0a",
    "1.0+b",
    "2024.01",
    "1.0-1~bpo1",
    "1.8",
]


def test_parsed_debian_versions_are_ordered_as_the_python_collector_orders_them(folder: Path) -> None:
    pairs = list(itertools.permutations(VERSIONS, 2))
    status = "".join(
        f"Package: p{number}\nStatus: install ok installed\nArchitecture: amd64\nVersion: {have}\n\n"
        for number, (have, _) in enumerate(pairs)
    )
    listed = "".join(
        f"Package: p{number}\nArchitecture: amd64\nVersion: {new}\n\n" for number, (_, new) in enumerate(pairs)
    )
    name = "security.example_debian-security_dists_stable-security_main_binary-amd64_Packages"
    (folder / "status").write_text(status)
    (folder / name).write_text(listed)
    source = replaced({"/var/lib/dpkg/status": f"{folder}/status", "/var/lib/apt/lists": str(folder)})
    out = collect(source)["items"]["pkg.apt_security"]["out"]
    assert sorted(out.splitlines()) == sorted(
        f"p{number}\t{have}\t{new}\tstable-security/main"
        for number, (have, new) in enumerate(pairs)
        if linux.deb_key(new) > linux.deb_key(have)
    )


def test_parsed_a_damaged_package_list_is_no_empty_list(folder: Path) -> None:
    (folder / "status").write_text("Package: a\nStatus: install ok installed\nArchitecture: all\nVersion: 1\n\n")
    (folder / "x_dists_a-security_main_binary-all_Packages.gz").write_bytes(b"no gzip")
    source = replaced({"/var/lib/dpkg/status": f"{folder}/status", "/var/lib/apt/lists": str(folder)})
    item = collect(source)["items"]["pkg.apt_security"]
    assert (item["rc"], item["out"]) == (1, "")


ADDRESSES = [
    "00000000000000000000000000000000",
    "00000000000000000000000001000000",
    "0000000000000000FFFF00000101A8C0",
    "B80D0120000000000000000001000000",
    "B80D01200000000001000000FFFFFFFF",
    "000080FE00000000FF005450B6AD1DFE",
    "0000000000000000000000000101A8C0",
    "01000000000000000000000000000000",
    "0000000000000000CDAB00000101A8C0",
    "0000000000000000000000000000FFFF",
]


def test_parsed_addresses_are_written_as_the_python_collector_writes_them(folder: Path) -> None:
    head = "  sl  local_address remote_address st tx_queue rx_queue tr tm->when retrnsmt uid timeout inode\n"
    row = "   0: {}:0016 {}:0000 0A 00000000:00000000 00:00000000 00000000 0 0 999999999 1\n"
    (folder / "tcp6").write_text(head + "".join(row.format(address, "0" * 32) for address in ADDRESSES))
    (folder / "tcp").write_text(head + row.format("0100007F", "0" * 8))
    tables = "/proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6"
    out = collect(replaced({tables: f"{folder}/tcp {folder}/tcp6"}))["items"]["net.listen"]["out"]
    assert [line.split()[4] for line in out.splitlines()] == [
        "127.0.0.1:22",
        *(f"{linux._address(address)}:22" for address in ADDRESSES),
    ]
