"""Panshi collector for Linux: ONE file, standard library only, Python 3.6 or later, read-only.

Fed to the target on standard input (``python3 -BIS - [--budget=25]``) it prints exactly one JSON object, described in
docs/design.md section 2. It writes nothing on the target: no byte code, no history, no cache, no lock, no kernel
module. Password hashes, private keys and secret values are removed here, before anything is printed.

Rules for whoever adds an item: prefer reading /proc, /sys and files over a fork; ask no program that starts a daemon,
loads a module or opens a package data base for writing; say what a person would type in ``cmd``.
"""
# ruff: noqa: E402 - byte code must be off before the first import

import sys

sys.dont_write_bytecode = True

import json
import os
import re
import selectors
import signal
import socket
import stat
import struct
import subprocess
import time
import zlib

TYPE_CHECKING = False  # importing typing costs every target milliseconds
if TYPE_CHECKING:
    from typing import IO, Any, Callable, Dict, Iterable, Iterator, List, Optional, Set, Tuple

SCHEMA = 1
VERSION = "2"
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
ENV = {
    "PATH": os.environ.get("PANSHI_PATH", PATH),
    "LC_ALL": "C",
    "HOME": "/nonexistent",
    "TERM": "dumb",
    "SYSTEMD_COLORS": "0",
    "SYSTEMD_PAGER": "",
    "PYTHONDONTWRITEBYTECODE": "1",
    "HISTFILE": "/dev/null",
}
LANES = 3  # commands at the same time
PATIENCE = 3.0  # seconds after which a command no longer keeps the next one waiting
HELP_SECONDS = 5.0  # time limit of a program that an item needs on its way
NOBODY = 65534
NEED_ROOT = "需要 root 权限"

# --------------------------------------------------------------------------------------------------------------------
# Masking: what could be a secret becomes ***. When in doubt the value goes, the key stays.
# --------------------------------------------------------------------------------------------------------------------
PLAIN, EQUALS, FULL = 0, 1, 2  # no key masking | only key=value (PAM, sudoers, sshd, nsswitch) | key=value, key: value

_WORD = r"(?:passw(?:or)?d|passphrase|secret|token|authtok|credential|api[_-]?key|access[_-]?key|bindpw|rootpw|pgpass)"
_KEY = r"(?P<key>[\w.-]*(?:" + _WORD + r"[\w.-]*|\bpwd|_pwd|\bpass|_pass)[\"']?)"
_VALUE = r"(?P<value>\"(?:[^\"\\\n]|\\.)*\"|'[^'\n]*'|[\"']?[^\s,;&|)}\"']+)"
_ASSIGN_EQUALS = re.compile(_KEY + r"(?P<sep>[ \t]*={1,3}[ \t]*)" + _VALUE, re.I)
_ASSIGN_FULL = re.compile(_KEY + r"(?P<sep>[ \t]*(?::=|={1,3}|[:(])[ \t]*)" + _VALUE, re.I)
_SPACED_KEY = re.compile(r"(?im)^(?P<key>[ \t]*[\w \t]*password[\w \t]*)(?P<sep>=[ \t]*)(?P<value>\S.*)$")
_OPEN = re.compile(  # keys that only speak about secrets
    r"(?i)(?:[_. -]|passw(?:or)?d|pass|pwd|passphrase|secret|token)(timeout|tries|retr(y|ies)|length|len|min|max|age"
    r"|days|expir\w*|file|path|dir|program|chat|sync|policy|hash|algorithm|type|method|prompt|message|column|authentication"
    r"|auth|change|level|check|format|command)[\"']?$"
)
_HARMLESS = re.compile(r"(?i)^[\"']?(yes|no|true|false|on|off|none|default|required|sufficient|optional|\*\*\*)[\"']?$")
# (what the text must contain for the pattern to be worth a try, pattern, replacement)
_ALWAYS = [
    (
        "PRIVATE KEY",
        re.compile(r"-----BEGIN ([A-Z ]*PRIVATE KEY)-----.*?(-----END \1-----|\Z)", re.S),
        r"-----BEGIN \1----- ***",
    ),
    ("://", re.compile(r"(\b[a-zA-Z][\w+.-]*://[^\s/:@\"']*):[^\s/@\"']+@"), r"\1:***@"),
    ("pbkdf2", re.compile(r"grub\.pbkdf2\.[\w.]+"), "grub.pbkdf2.***"),
    ("$", re.compile(r"\$(\w{1,10})\$[^\s:\"']{8,}"), r"$\1$***"),
]
_SPOKEN = [
    (re.compile(r"(?i)(--?(?:pass\w*|secret|token|pwd)(?:=|[ \t]+))(\"[^\"]*\"|'[^']*'|[^\s;|&]+)"), r"\1***"),
    (re.compile(r"(\b(?:mysql|mariadb|xtrabackup|innobackupex)[\w-]*\b[^\n;|]*?[ \t]-p)[^\s;|&]+"), r"\1***"),
    (re.compile(r"(\bsshpass[ \t]+-p[ \t]*)(\"[^\"]*\"|'[^']*'|\S+)"), r"\1***"),
    (re.compile(r"(\bredis-cli\b[^\n;|]*?[ \t]-a[ \t]*)\S+"), r"\1***"),
    (re.compile(r"(\bcurl\b[^\n;|]*?[ \t](?:-u|--user)[ \t]*[^\s:]+:)\S+"), r"\1***"),
    (re.compile(r"(?i)(\bauthorization:[ \t]*\w+[ \t]+)[^\s\"']+"), r"\1***"),
    (re.compile(r"(?i)(\bidentified[ \t]+by[ \t]+)\S+"), r"\1***"),
    (re.compile(r"(?i)(\b(?:r[ow]community6?|trapcommunity|community|snmp-server community)[ \t]+)\S+"), r"\1***"),
    (re.compile(r"(?im)^([ \t]*com2sec6?[ \t]+\S+[ \t]+\S+[ \t]+)\S+"), r"\1***"),
    (re.compile(r"(:ommysql:[^,\n]*,[^,\n]*,[^,\n]*,)[^\s;]+"), r"\1***"),
    (re.compile(r"(?i)(\bmachine[ \t]+\S+[ \t]+login[ \t]+\S+[ \t]+password[ \t]+)\S+"), r"\1***"),
    (re.compile(r"(?im)^([ \t]*[\w:]*\bpassword[ \t]+)\"[^\"\n]*\"(?=;)"), r'\1"***"'),
]
# The patterns above are slow; only a line with one of these words can match one of them.
_TRIGGERS = (
    "pass pwd secret token authtok credential key bindpw rootpw community com2sec identified authorization"
    " mysql mariadb xtrabackup innobackupex redis-cli curl"
).split()


def _hide(match: "re.Match[str]") -> str:
    if _OPEN.search(match.group("key").strip()) or _HARMLESS.match(match.group("value").strip()):
        return match.group(0)
    return match.group("key") + match.group("sep") + "***"


def mask(text: str, mode: int = FULL) -> str:
    """Return the text with secret values replaced by ``***``; keys and everything else stay as they are."""
    for needle, pattern, replacement in _ALWAYS:
        if needle in text:
            text = pattern.sub(replacement, text)
    if mode == PLAIN:
        return text
    lines = text.split("\n")
    for number, line in enumerate(lines):
        low = line.lower()
        for word in _TRIGGERS:
            if word in low:
                lines[number] = _mask_line(line, mode)
                break
    return "\n".join(lines)


def _mask_line(line: str, mode: int) -> str:
    if mode == EQUALS:
        return _ASSIGN_EQUALS.sub(_hide, line)
    for pattern, replacement in _SPOKEN:
        line = pattern.sub(replacement, line)
    return _SPACED_KEY.sub(_hide, _ASSIGN_FULL.sub(_hide, line))


def mask_second_field(text: str) -> str:
    """Return passwd or group lines without a password hash that an old system may keep in the second field."""
    lines = []
    for line in text.splitlines():
        parts = line.split(":")
        if len(parts) > 2 and parts[1] not in ("", "x", "*", "!", "!!", "!*"):
            parts[1] = "***"
        lines.append(":".join(parts))
    return "".join(line + "\n" for line in lines)


def shadow_state(password: str) -> "Tuple[str, str]":
    """Return (state, algorithm) of a shadow password field; see docs/design.md, ``account.shadow``."""
    if password == "":
        return "empty", ""
    core = password.lstrip("!")
    crypt = re.match(r"\$([\w-]+)\$", core)
    des = re.match(r"[./0-9A-Za-z]{13}$|_[./0-9A-Za-z]{19}$", core)
    if not crypt and not des:
        return "disabled", ""
    return ("set" if core == password else "locked"), (crypt.group(1) if crypt else "des")


# --------------------------------------------------------------------------------------------------------------------
# Reading
# --------------------------------------------------------------------------------------------------------------------
class NoAnswer(Exception):
    """An item that has no output: return code and reason (127: the thing that would answer does not exist)."""

    def __init__(self, rc: int, why: str) -> None:
        super().__init__(why)
        self.rc = rc


class OutOfTime(BaseException):
    """The time of the item that is being read is over; no ``except Exception`` on the way may swallow that."""


def text_of(raw: bytes) -> str:
    """Return bytes as text; what is not UTF-8 becomes U+FFFD, what is NUL a blank."""
    return raw.decode("utf-8", "replace").replace("\0", " ")


def iso(seconds: float) -> str:
    """Return a unix time as UTC, ISO 8601."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def read_raw(path: str, limit: int, offset: int = 0) -> bytes:
    """Return at most ``limit`` bytes of a regular file; never opens a FIFO, socket or device.

    Raises:
        OSError: when it cannot be read or is no regular file.
    """
    if not stat.S_ISREG(os.stat(path).st_mode):
        raise OSError("不是普通文件，未读取")
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
    try:
        fd = os.open(path, flags | os.O_NOATIME)
    except PermissionError:
        fd = os.open(path, flags)
    try:
        if offset:
            os.lseek(fd, offset, os.SEEK_SET)
        chunks = []
        while limit > 0:
            chunk = os.read(fd, min(limit, 1 << 20))
            if not chunk:
                break
            chunks.append(chunk)
            limit -= len(chunk)
        return b"".join(chunks)
    finally:
        os.close(fd)


def read_text(path: str, limit: int = 1 << 20) -> str:
    """Return the text of a file, or "" when it is absent or unreadable."""
    try:
        return text_of(read_raw(path, limit))
    except OSError:
        return ""


def printable(path: str) -> str:
    """Return a path that is safe on one line: control characters as ``\\xNN``, bytes that are no UTF-8 as U+FFFD."""
    clean = os.fsencode(path).decode("utf-8", "replace")
    return re.sub(r"[\x00-\x1f\x7f]", lambda m: "\\x%02x" % ord(m.group()), clean)


def expand(pattern: str) -> "List[str]":
    """Return the sorted existing paths that match; ``*`` stands for anything but / and, in front, a dot.

    The library's glob compiles a regular expression per pattern, which costs more than all the reading.
    """
    found = [""]
    for part in pattern.strip("/").split("/"):
        if "*" in part:
            found = [folder + "/" + name for folder in found for name in names_in(folder) if fits(name, part)]
        else:
            found = [folder + "/" + part for folder in found]
    return [path for path in found if os.path.lexists(path)]


def fits(name: str, pattern: str) -> bool:
    """Return whether a file name matches a pattern with ``*``, a leading dot only by a dot, as the shell has it."""
    if name.startswith(".") and not pattern.startswith("."):
        return False
    head, *rest = pattern.split("*")
    if not name.startswith(head):
        return False
    position = len(head)
    for piece in rest[:-1]:
        position = name.find(piece, position) + len(piece)
        if position < len(piece):
            return False
    return not rest or (len(name) >= position + len(rest[-1]) and name.endswith(rest[-1]))


def names_in(path: str) -> "List[str]":
    """Return the sorted names in a directory, none when it cannot be read."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def program(name: str) -> str:
    """Return the path of a program, or "" when the host does not have it."""
    for folder in ENV["PATH"].split(":"):
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return ""


class Host:
    """What several items need to know about the host, read once."""

    def __init__(self) -> None:
        self.uid = os.geteuid()
        self.users = self._names("/etc/passwd")
        self.groups = self._names("/etc/group")
        self.outputs = {}  # type: Dict[str, str]
        self._processes = None  # type: Optional[List[List[str]]]
        self._nft = None  # type: Optional[bool]

    @staticmethod
    def _names(path: str) -> "Dict[int, str]":
        found = {}  # type: Dict[int, str]
        for line in read_text(path, 8 << 20).splitlines():
            parts = line.split(":")
            if len(parts) > 2 and parts[2].isdigit():
                found.setdefault(int(parts[2]), parts[0])
        return found

    def owner(self, info: os.stat_result) -> "Tuple[str, str, str]":
        """Return (mode, owner, group) of a stat result; unknown ids stay numbers."""
        return (
            "%04o" % stat.S_IMODE(info.st_mode),
            self.users.get(info.st_uid, str(info.st_uid)),
            self.groups.get(info.st_gid, str(info.st_gid)),
        )

    def need_root(self) -> None:
        """Raise NoAnswer unless the collector runs as root."""
        if self.uid != 0:
            raise NoAnswer(1, NEED_ROOT)

    @property
    def processes(self) -> "List[List[str]]":
        """Return rows of user, uid, euid, pid, ppid, comm, exe, main for every process that is no kernel thread."""
        if self._processes is None:
            self._processes = [row for row in map(self._process, self.pids()) if row]
        return self._processes

    @property
    def nft(self) -> bool:
        """Return whether the kernel has nf_tables already."""
        if self._nft is None:
            self._nft = nft_loaded()
        return self._nft

    @staticmethod
    def pids() -> "List[int]":
        """Return the process ids, ascending."""
        return sorted(int(name) for name in os.listdir("/proc") if name.isdigit())

    def _process(self, pid: int) -> "List[str]":
        if pid == os.getpid():
            return []
        status = read_text("/proc/%d/status" % pid, 4096)
        found = re.search(r"^Name:\t(.*)\n(?:.*\n)*?PPid:\t(\d+)\n(?:.*\n)*?Uid:\t(\d+)\t(\d+)", status)
        if not found or found.group(2) == "2" or pid == 2:
            return []
        try:
            exe = os.path.basename(os.readlink("/proc/%d/exe" % pid).replace(" (deleted)", ""))
        except OSError:
            exe = ""
        main = ""
        if re.match(r"java|python|perl|ruby|node|php", exe):
            main = main_of(exe, read_text("/proc/%d/cmdline" % pid, 65536).split(" ")[1:])
        name, uid = found.group(1).replace("\t", " "), found.group(3)
        return [self.users.get(int(uid), uid), uid, found.group(4), str(pid), found.group(2), name, exe, main]

    def running(self, *names: str) -> bool:
        """Return whether a process of one of these names (comm or executable) exists."""
        return any(row[5] in names or row[6] in names for row in self.processes)


def main_of(exe: str, arguments: "List[str]") -> str:
    """Return the script, jar or main class of an interpreter's command line, "" when unsure: arguments hold secrets."""
    valued = ("-cp", "-classpath", "--class-path", "-p", "--module-path") if exe.startswith("java") else ("-W", "-X")
    for position, argument in enumerate(arguments):
        if position and arguments[position - 1] in valued or not argument:
            continue
        if argument in ("-c", "-e", "-r"):
            return ""
        if argument in ("-jar", "-m", "--module"):
            argument = arguments[position + 1] if position + 1 < len(arguments) else ""
        elif argument.startswith("-"):
            continue
        name = os.path.basename(argument)
        return name if re.match(r"[\w.$-]{1,120}$", name) else ""
    return ""


# --------------------------------------------------------------------------------------------------------------------
# Items that are read without starting a program; each returns text or raises NoAnswer
# --------------------------------------------------------------------------------------------------------------------
def container(host: Host) -> str:
    """Return the kind of container as systemd-detect-virt names it, "none" on a machine."""
    told = read_text("/run/systemd/container").strip()
    if not told:
        found = re.search(r"(?:^| )container=(\S+)", read_text("/proc/1/environ"))
        told = found.group(1) if found else ""
    for mark, name in (("/run/.containerenv", "podman"), ("/.dockerenv", "docker")):
        if not told and os.path.exists(mark):
            told = name
    return told or "none"


def uname(host: Host) -> str:
    """Return kernel name, release and machine."""
    name = os.uname()
    return "%s %s %s\n" % (name.sysname, name.release, name.machine)


def process_list(host: Host) -> str:
    """Return ``user uid euid pid ppid comm exe main`` per process, tab-separated; never its arguments."""
    return "".join("\t".join(row) + "\n" for row in host.processes)


def stat_line(host: Host, path: str) -> str:
    """Return ``mode owner group size mtime path`` of a path that exists."""
    info = os.lstat(path)
    return "%s %s %s %d %d %s\n" % (host.owner(info) + (info.st_size, int(info.st_mtime), printable(path)))


def stat_lines(host: Host, paths: "Iterable[str]") -> str:
    """Return the stat lines of those paths that exist."""
    lines = []
    for path in paths:
        try:
            lines.append(stat_line(host, path))
        except OSError:
            continue
    return "".join(lines)


def facts_stamp(host: Host) -> str:
    """Return the stat lines of the local facts that an automation leaves."""
    return stat_lines(host, expand("/etc/ansible/facts.d/*"))


def shadow(host: Host) -> str:
    """Return the shadow file without hashes; see docs/design.md, ``account.shadow``."""
    host.need_root()
    lines = []
    for line in text_of(read_raw("/etc/shadow", 8 << 20)).splitlines():
        fields = line.split(":") + [""] * 8
        lines.append(":".join([fields[0], *shadow_state(fields[1]), *fields[2:8]]) + "\n")
    return "".join(lines)


def gshadow(host: Host) -> str:
    """Return the names of groups that have a usable password."""
    host.need_root()
    found = []
    for line in read_text("/etc/gshadow", 8 << 20).splitlines():
        fields = line.split(":")
        if len(fields) > 1 and shadow_state(fields[1])[0] in ("set", "locked"):
            found.append(fields[0] + "\n")
    return "".join(found)


def pam_modules(host: Host) -> str:
    """Return the names of the installed PAM modules."""
    folders = ["/lib/security", "/lib64/security", "/usr/lib/security", "/usr/lib64/security"]
    folders += expand("/lib/*-linux-gnu*/security") + expand("/usr/lib/*-linux-gnu*/security")
    return "".join(sorted({n + "\n" for folder in folders for n in names_in(folder) if re.match(r"pam_.*\.so$", n)}))


def root_path_dirs(host: Host) -> str:
    """Return ``mode owner group path`` per directory of root's PATH, ``missing - - path`` for an absent one."""
    found = re.search(r"^PATH=(.*)$", host.outputs.get("shell.login", ""), re.M)
    if not found:
        raise NoAnswer(1, "shell.login 没有给出 PATH")
    lines = []
    for folder in found.group(1).split(":"):
        try:
            lines.append("%s %s %s %s\n" % (host.owner(os.stat(folder or ".")) + (folder,)))
        except OSError:
            lines.append("missing - - %s\n" % folder)
    return "".join(lines)


def default_target(host: Host) -> str:
    """Return the unit that the host boots into."""
    for folder in ("/etc", "/run", "/usr/lib", "/lib"):
        try:
            return os.path.basename(os.path.realpath(os.readlink(folder + "/systemd/system/default.target"))) + "\n"
        except OSError:
            continue
    raise NoAnswer(127, "没有 systemd 的 default.target")


def _address(raw: str) -> str:
    """Return an address of /proc/net/{tcp,udp}[6], 32-bit words in host order, as text."""
    words = [raw[i : i + 8] for i in range(0, len(raw), 8)]
    packed = b"".join(struct.pack("=I", int(word, 16)) for word in words)
    return socket.inet_ntop(socket.AF_INET, packed) if len(words) == 1 else "[%s]" % socket.inet_ntop(10, packed)


def listening(host: Host) -> str:
    """Return listening sockets in the shape of ``ss -tulnpH``; ss itself would load the kernel's *_diag modules."""
    rows = []  # type: List[Tuple[str, str, str, str]]
    for table, wanted, state in (("tcp", "0A", "LISTEN"), ("udp", "07", "UNCONN")):
        for suffix, anyone in (("", "0.0.0.0:*"), ("6", "[::]:*")):
            for line in read_text("/proc/net/" + table + suffix, 4 << 20).splitlines()[1:]:
                part = line.split()
                if len(part) > 9 and part[3] == wanted:
                    address, port = part[1].split(":")
                    here = "%s:%d" % (_address(address), int(port, 16))
                    rows.append((part[9], table, state, "%s %s" % (here, anyone)))
    owners = socket_owners({row[0] for row in rows})
    return "".join(
        "%s %s 0 0 %s%s\n" % (table, state, ends, " users:(%s)" % ",".join(owners[inode]) if inode in owners else "")
        for inode, table, state, ends in rows
    )


def socket_owners(inodes: "Set[str]") -> "Dict[str, List[str]]":
    """Return for each socket inode the processes that hold it, as ``("comm",pid=1,fd=3)``."""
    owners = {}  # type: Dict[str, List[str]]
    for pid in Host.pids() if inodes else []:
        for fd in names_in("/proc/%d/fd" % pid):
            try:
                target = os.readlink("/proc/%d/fd/%s" % (pid, fd))
            except OSError:
                continue
            if target.startswith("socket:[") and target[8:-1] in inodes:
                comm = read_text("/proc/%d/comm" % pid).strip()
                owners.setdefault(target[8:-1], []).append('("%s",pid=%d,fd=%s)' % (comm, pid, fd))
    return owners


SYSCTL = [
    "net/ipv4/ip_forward net/ipv4/tcp_syncookies net/ipv4/tcp_timestamps net/ipv4/tcp_rfc1337"
    " net/ipv4/tcp_max_syn_backlog net/ipv4/tcp_synack_retries net/ipv4/tcp_syn_retries net/ipv4/icmp_echo_ignore_all"
    " net/ipv4/icmp_echo_ignore_broadcasts net/ipv4/icmp_ignore_bogus_error_responses net/ipv4/ip_local_port_range",
    "net/ipv4/conf/*/accept_redirects net/ipv4/conf/*/secure_redirects net/ipv4/conf/*/send_redirects"
    " net/ipv4/conf/*/accept_source_route net/ipv4/conf/*/rp_filter net/ipv4/conf/*/log_martians"
    " net/ipv4/conf/*/forwarding net/ipv4/conf/*/proxy_arp net/ipv4/conf/*/arp_ignore net/ipv4/conf/*/arp_announce",
    "net/ipv6/conf/*/accept_redirects net/ipv6/conf/*/accept_source_route net/ipv6/conf/*/accept_ra"
    " net/ipv6/conf/*/forwarding net/ipv6/conf/*/disable_ipv6",
    "kernel/randomize_va_space kernel/kptr_restrict kernel/dmesg_restrict kernel/sysrq kernel/core_pattern"
    " kernel/core_uses_pid kernel/perf_event_paranoid kernel/unprivileged_bpf_disabled kernel/unprivileged_userns_clone"
    " kernel/kexec_load_disabled kernel/modules_disabled kernel/ctrl-alt-del kernel/panic kernel/panic_on_oops"
    " kernel/yama/ptrace_scope kernel/printk kernel/tainted kernel/osrelease kernel/hostname",
    "fs/suid_dumpable fs/protected_hardlinks fs/protected_symlinks fs/protected_fifos fs/protected_regular fs/file-max",
    "net/core/bpf_jit_harden user/max_user_namespaces vm/mmap_min_addr",
]


def sysctl(host: Host) -> str:
    """Return ``key = value`` lines."""
    lines = []
    for pattern in " ".join(SYSCTL).split():
        path = "/proc/sys/" + pattern
        for found in expand(path):
            try:
                value = text_of(read_raw(found, 4096)).strip()
            except OSError:
                continue
            # sysctl(8) swaps dots and slashes in interface names such as eth0.100
            key = found[len("/proc/sys/") :].translate({ord("/"): ".", ord("."): "/"})
            lines.append("%s = %s\n" % (key, value))
    return "".join(lines)


def modules(host: Host) -> str:
    """Return the names of the loaded kernel modules."""
    return "".join(sorted(line.split()[0] + "\n" for line in read_text("/proc/modules").splitlines() if line))


def ima(host: Host) -> str:
    """Return how much the integrity measurement architecture has measured, and the size of its policy."""
    folder = "/sys/kernel/security/ima"
    if not os.path.isdir(folder):
        raise NoAnswer(127, "内核没有启用 IMA 或未挂载 securityfs")
    count = read_text(folder + "/runtime_measurements_count").strip()
    policy = read_text(folder + "/policy")
    return "runtime_measurements %s\npolicy_rules %d\n" % (count or "unreadable", len(policy.splitlines()))


def tpm(host: Host) -> str:
    """Return the names of trusted (TPM, TCM) devices."""
    return "".join("/dev/%s\n" % name for name in names_in("/dev") if name.startswith(("tpm", "tcm")))


def secure_boot(host: Host) -> str:
    """Return what mokutil would say."""
    if not os.path.isdir("/sys/firmware/efi"):
        return "EFI variables are not supported on this system\n"
    try:
        value = read_raw("/sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c", 8)
    except OSError as error:
        raise NoAnswer(1, str(error)) from None
    return "SecureBoot enabled\n" if value[4:5] == b"\1" else "SecureBoot disabled\n"


LOG_DEPTH = 3
LOG_CAP = 3000
ROTATED = re.compile(r"([.-]\d+)*(\.old)?(\.(gz|xz|bz2|zst))?$")
NO_TEXT = re.compile(r"/(wtmp|btmp|lastlog|faillog|tallylog)\b|\.journal~?$|/sa/sa\d+$|\.(db|sqlite\d?)$")


def walk(folder: str, depth: int) -> "Iterator[Tuple[str, os.stat_result]]":
    """Yield (path, lstat) of regular files below a folder, sorted, links not followed."""
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        try:
            if entry.is_dir(follow_symlinks=False):
                if depth > 1:
                    yield from walk(entry.path, depth - 1)
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, entry.stat(follow_symlinks=False)
        except OSError:
            continue


def log_stat(host: Host) -> str:
    """Return ``mode owner group size mtime path`` per file under /var/log."""
    lines = []  # type: List[str]
    for path, info in walk("/var/log", LOG_DEPTH):
        if len(lines) >= LOG_CAP:
            lines.append("truncated\n")
            break
        lines.append("%s %s %s %d %d %s\n" % (host.owner(info) + (info.st_size, int(info.st_mtime), printable(path))))
    return "".join(lines)


def first_line(path: str) -> str:
    """Return the first 40 characters of the first line of a log file, also of a compressed one."""
    head = read_raw(path, 4096)
    if path.endswith(".gz"):
        head = zlib.decompressobj(31).decompress(head, 4096)
    elif path.endswith(".xz"):
        import lzma

        head = lzma.LZMADecompressor().decompress(head)
    elif path.endswith(".bz2"):
        import bz2

        head = bz2.BZ2Decompressor().decompress(head)
    elif path.endswith(".zst"):
        return "(zst)"
    return mask(text_of(head.split(b"\n", 1)[0])[:40].replace("\t", " "))


def log_oldest(host: Host) -> str:
    """Return ``family <tab> oldest file <tab> its mtime <tab> first 40 characters of its first record``."""
    families = {}  # type: Dict[str, Tuple[float, str]]
    for path, info in walk("/var/log", LOG_DEPTH):
        if info.st_size and not NO_TEXT.search(path):
            family = ROTATED.sub("", path)
            families[family] = min(families.get(family, (info.st_mtime, path)), (info.st_mtime, path))
    lines = []
    for family, (mtime, path) in sorted(families.items())[:200]:
        try:
            record = first_line(path)
        except Exception as error:  # a log that is being rotated or damaged must not cost the others
            record = "(%s)" % type(error).__name__
        lines.append("%s\t%s\t%s\t%s\n" % (printable(family), printable(path), iso(mtime), record))
    return "".join(lines)


def journal(host: Host) -> str:
    """Return where the journal is kept, its size, and per file size, oldest and newest entry (from its header)."""
    lines, total = [], 0  # type: List[str], int
    for folder in ("/var/log/journal", "/run/log/journal"):
        for path, info in walk(folder, 2):
            if not path.endswith((".journal", ".journal~")):
                continue
            total += info.st_size
            try:
                header = read_raw(path, 200)
            except OSError:
                continue
            if header[:8] == b"LPKSHHRH" and len(header) == 200:
                oldest, newest = struct.unpack("<QQ", header[184:200])
                stamp = "%s %s" % (iso(oldest // 1000000), iso(newest // 1000000)) if oldest else "- -"
                lines.append("%d %s %s\n" % (info.st_size, stamp, printable(path)))
    persistent = "yes" if os.path.isdir("/var/log/journal") else "no"
    return "persistent %s\nusage %d\n%s" % (persistent, total, "".join(lines))


NFT_SYMBOL = re.compile(r" (?:nf_tables_newrule|nft_do_chain)$", re.M)


def nft_loaded() -> bool:
    """Return whether the kernel has nf_tables already; asking nft or iptables-nft otherwise would load it."""
    if re.search(r"^nf_tables ", read_text("/proc/modules"), re.M) or os.path.isdir("/sys/module/nf_tables"):
        return True
    builtin = read_text("/lib/modules/%s/modules.builtin" % os.uname().release)
    if builtin:
        return "/nf_tables.ko" in builtin
    # A container has no modules of its host's kernel, a minimal kernel has none at all.
    try:
        config = zlib.decompress(read_raw("/proc/config.gz", 1 << 20), 31)
        return re.search(rb"^CONFIG_NF_TABLES=y$", config, re.M) is not None
    except (OSError, zlib.error):
        return NFT_SYMBOL.search(read_text("/proc/kallsyms", 1 << 25)) is not None


def ask_nft(host: Host) -> str:
    """Return why nft must not be asked."""
    return "" if host.nft else "内核没有装入 nf_tables，没有规则；未执行以免装入模块"


def ask_xtables(host: Host, names: str, save: str) -> str:
    """Return why a program like iptables-save must not be asked; ``names`` lists the tables that the kernel has."""
    if read_text(names).strip():
        return ""
    if host.nft and not program("nft") and os.path.realpath(program(save)).endswith("-nft-multi"):
        return ""
    return "内核没有装入 iptables 表，没有规则；未执行以免装入模块"


def ask_iptables(host: Host) -> str:
    """Return why iptables-save must not be asked."""
    return ask_xtables(host, "/proc/net/ip_tables_names", "iptables-save")


def ask_ip6tables(host: Host) -> str:
    """Return why ip6tables-save must not be asked."""
    return ask_xtables(host, "/proc/net/ip6_tables_names", "ip6tables-save")


def ask_ufw(host: Host) -> str:
    """Return why ufw need not be asked."""
    if re.search(r"(?im)^[ \t]*ENABLED[ \t]*=[ \t]*yes", read_text("/etc/ufw/ufw.conf")):
        return ""
    return "/etc/ufw/ufw.conf 未启用"


def ask_firewalld(host: Host) -> str:
    """Return why firewall-cmd cannot be asked."""
    return "" if host.running("firewalld") else "firewalld 未运行；未执行"


def ask_chrony(host: Host) -> str:
    """Return why chronyc cannot be asked."""
    return "" if host.running("chronyd") else "chronyd 未运行；未执行"


def ask_ntp(host: Host) -> str:
    """Return why ntpq cannot be asked."""
    return "" if host.running("ntpd") else "ntpd 未运行；未执行"


def ask_timesyncd(host: Host) -> str:
    """Return why timedatectl must not be asked."""
    return "" if host.running("systemd-timesyn") else "systemd-timesyncd 未运行；未执行以免启动它"


def ask_kysec(host: Host) -> str:
    """Return why getstatus (of Kylin; SELinux has one of the same name) must not be asked."""
    if os.path.isdir("/sys/kernel/security/kysec") or os.path.isdir("/etc/kysec"):
        return ""
    return "没有 kysec"


def timesync_stamp(host: Host) -> str:
    """Return when systemd-timesyncd last set the clock, from the stamps that it leaves."""
    return stat_lines(host, ["/run/systemd/timesync/synchronized", "/var/lib/systemd/timesync/clock"])


def dpkg(host: Host) -> str:
    """Return ``package version arch status source source-version``, tab-separated."""
    raw = read_text("/var/lib/dpkg/status", 64 << 20)
    if not raw:
        raise NoAnswer(127, "没有 /var/lib/dpkg/status")
    lines = []
    for block in raw.split("\n\n"):
        field = dict(re.findall(r"^(Package|Status|Architecture|Source|Version): *(.*)$", block, re.M))
        if "Package" not in field or "Version" not in field:
            continue
        name, version = field["Package"], field["Version"]
        source, _, source_version = (field.get("Source") or name).partition(" ")
        row = [name, version, field.get("Architecture", ""), field.get("Status", ""), source]
        lines.append("\t".join([*row, source_version.strip("()") or version]) + "\n")
    return "".join(lines)


def _order(char: str) -> int:
    if char == "~":
        return -1
    return ord(char) if char.isalpha() else ord(char) + 256


def _digits_split(text: str) -> "List[Any]":
    parts = re.findall(r"(\D*)(\d*)", text)
    return [([_order(c) for c in head] + [0], int(tail or 0)) for head, tail in parts]


def deb_key(version: str) -> "Tuple[int, List[Any], List[Any]]":
    """Return a sort key that orders Debian versions as dpkg does (Debian policy, 5.6.12)."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "0")
    return int(epoch) if epoch.isdigit() else 0, _digits_split(upstream), _digits_split(revision)


def unpacked(path: str, limit: int = 64 << 20) -> bytes:
    """Return the content of a plain or compressed file, with the host's own unpackers.

    Raises:
        OSError: when it cannot be read or unpacked; an empty answer would look like "nothing outstanding".
    """
    ways = {".gz": ["gzip"], ".xz": ["xz"], ".lz4": ["lz4"], ".zst": ["zstd"], ".bz2": ["bzip2"]}
    suffix = os.path.splitext(path)[1]
    if suffix not in ways:
        return read_raw(path, limit)
    tools = [[*ways[suffix], "-dc"], ["/usr/lib/apt/apt-helper", "cat-file"]]
    for tool in tools:
        if program(tool[0]):
            child = Child([*tool, path], HELP_SECONDS, limit)
            content = child.wait()
            if child.rc == 0:
                return content
    raise OSError("不能解压 " + path)


def need_packages(host: Host, name: str, expected: bool) -> None:
    """Raise NoAnswer unless the list of installed packages was gathered: from half of it, all would look well."""
    if name not in host.outputs:
        raise NoAnswer(*((1, "没有得到 %s" % name) if expected else (127, "主机不用这种软件包")))


def security_lists() -> "List[str]":
    """Return the downloaded package lists of security suites; before Debian 11 they were called updates."""
    found = expand("/var/lib/apt/lists/*_Packages*")
    return sorted(path for path in found if re.search(r"security|_dists_[a-z]+_updates_", os.path.basename(path)))


def apt_security(host: Host) -> str:
    """Return ``package installed available origin`` for installed packages that a security list supersedes.

    Pins and holds are not applied: what is listed is outstanding, whatever the reason.
    """
    need_packages(host, "pkg.dpkg", os.path.exists("/var/lib/dpkg/status"))
    installed = {}  # type: Dict[Tuple[str, str], str]
    for line in host.outputs["pkg.dpkg"].splitlines():
        part = line.split("\t")
        if part[3].endswith(" installed"):
            installed[part[0], part[2]] = part[1]
    names = {key[0] for key in installed}
    newest = {}  # type: Dict[Tuple[str, str], Tuple[str, str]]
    for path in security_lists():
        origin = re.sub(r".*_dists_|_binary-.*", "", os.path.basename(path)).replace("_", "/")
        for block in unpacked(path).split(b"\n\n"):
            found = re.match(rb"(?:.*\n)*?Package: (\S+)\n", block)
            if not found or found.group(1).decode("ascii", "replace") not in names:
                continue
            field = dict(re.findall(r"^(Version|Architecture): *(\S+)$", text_of(block), re.M))
            key = (found.group(1).decode(), field.get("Architecture", ""))
            best = newest.get(key, (installed.get(key, ""), ""))[0]
            if best and deb_key(field.get("Version", "0")) > deb_key(best):
                newest[key] = (field["Version"], origin)
    return "".join(
        "%s\t%s\t%s\t%s\n" % (key[0], installed[key], version, origin)
        for key, (version, origin) in sorted(newest.items())
    )


def apt_lists(host: Host) -> str:
    """Return ``file <tab> mtime <tab> Date <tab> Suite <tab> Label`` of every downloaded Release file."""
    lines = []
    for path in expand("/var/lib/apt/lists/*Release"):
        head = read_text(path, 8192)
        field = dict(re.findall(r"^(Date|Suite|Label): *(.*)$", head, re.M))
        values = [field.get(name, "") for name in ("Date", "Suite", "Label")]
        lines.append("\t".join([os.path.basename(path), iso(os.stat(path).st_mtime), *values]) + "\n")
    return "".join(lines)


def rpm_key(version: str) -> "List[Any]":
    """Return a sort key that orders one part of an RPM version as rpmvercmp does (rpm-version(7))."""
    parts = re.findall(r"~|\^|\d+|[a-zA-Z]+", version)
    ranks = {"~": (-2, 0, ""), "^": (0, 0, "")}
    key = [ranks[p] if p in ranks else (2, int(p), "") if p.isdigit() else (1, 0, p) for p in parts]
    return [*key, (-1, 0, "")]


def evr_key(evr: str) -> "Tuple[int, List[Any], List[Any]]":
    """Return the sort key of ``epoch:version-release``."""
    epoch, _, rest = evr.rpartition(":")
    version, _, release = rest.partition("-")
    return int(epoch) if epoch.isdigit() else 0, rpm_key(version), rpm_key(release)


DNF_CACHES = ["/var/cache/dnf/*/repodata", "/var/cache/libdnf5/*/repodata", "/var/cache/yum/*/*/*", "/var/cache/yum/*"]


def updateinfo_files() -> "List[str]":
    """Return the downloaded advisory documents."""
    return sorted({path for folder in DNF_CACHES for path in expand(folder + "/*updateinfo.xml*")})


def dnf_lists(host: Host) -> str:
    """Return ``mtime <tab> repository folder <tab> updateinfo|none`` of every downloaded repository description."""
    advised = {os.path.dirname(path) for path in updateinfo_files()}
    lines = []
    for path in sorted({path for folder in DNF_CACHES for path in expand(folder + "/repomd.xml")}):
        folder = os.path.dirname(path)
        lines.append(
            "%s\t%s\t%s\n" % (iso(os.stat(path).st_mtime), folder, "updateinfo" if folder in advised else "none")
        )
    return "".join(lines)


def dnf_security(host: Host) -> str:
    """Return ``advisory severity date package installed available`` of outstanding security advisories."""
    need_packages(host, "pkg.rpm", bool(program("rpm")))
    installed = {}  # type: Dict[Tuple[str, str], str]
    for line in host.outputs["pkg.rpm"].splitlines():
        name, evr, arch = line.split("\t")[:3]
        if (name, arch) not in installed or evr_key(evr) > evr_key(installed[name, arch]):
            installed[name, arch] = evr
    lines = set()  # type: Set[str]
    for path in updateinfo_files():
        lines.update(advisories(unpacked(path), installed))
    return "".join(sorted(lines))


def advisories(xml: bytes, installed: "Dict[Tuple[str, str], str]") -> "Iterator[str]":
    """Yield one line per installed package that a security advisory of an updateinfo document supersedes."""
    from xml.etree import ElementTree

    for update in ElementTree.fromstring(xml).iter("update"):
        if update.get("type") != "security":
            continue
        issued = update.find("issued")
        date = (issued.get("date") or "")[:10] if issued is not None else ""
        told = [update.findtext("id") or "", update.findtext("severity") or "", date]
        for package in update.iter("package"):
            name = package.get("name") or ""
            have = installed.get((name, package.get("arch") or ""))
            new = "%s:%s-%s" % (package.get("epoch") or 0, package.get("version"), package.get("release"))
            if have and evr_key(new) > evr_key(have):
                yield "\t".join([*told, name, have, new]) + "\n"


def homes(host: Host) -> str:
    """Return ``home|dotfile account mode owner group path`` for accounts with a login shell, of local file systems."""
    lines = []
    remote = [m[1] for m in mounts() if re.match(r"nfs|cifs|smb|fuse|autofs|ceph|gluster|lustre|9p", m[2])]
    for line in read_text("/etc/passwd", 8 << 20).splitlines():
        field = line.split(":")
        if len(field) < 7 or re.search(r"nologin|false|/sync$|/shutdown$|/halt$", field[6]):
            continue
        home = field[5] or "/"
        if any(home == point or home.startswith(point.rstrip("/") + "/") for point in remote):
            lines.append("home %s remote - - %s\n" % (field[0], home))
            continue
        try:
            lines.append("home %s %s %s %s %s\n" % ((field[0],) + host.owner(os.stat(home)) + (printable(home),)))
        except OSError:
            lines.append("home %s missing - - %s\n" % (field[0], home))
            continue
        for name in names_in(home) if home != "/" else []:
            path = os.path.join(home, name)
            info = os.lstat(path)
            if name.startswith(".") and info.st_mode & 0o022 and not stat.S_ISLNK(info.st_mode):
                lines.append("dotfile %s %s %s %s %s\n" % ((field[0],) + host.owner(info) + (printable(path),)))
    return "".join(lines)


def mounts() -> "List[List[str]]":
    """Return the fields of /proc/mounts: device, mount point, type, options."""
    return [line.replace("\\040", " ").split(" ")[:4] for line in read_text("/proc/mounts").splitlines()]


GRUB_FILES = [
    "/boot/grub/grub.cfg",
    "/boot/grub/user.cfg",
    "/boot/grub2/grub.cfg",
    "/boot/grub2/user.cfg",
    "/boot/efi/EFI/*/grub.cfg",
    "/boot/efi/EFI/*/user.cfg",
    "/etc/grub.d/*",
]
GRUB_LINE = re.compile(r"(?m)^[^#\n]*(?:superusers|password(?:_pbkdf2)?[ \t]|GRUB2_PASSWORD|--unrestricted).*$")


def grub(host: Host) -> str:
    """Return ``boot_loader <name>`` and the lines about authentication, each as ``path:line``, passwords masked."""
    host.need_root()
    paths = [path for pattern in GRUB_FILES for path in expand(pattern)]
    loader = "grub" if any("grub.cfg" in path for path in paths) else "none"
    if loader == "none" and expand("/boot/loader/entries/*.conf") + expand("/boot/efi/loader/loader.conf"):
        loader = "systemd-boot"
    lines = ["boot_loader %s\n" % loader]
    for path in paths:
        for line in GRUB_LINE.findall(read_text(path))[:40]:
            line = re.sub(r"^([ \t]*password(?:_pbkdf2)?[ \t]+\S+[ \t]+).*", r"\1***", line.strip())
            line = re.sub(r"(GRUB2_PASSWORD=).*", r"\1***", line)
            lines.append("%s:%s\n" % (path, mask(line[:200])))
    return "".join(lines)


def selinux(host: Host) -> str:
    """Return what getenforce would say."""
    enforce = read_text("/sys/fs/selinux/enforce").strip()
    if enforce:
        return "Enforcing\n" if enforce == "1" else "Permissive\n"
    if os.path.exists("/etc/selinux/config") or program("getenforce"):
        return "Disabled\n"
    raise NoAnswer(127, "没有 SELinux")


def apparmor(host: Host) -> str:
    """Return whether AppArmor is enabled and the number of profiles by mode."""
    enabled = read_text("/sys/module/apparmor/parameters/enabled").strip()
    if not enabled:
        raise NoAnswer(127, "内核没有 AppArmor")
    counts = {}  # type: Dict[str, int]
    for mode in re.findall(r"\((\w+)\)$", read_text("/sys/kernel/security/apparmor/profiles"), re.M):
        counts[mode] = counts.get(mode, 0) + 1
    return "enabled %s\n%s" % (enabled, "".join("%s %d\n" % pair for pair in sorted(counts.items())))


def clamav(host: Host) -> str:
    """Return ``path build-time version signatures size mtime`` of each signature data base, tab-separated."""
    paths = expand("/var/lib/clamav/*.c*d")
    if not paths and not (program("clamscan") or program("clamd") or program("freshclam")):
        raise NoAnswer(127, "没有安装 ClamAV")
    lines = []
    for path in paths:
        info = os.stat(path)
        field = text_of(read_raw(path, 512)).split(":") + [""] * 4
        build = field[1] if field[0] == "ClamAV-VDB" else ""
        lines.append("\t".join([path, build, field[2], field[3], str(info.st_size), iso(info.st_mtime)]) + "\n")
    return "".join(lines)


def aide(host: Host) -> str:
    """Return the stat lines of the data bases of AIDE."""
    paths = sorted(expand("/var/lib/aide/aide.db*") + expand("/var/lib/aide/*.gz"))
    if not paths and not program("aide"):
        raise NoAnswer(127, "没有安装 AIDE")
    return stat_lines(host, sorted(set(paths)))


CRON_PLACES = [
    "/etc/crontab",
    "/etc/anacrontab",
    "/etc/cron.d",
    "/etc/cron.hourly",
    "/etc/cron.daily",
    "/etc/cron.weekly",
    "/etc/cron.monthly",
    "/etc/cron.allow",
    "/etc/cron.deny",
    "/etc/at.allow",
    "/etc/at.deny",
    "/var/spool/cron",
    "/var/spool/cron/crontabs",
]


def cron_files(host: Host) -> str:
    """Return the stat lines of the places of cron and at and of the files in them."""
    inside = [path for folder in CRON_PLACES for path in expand(folder + "/*") if os.path.isfile(path)]
    return stat_lines(host, CRON_PLACES + inside)


def cron_jobs(host: Host) -> str:
    """Return ``path:line`` for every line of a crontab that is no comment, secrets masked."""
    lines = []
    patterns = ["/etc/crontab", "/etc/anacrontab", "/etc/cron.d/*", "/var/spool/cron/*", "/var/spool/cron/crontabs/*"]
    for path in [path for pattern in patterns for path in expand(pattern)]:
        for line in read_text(path, 65536).splitlines():
            if line.strip() and not line.lstrip().startswith("#"):
                lines.append("%s:%s\n" % (printable(path), mask(line.strip())))
    for folder in ("hourly", "daily", "weekly", "monthly"):
        for name in names_in("/etc/cron." + folder):
            if not name.startswith("."):
                lines.append("/etc/cron.%s/%s:@%s\n" % (folder, printable(name), folder))
    return "".join(lines)


SECRET_PLACES = ["/etc", "/opt", "/srv", "/usr/local/etc", "/app", "/data", "/home"]
SECRET_NAME = re.compile(
    r"\.(conf|cnf|cfg|ini|properties|ya?ml|json|xml|env|sh|php|toml)$|/\.(env|my\.cnf|pgpass|netrc)$"
)
SECRET_SKIP = re.compile(
    r"^/etc/nsswitch|^/etc/(pam\.d|ssl|alternatives|fonts|security|selinux|apparmor\.d|udev|systemd|dbus-1)/"
)
SECRET_LINE = re.compile(
    rb"(?i)(?:passw(?:or)?d|secret|api_?key|token)[\"']?[ \t]*[=:][ \t]*[\"']?([^\s\"'<>${}%#]{4,})"
)
SECRET_FILES, SECRET_SIZE, SECRET_LINES = 3000, 128 << 10, 300


def plaintext_secrets(host: Host) -> str:
    """Return ``path:line number`` of values that look like passwords in files that everybody may read; no values."""
    lines, seen = [], 0  # type: List[str], int
    for place in SECRET_PLACES:
        for path, info in walk(place, 5):
            if not info.st_mode & 0o004 or not SECRET_NAME.search(path) or SECRET_SKIP.match(path):
                continue
            seen += 1
            if seen > SECRET_FILES or len(lines) >= SECRET_LINES:
                return "".join(lines) + "truncated\n"
            if info.st_size > SECRET_SIZE:
                continue
            try:
                data = read_raw(path, SECRET_SIZE)
            except OSError:
                continue
            for found in SECRET_LINE.finditer(data):
                start = data[data.rfind(b"\n", 0, found.start()) + 1 : found.start()].lstrip()
                value = text_of(found.group(1)).rstrip(";,)")
                if start[:1] in b"#;*" and start or start[:2] in (b"//", b"--") or _HARMLESS.match(value):
                    continue
                lines.append("%s:%d\n" % (printable(path), data.count(b"\n", 0, found.start()) + 1))
    return "".join(lines)


def exports(host: Host) -> str:
    """Return the exported NFS folders with their effective options."""
    if not os.path.exists("/var/lib/nfs/etab"):
        raise NoAnswer(127, "没有 NFS 服务端")
    return read_text("/var/lib/nfs/etab")


def versions(host: Host) -> str:
    """Return what ``ssh -V`` (from sshd.version) and ``openssl version`` say, one line each."""
    out = text_of(Child(["openssl", "version"], HELP_SECONDS, 4096).wait()) if program("openssl") else ""
    return host.outputs.get("sshd.version", "") + out


def user_id(host: Host) -> str:
    """Return the effective user id."""
    return "%d\n" % host.uid


def _content(path: str) -> "Callable[[Host], str]":
    """Return a reader of one file."""
    return lambda host: read_text(path)


# --------------------------------------------------------------------------------------------------------------------
# The pass over the file system: one find over every local disk file system
# --------------------------------------------------------------------------------------------------------------------
SCAN_CAP = 400
SCAN_TYPES = re.compile(r"ext[234]|xfs|btrfs|overlay|f2fs|jfs|reiserfs|zfs")
SCAN_PRUNE = ["/proc", "/sys", "/var/lib/docker", "/var/lib/containers", "/var/lib/containerd", "/var/lib/machines"]
TRUST_NAMES = (".rhosts", ".shosts", "hosts.equiv", "shosts.equiv")
EXEC_DIRS = ("/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/")


def scan_roots() -> "List[str]":
    """Return / and the mount points of the other local disk file systems, one per device."""
    roots, devices = ["/"], {os.stat("/").st_dev}
    for _, point, kind, _ in (m for m in mounts() if len(m) == 4):
        if not SCAN_TYPES.match(kind) or any(point.startswith(p) for p in SCAN_PRUNE) or not os.path.isdir(point):
            continue
        device = os.stat(point).st_dev
        if device not in devices:
            devices.add(device)
            roots.append(point)
    return roots


def scan_argv(host: Host) -> "List[str]":
    """Return the find command: everything that one kind could want, printed once, NUL-terminated."""
    prune, names, uids, gids = [], [], [], []  # type: List[str], List[str], List[str], List[str]
    for path in SCAN_PRUNE:
        prune += ["-o", "-path", path]
    for name in TRUST_NAMES:
        names += ["-o", "-name", name]
    for found, word, ids in ((host.users, "-uid", uids), (host.groups, "-gid", gids)):
        for number in sorted(found):
            ids += ["-o", word, str(number)]
    wide = ["-perm", "/022", "-regex", "/etc/.*\\|/usr/s?bin/.*\\|/usr/local/s?bin/.*"]
    file_ = ["-type", "f", "(", "-perm", "/6002", "-o", *wide, ")"]
    folder = ["-type", "d", "-perm", "-0002", "!", "-perm", "-1000"]
    unowned = ["!", "(", *uids[1:], ")", "-o", "!", "(", *gids[1:], ")"]
    tests = ["(", *file_, "-o", *folder, "-o", *unowned, *names, ")"]
    tell = ["-printf", "%y %m %U %G %p\\0"]
    return ["find", *scan_roots(), "-xdev", "(", *prune[1:], ")", "-prune", "-o", "!", "-type", "l", *tests, *tell]


def scan_kinds(kind: str, mode: int, known: bool, path: str) -> "List[str]":
    """Return the kinds (docs/design.md, ``fs.scan``) that one find record belongs to."""
    plain = kind == "f"
    tests = (
        ("suid", plain and mode & 0o4000),
        ("sgid", plain and mode & 0o2000),
        ("ww_file", plain and mode & 0o002),
        ("ww_dir", kind == "d" and mode & 0o1002 == 0o002),
        ("unowned", not known),
        ("rhosts", os.path.basename(path) in TRUST_NAMES),
        ("etc_wide", plain and mode & 0o022 and path.startswith("/etc/")),
        ("exec_wide", plain and mode & 0o022 and path.startswith(EXEC_DIRS)),
    )
    return [name for name, wanted in tests if wanted]


def scan_lines(raw: bytes, host: Host) -> str:
    """Return ``kind mode owner group path`` lines from the records of find, capped per kind."""
    records = [os.fsdecode(record).split(" ", 4) for record in raw.split(b"\0")[:-1]]
    answered = resolve(host.users, "passwd", {int(record[2]) for record in records})
    answered = resolve(host.groups, "group", {int(record[3]) for record in records}) and answered
    counts, lines = {}, []  # type: Dict[str, int], List[str]
    for kind, octal, user, team, path in records:
        mode, uid, gid = int(octal, 8), int(user), int(team)
        known = not answered or (uid in host.users and gid in host.groups)
        for name in scan_kinds(kind, mode, known, path):
            counts[name] = counts.get(name, 0) + 1
            if counts[name] <= SCAN_CAP:
                owner, group = host.users.get(uid, user), host.groups.get(gid, team)
                lines.append("%s %04o %s %s %s\n" % (name, mode, owner, group, printable(path)))
    lines += ["truncated %s %d\n" % pair for pair in sorted(counts.items()) if pair[1] > SCAN_CAP]
    if not answered:
        lines.append("truncated unowned 0\n")
    return "".join(lines)


def resolve(known: "Dict[int, str]", table: str, wanted: "Set[int]") -> bool:
    """Ask the name services (LDAP, sssd) once for ids that the local files do not know.

    Returns:
        whether they answered; if not, an id that stays unknown may well belong to somebody.
    """
    unknown = [str(number) for number in sorted(wanted - set(known))[:200]]
    if not unknown or not program("getent"):
        return True
    child = Child(["getent", table, *unknown], HELP_SECONDS, 1 << 16)
    child.wait()
    for line in text_of(bytes(child.out)).splitlines():
        field = line.split(":")
        if len(field) > 2 and field[2].isdigit():
            known[int(field[2])] = field[0]
    return child.rc != 124


# --------------------------------------------------------------------------------------------------------------------
# The table of items
# --------------------------------------------------------------------------------------------------------------------
class Item:
    """One row of the table: an id, what a person would type, and how it is answered.

    Args:
        name: the item's id.
        cmd: shown in the evidence; also the command itself unless ``read`` or ``argv`` is given.
        read: answers without starting a program.
        argv: the command, when it differs from ``cmd`` split at blanks.
        root: needs root; not even tried without it.
        ask: returns why the command must not be run now, or "".
        unasked: return code to show when ``ask`` refused: 0 where that is the answer (no rules), else 1.
        mode: how the output is masked.
        size: multiple of the size limit.
        nobody: run as nobody, for programs that would otherwise open a data base for writing.
        parse: turns raw output into text.
        share: part of the budget after which the command is ended.
    """

    def __init__(
        self,
        name: str,
        cmd: str,
        read: "Optional[Callable[[Host], str]]" = None,
        argv: "Optional[Callable[[Host], List[str]]]" = None,
        root: bool = False,
        ask: "Optional[Callable[[Host], str]]" = None,
        unasked: int = 1,
        mode: int = PLAIN,
        size: int = 1,
        nobody: bool = False,
        parse: "Optional[Callable[[bytes, Host], str]]" = None,
        share: float = 0.8,
    ) -> None:
        self.name, self.cmd, self.read, self.argv, self.root = name, cmd, read, argv, root
        self.ask, self.unasked, self.mode, self.size = ask, unasked, mode, size
        self.nobody, self.parse, self.share = nobody, parse, share


SHELL_SCRIPT = (
    "unset HISTFILE; "
    'if readonly -p | grep -q " TMOUT"; then r=yes; else r=no; fi; '
    'for n in TMOUT PATH HISTSIZE HISTFILESIZE HISTTIMEFORMAT HISTCONTROL PROMPT_COMMAND; do eval "v=\\${$n-}"; '
    'printf "%s=%s\\n" "$n" "$v"; done; '
    'printf "TMOUT_READONLY=%s\\nUMASK=%s\\nCORE_HARD=%s\\n" "$r" "$(umask)" "$(ulimit -Hc)"'
)
# The skeleton home stands for a freshly made account; root's own dot files could start agents or write files.
SHELL_ENV = ["env", "-i", "HOME=/etc/skel", "USER=root", "LOGNAME=root", "SHELL=/bin/bash", "TERM=dumb", "PATH=" + PATH]
SHOWN_UNITS = (
    "auditd rsyslog syslog-ng systemd-journald chronyd chrony ntpd ntp ntpsec systemd-timesyncd sshd ssh cron crond"
    " firewalld nftables ufw rescue emergency ctrl-alt-del.target"
)
SHOWN = "Id,LoadState,ActiveState,SubState,UnitFileState,FragmentPath,RefuseManualStop,Restart,ExecStart"
RPM_FORMAT = "%{NAME}\\t%|EPOCH?{%{EPOCH}}:{0}|:%{VERSION}-%{RELEASE}\\t%{ARCH}\\t%{SOURCERPM}\\t%{INSTALLTIME}\\n"


def shell_argv(flags: str) -> "Callable[[Host], List[str]]":
    """Return the command that asks bash, started with these flags, for its effective settings."""
    return lambda host: [*SHELL_ENV, "bash", flags, SHELL_SCRIPT] if program("bash") else ["bash"]


EXPLAINED = [  # (what a program says, what it means for the reader of the record)
    (
        "Missing privilege separation directory",
        "sshd 的运行目录不存在（sshd 已停止或由 socket 启动），sshd -T 给不出生效配置；采集不在目标上创建目录",
    ),
]

# A probe of another technology: sh text that prints its items as linux.sh's stream has them (``T slot text``).
PROBE = os.environ.pop("PANSHI_PROBE", "")
MARK = os.urandom(16).hex()
PROBED = Item(
    "mysql.servers",
    "ps -C mysqld,mariadbd",
    argv=lambda host: ["sh", "-c", "T=" + MARK + "\n" + PROBE],
    size=16,
)

SCAN = Item(
    "fs.scan",
    "find / -xdev ...",
    argv=scan_argv,
    size=32,
    parse=scan_lines,
    share=1.0,
)

READ_FIRST = [
    Item("host.container", "systemd-detect-virt --container", container),
    Item("host.uname", "uname -srm", uname),
    Item("host.uptime", "cat /proc/uptime", _content("/proc/uptime")),
    Item("host.ids", "id -u", user_id),
    Item("host.facts_stamp", "ls -l /etc/ansible/facts.d", facts_stamp),
    Item("account.shadow", "cut -d: -f1,3- /etc/shadow", shadow),
    Item("account.gshadow_passwords", "awk -F: '$2 !~ /^[!*]*$/ {print $1}' /etc/gshadow", gshadow),
    Item("pam.modules", "ls /lib*/security /usr/lib*/security", pam_modules),
    Item("systemd.default", "systemctl get-default", default_target),
    Item("proc.list", "ps -eo user,ruid,euid,pid,ppid,comm", process_list),
    Item("net.listen", "ss -tulnpH (read from /proc/net)", listening),
    Item("kernel.sysctl", "sysctl -a (read from /proc/sys)", sysctl),
    Item("kernel.modules", "lsmod", modules),
    Item("kernel.ima", "cat /sys/kernel/security/ima/runtime_measurements_count", ima),
    Item("kernel.tpm", "ls /dev/tpm* /dev/tcm*", tpm),
    Item("kernel.secureboot", "mokutil --sb-state", secure_boot),
    Item("time.timesync_stamp", "ls -l /run/systemd/timesync /var/lib/systemd/timesync", timesync_stamp),
    Item("log.stat", "find /var/log -maxdepth 3 -type f -ls", log_stat),
    Item("log.oldest", "head -c 40 (oldest file of every log)", log_oldest),
    Item("log.journal", "journalctl --disk-usage; journalctl --header", journal),
    Item("fs.mounts", "cat /proc/mounts", _content("/proc/mounts"), mode=FULL),
    Item("fs.homes", "ls -ld <homes> <homes>/.*", homes),
    Item("grub.password", "grep -E 'superusers|password|GRUB2_PASSWORD' <grub files>", grub),
    Item("mac.selinux", "getenforce", selinux),
    Item("mac.apparmor", "aa-status", apparmor),
    Item("av.clamav", "sigtool --info /var/lib/clamav/*.c[vl]d", clamav),
    Item("ids.aide", "ls -l /var/lib/aide", aide),
    Item("cron.files", "ls -l /etc/cron* /var/spool/cron", cron_files),
    Item("cron.jobs", "cat /etc/crontab /etc/cron.d/* /var/spool/cron/*", cron_jobs),
    Item("net.exports", "cat /var/lib/nfs/etab", exports),
    Item("pkg.dpkg", "dpkg-query -W (read from /var/lib/dpkg/status)", dpkg, size=4),
    Item("pkg.apt_lists", "ls -l /var/lib/apt/lists", apt_lists),
    Item("pkg.dnf_lists", "ls -l /var/cache/dnf", dnf_lists),
]

COMMANDS = [  # what takes longest comes first
    Item("systemd.show", "systemctl show -p %s %s" % (SHOWN, SHOWN_UNITS), mode=FULL),
    Item("systemd.unit_files", "systemctl list-unit-files --full --no-legend"),
    Item(
        "pkg.rpm",
        "rpm -qa --qf " + RPM_FORMAT,
        argv=lambda host: ["rpm", "-qa", "--qf", RPM_FORMAT],
        size=4,
        nobody=True,
    ),
    Item("systemd.timers", "systemctl list-timers --all --full --no-legend"),
    Item("systemd.units", "systemctl list-units --all --full --plain --no-legend"),
    Item("sshd.effective", "sshd -T -C user=root,host=localhost,addr=127.0.0.1", root=True),
    Item("sshd.version", "ssh -V"),
    Item("shell.login", "bash -lc 'echo $TMOUT $PATH ...; umask; ulimit -Hc'", argv=shell_argv("-lc"), mode=FULL),
    Item("shell.interactive", "bash -ic 'echo $TMOUT $PATH ...; umask; ulimit -Hc'", argv=shell_argv("-ic"), mode=FULL),
    Item("account.useradd_defaults", "useradd -D"),
    Item("account.lastlog", "lastlog"),
    Item("account.logged_in", "who -u"),
    Item("net.addresses", "ip -o addr"),
    Item("net.routes", "ip route"),
    Item("kernel.modprobe", "modprobe -n -v usb-storage"),
    Item("audit.rules", "auditctl -l", root=True),
    Item("audit.status", "auditctl -s", root=True),
    Item("time.chrony_tracking", "chronyc -n tracking", ask=ask_chrony),
    Item("time.chrony_sources", "chronyc -n sources", ask=ask_chrony),
    Item("time.ntpq", "ntpq -pn", ask=ask_ntp),
    Item("time.timedatectl", "timedatectl show-timesync --all", ask=ask_timesyncd),
    Item("fw.nft", "nft list ruleset", root=True, ask=ask_nft, unasked=0),
    Item("fw.iptables", "iptables-save", root=True, ask=ask_iptables, unasked=0),
    Item("fw.ip6tables", "ip6tables-save", root=True, ask=ask_ip6tables, unasked=0),
    Item("fw.firewalld", "firewall-cmd --list-all-zones", root=True, ask=ask_firewalld, unasked=252),
    Item("fw.ufw", "ufw status verbose", root=True, ask=ask_ufw),
    Item("fs.usage", "df -PTl"),
    Item("fs.block", "lsblk -nro NAME,TYPE,FSTYPE,MOUNTPOINT"),
    Item("mac.kysec", "getstatus", ask=ask_kysec, unasked=127),
]

READ_LAST = [
    Item("shell.root_path_dirs", "ls -ld ${PATH//:/ }", root_path_dirs),
    Item("pkg.versions", "ssh -V; openssl version", versions),
    Item("pkg.apt_security", "apt list --upgradable (read from /var/lib/apt/lists/*security*)", apt_security),
    Item("pkg.dnf_security", "dnf updateinfo list --security (read from the cache)", dnf_security, size=4),
    Item("secret.plaintext", "grep -rnE 'passw(or)?d|secret|token' <readable configuration>", plaintext_secrets),
]

SKIP_TEXT = -1  # stat only: the content is secret or useless
HASH_FIELD = -2  # passwd and group: a hash in the second field goes
FILES = [
    (
        SKIP_TEXT,
        "/etc/shadow /etc/gshadow /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/security/opasswd"
        " /etc/ssh/ssh_host_*_key /etc/chrony.keys /etc/chrony/*.keys /etc/localtime /boot/grub/grub.cfg"
        " /boot/grub2/grub.cfg /boot/grub2/user.cfg /var/log /var/log/audit /tmp /var/tmp",
    ),
    (HASH_FIELD, "/etc/passwd /etc/group"),
    (
        EQUALS,
        "/etc/login.defs /etc/pam.conf /etc/pam.d/* /usr/lib/pam.d/* /etc/security/faillock.conf"
        " /etc/security/pwquality.conf /etc/security/pwquality.conf.d/* /etc/security/pwhistory.conf"
        " /etc/security/limits.conf /etc/security/limits.d/* /etc/security/access.conf /etc/security/time.conf"
        " /etc/ssh/sshd_config /etc/ssh/sshd_config.d/* /etc/sudoers /etc/sudoers.d/* /etc/nsswitch.conf"
        " /etc/audit/* /etc/audit/rules.d/* /etc/audit/plugins.d/* /etc/audisp/* /etc/audisp/plugins.d/*",
    ),
    (
        FULL,
        "/etc/*-release /etc/debian_version /etc/hostname /etc/hosts /etc/resolv.conf /etc/fstab /etc/default/grub"
        " /etc/profile /etc/profile.d/* /etc/environment /etc/bashrc /etc/bash.bashrc /etc/csh.* /etc/zsh/*"
        " /etc/skel/.* /root/.bash_profile /root/.bash_login /root/.profile /root/.bashrc /root/.cshrc /root/.tcshrc"
        " /etc/default/useradd /etc/adduser.conf /etc/securetty /etc/xinetd.conf /etc/xinetd.d/* /etc/inetd.conf",
    ),
    (
        FULL,
        "/etc/rsyslog.conf /etc/rsyslog.d/* /etc/syslog-ng/*.conf /etc/syslog-ng/conf.d/* /etc/logrotate.conf"
        " /etc/logrotate.d/* /etc/chrony.conf /etc/chrony/* /etc/chrony/conf.d/* /etc/chrony/sources.d/*"
        " /etc/chrony.d/* /etc/ntp.conf /etc/ntpsec/ntp.conf /etc/ntpsec/ntp.d/*",
    ),
    (
        FULL,
        " ".join(
            "%s/systemd/%s.conf %s/systemd/%s.conf.d/*" % (folder, name, folder, name)
            for folder in ("/etc", "/usr/lib", "/run")
            for name in ("journald", "coredump", "logind", "timesyncd", "system")
        ),
    ),
    (
        FULL,
        "/etc/hosts.allow /etc/hosts.deny /etc/hosts.equiv /etc/ssh/shosts.equiv /etc/issue /etc/issue.net /etc/motd"
        " /etc/crontab /etc/anacrontab /etc/cron.allow /etc/cron.deny /etc/at.allow /etc/at.deny"
        " /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/apt/apt.conf /etc/apt/apt.conf.d/* /etc/yum.conf"
        " /etc/dnf/dnf.conf /etc/dnf/automatic.conf /etc/yum.repos.d/*",
    ),
    (
        FULL,
        "/etc/vsftpd.conf /etc/vsftpd/*.conf /etc/proftpd/*.conf /etc/proftpd/conf.d/* /etc/pure-ftpd/conf/*"
        " /etc/samba/smb.conf /etc/exports /etc/exports.d/* /etc/lightdm/*.conf /etc/lightdm/lightdm.conf.d/*"
        " /usr/share/lightdm/lightdm.conf.d/* /etc/gdm*/*.conf /etc/dconf/profile/* /etc/dconf/db/*.d/*"
        " /etc/dconf/db/*.d/locks/* /etc/systemd/system/getty@*.d/* /etc/systemd/system/serial-getty@*.d/*"
        " /etc/systemd/system/console-getty*.d/*",
    ),
    (
        FULL,
        " ".join(
            "%s/systemd/system/%s.service %s/systemd/system/%s.service.d/*" % (folder, name, folder, name)
            for folder in ("/etc", "/usr/lib", "/lib")
            for name in ("rescue", "emergency")
        )
        + " /etc/systemd/system/ctrl-alt-del.target",
    ),
    (
        FULL,
        "/etc/modprobe.d/* /usr/lib/modprobe.d/* /run/modprobe.d/* /etc/sysctl.conf /etc/sysctl.d/* /proc/cmdline"
        " /etc/selinux/config /etc/default/ufw /etc/ufw/ufw.conf /etc/firewalld/firewalld.conf /etc/nftables.conf"
        " /etc/sysconfig/nftables.conf /etc/sysconfig/iptables /etc/aide.conf /etc/aide/* /etc/aide/aide.conf.d/*"
        " /etc/default/aide /etc/tmpfiles.d/* /usr/lib/tmpfiles.d/tmp.conf /usr/lib/tmpfiles.d/systemd-tmp.conf"
        " /run/tmpfiles.d/* /etc/tmpreaper.conf /etc/fail2ban/jail.conf /etc/fail2ban/jail.local"
        " /etc/fail2ban/jail.d/* /etc/clamav/*.conf /etc/clamd.d/*.conf /etc/freshclam.conf /etc/crypto-policies/config"
        " /etc/crypto-policies/back-ends/opensshserver.config /etc/sysconfig/sshd /etc/default/ssh",
    ),
]


# --------------------------------------------------------------------------------------------------------------------
# Running
# --------------------------------------------------------------------------------------------------------------------
def become_nobody() -> None:
    """Give up root in a child, before it executes its program."""
    os.setgroups([])
    os.setgid(NOBODY)
    os.setuid(NOBODY)


class Child:
    """A command in its own process group, with a time and a size limit.

    Args:
        argv: program and arguments.
        seconds: time limit.
        limit: output limit in bytes; the program is ended when it says more.
        nobody: whether to give up root first.

    Raises:
        OSError: when the program cannot be started.
    """

    living = set()  # type: Set[Child]
    streams = selectors.DefaultSelector()  # of all children: waiting for one serves the others too
    held = None  # type: Optional[List[int]]  # signals that came while a child was being made: it must not get lost

    def __init__(self, argv: "List[str]", seconds: float, limit: int, nobody: bool = False) -> None:
        self.started = time.monotonic()
        self.until = self.started + seconds
        self.limit = limit
        self.rc = None  # type: Optional[int]
        self.full = False
        self.out = bytearray()
        self.err = bytearray()
        Child.held = []
        try:
            self.process = subprocess.Popen(
                [program(argv[0]) or argv[0], *argv[1:]],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=ENV,
                cwd="/",
                start_new_session=True,
                preexec_fn=become_nobody if nobody and os.geteuid() == 0 else None,
            )
            assert self.process.stdout is not None and self.process.stderr is not None
            self.pipes = {self.process.stdout: self.out, self.process.stderr: self.err}
            for pipe in self.pipes:
                self.streams.register(pipe, selectors.EVENT_READ, self)
            self.living.add(self)
        finally:
            came, Child.held = Child.held, None
            for number in came:
                os.kill(os.getpid(), number)

    @classmethod
    def pump(cls, seconds: float) -> bool:
        """Take what the children say, waiting at most ``seconds``; return whether anything came."""
        events = cls.streams.select(seconds)
        for key, _ in events:
            key.data._take(key.fileobj)
        return bool(events)

    def _take(self, pipe: "IO[bytes]") -> None:
        chunk = os.read(pipe.fileno(), 1 << 16)
        said = self.pipes[pipe]
        said += chunk
        if not chunk:
            self._close(pipe)
        elif len(said) > self.limit:
            self.full = True

    def _drain(self) -> None:
        """Take what was said between the last look and the end: on a busy host that can be everything."""
        for pipe in list(self.pipes):
            os.set_blocking(pipe.fileno(), False)
            try:
                while pipe in self.pipes and not self.full:
                    self._take(pipe)
            except BlockingIOError:
                continue

    def _close(self, pipe: "IO[bytes]") -> None:
        self.streams.unregister(pipe)
        del self.pipes[pipe]
        pipe.close()

    def ended(self, quiet: bool) -> bool:
        """Return whether the command has ended; ``rc`` is then set and its process group is gone.

        Args:
            quiet: nothing came lately: a program that left its pipes to a background process is not waited for.
        """
        now = time.monotonic()
        if not self.pipes and now < self.until:
            try:
                self.process.wait(min(0.02, self.until - now))
            except subprocess.TimeoutExpired:
                pass
        code = self.process.poll()
        if self.full:
            self.rc = 0
        elif code is not None and (quiet or not self.pipes):
            self._drain()
            self.rc = code if code >= 0 else 128 - code
        elif now >= self.until:
            self.rc = 124
        if self.rc is not None:
            self.kill()
        return self.rc is not None

    def kill(self) -> None:
        """Kill the whole process group and let go of it; a process that cannot die is not waited for."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except OSError:
            pass
        for pipe in list(self.pipes):
            self._close(pipe)
        try:
            self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            pass
        self.living.discard(self)

    def wait(self) -> bytes:
        """Return the whole standard output; b"" when the command failed or its time was up."""
        while not self.ended(not self.pump(0.05)):
            pass
        return bytes(self.out) if self.rc == 0 else b""


def options(argv: "List[str]") -> "Dict[str, float]":
    """Return the limits: ``--budget=`` in seconds, ``--item-limit=`` and ``--total-limit=`` in bytes, or PANSHI_*."""
    chosen = {"budget": 25.0, "item-limit": 256.0 * 1024, "total-limit": 4096.0 * 1024}
    for name in chosen:
        told = os.environ.get("PANSHI_" + name.upper().replace("-", "_"))
        if told:
            chosen[name] = float(told)
    for argument in argv:
        name, _, value = argument.lstrip("-").partition("=")
        if name not in chosen:
            raise SystemExit("linux.py: unknown option " + argument)
        chosen[name] = float(value)
    return chosen


class Collector:
    """Answers the table's items within the limits and keeps what was answered and what was not."""

    def __init__(self, limits: "Dict[str, float]") -> None:
        self.began = time.monotonic()
        self.budget = limits["budget"]
        self.item_limit = int(limits["item-limit"])
        self.space = int(limits["total-limit"])
        self.host = Host()
        self.items = {}  # type: Dict[str, Dict[str, Any]]
        self.skipped = []  # type: List[Dict[str, str]]
        self.globs = []  # type: List[str]
        self.open = []  # type: List[Tuple[Item, Child]]

    def left(self, share: float = 1.0) -> float:
        """Return the seconds left of the whole budget, or of its first part."""
        return self.began + self.budget * share - time.monotonic()

    def skip(self, name: str, why: str) -> None:
        """Note that an item could not be gathered."""
        self.skipped.append({"id": name, "why": why})

    def keep(
        self,
        name: str,
        cmd: str,
        rc: int,
        out: str,
        err: str,
        began: float,
        size: int = 1,
        full: bool = False,
        info: "Optional[Dict[str, Any]]" = None,
    ) -> None:
        """Add one answered item, cut to the size limit, or skip it when the document is full."""
        raw = out.encode("utf-8", "surrogatepass")
        limit = self.item_limit * size
        if len(raw) > limit:
            raw, full = raw[:limit], True
            out = raw[: raw.rfind(b"\n") + 1 or limit].decode("utf-8", "ignore")
        self.space -= len(raw) + 200
        if self.space < 0:
            return self.skip(name, "总量超出上限")
        at = time.time() - (time.monotonic() - began)
        item = {"cmd": cmd, "rc": rc, "out": out, "at": iso(at), "ms": int((time.monotonic() - began) * 1000)}
        if err:
            item["err"] = err[:2000]
        if full:
            item["truncated"] = True
        if info:
            item["stat"] = info
        self.items[name] = item

    def read(self, item: Item) -> None:
        """Answer an item that needs no program of its own."""
        assert item.read is not None
        began = time.monotonic()
        seconds = self.left() / 2
        if seconds <= 0:
            return self.skip(item.name, "时间用尽")
        rc, out, err = 0, "", ""
        signal.setitimer(signal.ITIMER_REAL, seconds)
        try:
            out = item.read(self.host)
            self.host.outputs[item.name] = out
        except NoAnswer as reason:
            rc, err = reason.rc, str(reason)
        except OutOfTime:
            return self.skip(item.name, "超时（%.0f 秒）" % seconds)
        except Exception as error:  # one odd host file must never cost the other items
            rc, err = 1, "%s: %s" % (type(error).__name__, error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        self.keep(item.name, item.cmd, rc, mask(out, item.mode) if item.mode else out, err, began, item.size)

    def start(self, item: Item) -> None:
        """Start an item's command, or answer at once why it is not run."""
        now = time.monotonic()
        seconds = self.left(item.share)
        if seconds <= 0:
            return self.skip(item.name, "时间用尽")
        argv = item.argv(self.host) if item.argv else item.cmd.split()
        if not program(argv[0]):
            return self.keep(item.name, item.cmd, 127, "", "%s: 没有这个程序" % argv[0], now)
        if item.root and self.host.uid != 0:
            return self.keep(item.name, item.cmd, 1, "", NEED_ROOT, now)
        why = item.ask(self.host) if item.ask else ""
        if why:
            return self.keep(item.name, item.cmd, item.unasked, "", why, now)
        try:
            child = Child(argv, seconds, self.item_limit * item.size, item.nobody)
        except OSError as error:
            return self.keep(item.name, item.cmd, 126, "", str(error), now)
        self.open.append((item, child))

    def finish(self, item: Item, child: Child) -> None:
        """Keep what an ended command said."""
        if item is PROBED:
            return self.take_over(child)
        raw = bytes(child.out)
        try:
            out = item.parse(raw, self.host) if item.parse else text_of(raw)
        except Exception as error:
            return self.skip(item.name, "%s: %s" % (type(error).__name__, error))
        out, err = mask(out, item.mode), mask(text_of(bytes(child.err)))
        err = "".join(why + "\n" for said, why in EXPLAINED if said in err) + err
        if item.name == "sshd.version":
            out, err = out + err, ""  # ssh -V speaks on stderr
        assert child.rc is not None
        if child.rc == 0:
            self.host.outputs[item.name] = out
        elif child.rc == 124:
            self.skip(item.name, "超时（%.0f 秒）" % (time.monotonic() - child.started))
        self.keep(item.name, item.cmd, child.rc, out, err, child.started, item.size, child.full)

    def take_over(self, child: Child) -> None:
        """Keep the items of a probe; the one that it did not come to the end of is left out."""
        name, cmd, out = "", "", ""
        for part in ("\n" + text_of(bytes(child.out))).split("\n" + MARK + " ")[1:]:
            slot, text = part[:1], part[2:]
            if slot == "I":
                name = text
            elif slot == "M":
                cmd = text.split("\t", 2)[2]
            elif slot == "B":
                out = text and text + "\n"
            elif slot == "X":
                rc, _, err = text[len(MARK + " rc ") :].partition("\n")
                self.keep(name, cmd, int(rc), mask(out), mask(err.strip()), child.started, PROBED.size)
        if PROBED.name not in self.items:
            self.skip(
                PROBED.name, "超时（%.0f 秒）" % (time.monotonic() - child.started) if child.rc == 124 else "没有读完"
            )

    def lane_free(self) -> bool:
        """Return whether to start the next command. One that takes long keeps no lane: a hang costs only its answer."""
        now = time.monotonic()
        return sum(now - child.started < PATIENCE for _, child in self.open) < LANES

    def scan_left(self) -> bool:
        """Return whether no command but the scan is open."""
        return all(item is SCAN for item, _ in self.open)

    def all_done(self) -> bool:
        """Return whether no command is open."""
        return not self.open

    def poll(self, enough: "Callable[[], bool]") -> None:
        """Advance the open commands until it is enough."""
        while not enough():
            quiet = not Child.pump(0.05)
            for pair in list(self.open):
                if pair[1].ended(quiet):
                    self.open.remove(pair)
                    self.finish(*pair)

    def files(self) -> None:
        """Read every file of the table; a path that two patterns name is read under the first."""
        for mode, patterns in FILES:
            for pattern in patterns.split():
                self.globs.append(pattern)
                for path in expand(pattern):
                    if "file:" + path not in self.items:
                        if self.left() <= 0:
                            self.skip("file:" + path, "时间用尽")
                        else:
                            self.file(path, mode)

    def file(self, path: str, mode: int) -> None:
        """Read one file: its stat and, unless the content is secret, its masked text."""
        began = time.monotonic()
        rc, out, err, full = 0, "", "", False
        info = os.lstat(path)
        told = {"type": "file"}  # type: Dict[str, Any]
        signal.setitimer(signal.ITIMER_REAL, self.left() / 2)
        try:
            if stat.S_ISLNK(info.st_mode):
                told = {"type": "link", "target": os.readlink(path)}
                info = os.stat(path)
            elif not stat.S_ISREG(info.st_mode):
                told["type"] = "dir" if stat.S_ISDIR(info.st_mode) else "other"
            if stat.S_ISREG(info.st_mode) and mode != SKIP_TEXT:
                raw = read_raw(path, self.item_limit + 1)
                full = len(raw) > self.item_limit
                out = text_of(raw[: self.item_limit])
                out = mask_second_field(out) if mode == HASH_FIELD else mask(out, mode)
            elif stat.S_ISFIFO(info.st_mode) or stat.S_ISSOCK(info.st_mode) or told["type"] == "other":
                rc, err = 1, "不是普通文件，未读取"
        except (OSError, OutOfTime) as error:
            rc, err = 1, str(error) or "读取超时"
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        shown, owner, group = self.host.owner(info)
        told.update(mode=shown, owner=owner, group=group, uid=info.st_uid, gid=info.st_gid)
        told.update(size=info.st_size, mtime=int(info.st_mtime))
        name = printable(path)
        self.keep("file:" + name, "cat " + name, rc, out, err, began, full=full, info=told)

    def collect(self) -> None:
        """Answer everything: the long scan runs beside the rest."""
        self.start(SCAN)
        self.files()
        for item in READ_FIRST:
            self.read(item)
        for item in [PROBED] * bool(PROBE) + COMMANDS:
            self.poll(self.lane_free)
            self.start(item)
        self.poll(self.scan_left)
        for item in READ_LAST:
            self.read(item)
        self.poll(self.all_done)

    def document(self, started: float) -> "Dict[str, Any]":
        """Return the JSON document of docs/design.md, section 2."""
        return {
            "schema": SCHEMA,
            "collector": "linux.py",
            "version": VERSION,
            "hostname": os.uname().nodename,
            "started": iso(started),
            "ms": int((time.monotonic() - self.began) * 1000),
            "uid": self.host.uid,
            "python": sys.version.split()[0],
            "globs": self.globs,
            "skipped": self.skipped,
            "items": self.items,
        }


def on_signal(number: int, frame: object) -> None:
    """End the reading of one item, or everything in order, so that no child outlives the collector."""
    if Child.held is not None:
        Child.held.append(number)
    elif number == signal.SIGALRM:
        raise OutOfTime()
    else:
        raise SystemExit(128 + number)


def main(argv: "List[str]") -> int:
    """Collect and print the document; return the exit status."""
    started = time.time()
    collector = Collector(options(argv))
    for number in (signal.SIGALRM, signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, on_signal)
    os.umask(0o022)  # what init gives, so that a shell that no profile tells otherwise shows the host's, not sudo's
    os.chdir("/")
    os.nice(10)  # the audited service goes first; the kernel derives the input/output priority from it
    try:
        collector.collect()
    finally:
        for child in list(Child.living):
            child.kill()
    text = json.dumps(collector.document(started), ensure_ascii=False, separators=(",", ":"))
    sys.stdout.buffer.write(text.encode("utf-8", "replace") + b"\n")
    sys.stdout.buffer.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
