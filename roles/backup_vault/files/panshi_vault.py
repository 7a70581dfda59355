#!/usr/bin/python3 -I
"""The vault's own program: takes copies append-only, thins them by arrival, checks them, and gives views of the past.

Travels to the vault. One file, standard library only, Python 3.8 and later; needs rclone, restic and setpriv.
docs/design.md, section 11.
"""

from __future__ import annotations

import argparse
import datetime
import fcntl
import hashlib
import json
import os
import pwd
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

CONFIG = Path("/etc/panshi-vault/config.json")
STATE = Path("/var/lib/panshi-vault")
ACCOUNT = "vault-"
DAY = 86400
MIB, GIB = 1 << 20, 1 << 30
# From here on a client is reported as full: the next backup may be refused.
NEARLY = 0.95
# How much a session may bring before the folder is measured again.
ROUND = 256 * MIB
# An upload that has not grown for so long has been cut off: sshd ends a silent connection long before.
SETTLED = 600
# restic renews the lock of a running program every five minutes, as a new file.
LOCK_SECONDS = 3600
# What wall clock and uptime may differ between two runs (an hour apart) without somebody having moved the clock.
CLOCK_TOLERANCE = 600
# No longer than this can the vault have been switched off without a person looking at its clock.
CLOCK_GAP = 7 * DAY

_HASH = "[0-9a-f]{64}"
_OBJECT = re.compile(f"config|(?:keys|index|snapshots)/({_HASH})|data/([0-9a-f]{{2}})/(?P<pack>(?=\\2){_HASH})")
_LOCK = re.compile(f"locks/{_HASH}")
_SET = re.compile(r"\d{8}T\d{6}Z")
_PREFACE = 24


class VaultError(Exception):
    """What cannot be done, with a code and what to do."""

    def __init__(self, code: str, text: str, todo: str) -> None:
        super().__init__(f"[{code}] {text}；{todo}（详见 docs/errors/{code}.md）")
        self.code = code


# ---- pure -----------------------------------------------------------------------------------------------------------


class Snapshot(NamedTuple):
    """A snapshot: ``arrived`` by the vault's clock (seconds since 1970), ``group`` is what the client says it is of."""

    id: str
    arrived: float
    group: str


def forgettable(
    snapshots: Sequence[Snapshot], now: float, protect_days: float, keep: Mapping[str, int]
) -> list[Snapshot]:
    """Return what may go: older than the protection, and not the first of any period that is kept.

    The first of a period, and not the last, because whoever sends snapshots later must not displace one that had come
    before; and periods are counted back from now, not from snapshot to snapshot, so that many new ones push none out.
    """
    gone = []
    for group in {one.group for one in snapshots}:
        seen: set[str] = set()
        for one in sorted((one for one in snapshots if one.group == group), key=lambda one: (one.arrived, one.id)):
            first = {period for period in periods(one.arrived, now, keep) if period not in seen}
            seen |= first
            if not first and now - one.arrived >= protect_days * DAY:
                gone.append(one)
    return sorted(gone, key=lambda one: one.arrived)


def periods(arrived: float, now: float, keep: Mapping[str, int]) -> list[str]:
    """Return the day, week, month and year that a snapshot stands for, as far as these are still kept."""
    there = datetime.datetime.fromtimestamp(arrived, datetime.timezone.utc)
    named = {
        "days": (1, there.strftime("%Y-%m-%d")),
        "weeks": (7, there.strftime("%G-W%V")),
        "months": (31, there.strftime("%Y-%m")),
        "years": (366, there.strftime("%Y")),
    }
    return [name for unit, (days, name) in named.items() if now - arrived < keep.get(unit, 0) * days * DAY]


class Moment(NamedTuple):
    """What the clocks say: wall clock and uptime in seconds, and which boot."""

    wall: float
    up: float
    boot: str


def clock_fault(mark: Moment | None, now: Moment) -> str:
    """Return what is wrong with the wall clock since the last run (Chinese), or nothing."""
    if mark is None:
        return ""
    passed = now.wall - mark.wall
    if passed < -CLOCK_TOLERANCE:
        return f"时钟比上次运行时早了 {-passed:.0f} 秒"
    if now.boot == mark.boot:
        drift = passed - (now.up - mark.up)
        return f"时钟被拨动了 {drift:+.0f} 秒" if abs(drift) > CLOCK_TOLERANCE else ""
    return f"重启前后时钟相差 {passed / DAY:.1f} 天" if passed > CLOCK_GAP else ""


class Frames:
    """Counts what of a client's HTTP/2 bytes is content (DATA frames), so that reading costs nothing of its room."""

    def __init__(self) -> None:
        self._skip = _PREFACE
        self._data = False
        self._head = b""

    def content(self, chunk: bytes) -> int:
        """Return how many bytes of content a chunk has."""
        found = at = 0
        while at < len(chunk):
            if self._skip:
                step = min(self._skip, len(chunk) - at)
                found += step if self._data else 0
                self._skip -= step
                at += step
                continue
            missing = 9 - len(self._head)
            self._head += chunk[at : at + missing]
            at += missing
            if len(self._head) == 9:
                self._skip, self._data = int.from_bytes(self._head[:3], "big"), self._head[3] == 0
                self._head = b""
        return found


# ---- the folder of a client -----------------------------------------------------------------------------------------


class Client(NamedTuple):
    """A client's folders: ``repo`` is what its account reaches, ``held`` is root's: what has left the repository."""

    name: str
    folder: Path
    limit: int

    @property
    def account(self) -> str:
        """The account that its key logs in to."""
        return ACCOUNT + self.name

    @property
    def repo(self) -> Path:
        """The repository."""
        return self.folder / "repo"

    @property
    def held(self) -> Path:
        """What has left the repository, by the time it did."""
        return self.folder / "held"

    @property
    def empty(self) -> bool:
        """Whether nothing has ever come."""
        return not (self.repo / "config").is_file()


class File(NamedTuple):
    """A file below a folder; the folder it is in is open as ``at``, so that nothing can be put in its place."""

    path: str
    name: str
    at: int
    stat: os.stat_result


def walk(root: Path) -> Iterator[File]:
    """Yield every file below a folder, following no link."""
    for folder, _, names, at in os.fwalk(root, follow_symlinks=False):
        inside = os.path.relpath(folder, root)
        for name in names:
            try:
                stat = os.stat(name, dir_fd=at, follow_symlinks=False)
            except FileNotFoundError:
                continue
            yield File(name if inside == "." else f"{inside}/{name}", name, at, stat)


def used(root: Path) -> int:
    """Return how many bytes lie below a folder."""
    return sum(one.stat.st_size for one in walk(root))


def whole(one: File) -> bool:
    """Return whether an object is what its name says; the file ``config`` has no such name."""
    found = _OBJECT.fullmatch(one.path)
    if not found:
        return False
    if one.path == "config":
        return True
    digest = hashlib.sha256()
    try:
        opened = os.open(one.name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=one.at)
    except OSError:
        return False
    with os.fdopen(opened, "rb") as file:
        for block in iter(lambda: file.read(MIB), b""):
            digest.update(block)
    return digest.hexdigest() == one.name


def stamp(when: float) -> str:
    """Return a time as the name of a folder."""
    return time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(when))


def iso(when: float) -> str:
    """Return a time as it stands in the status."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(when))


def seconds(text: str) -> float:
    """Return the seconds since 1970 of a UTC time.

    Raises:
        VaultError: it is none.
    """
    for form in ("%Y-%m-%dT%H:%M:%SZ", "%Y%m%dT%H%M%SZ"):
        try:
            return datetime.datetime.strptime(text, form).replace(tzinfo=datetime.timezone.utc).timestamp()
        except ValueError:
            continue
    raise VaultError("PS-E7348", f"{text} 不是时间", "用 UTC，例如 2026-11-21T03:00:00Z")


def sets(client: Client) -> list[Path]:
    """Return the folders of what left the repository when it was thinned, oldest first."""
    return sorted(path for path in client.held.iterdir() if _SET.fullmatch(path.name))


def hold(client: Client, now: float) -> Path:
    """Link everything that is in the repository, so that whatever is removed from it is still there."""
    made = client.held / stamp(now)
    made.mkdir(mode=0o700)
    for one in walk(client.repo):
        if _OBJECT.fullmatch(one.path):
            place = made / one.path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(one.name, place, src_dir_fd=one.at, follow_symlinks=False)
    return made


def settle(client: Client) -> int:
    """Let go of what is still in the repository; return how many objects are held because they are not."""
    left = 0
    for folder in sets(client):
        for one in walk(folder):
            if os.path.lexists(client.repo / one.path):
                os.unlink(one.name, dir_fd=one.at)
            else:
                left += 1
        for path, _, _ in os.walk(folder, topdown=False):
            try:
                Path(path).rmdir()
            except OSError:
                continue
    return left


def release(client: Client, now: float, protect_days: float) -> None:
    """Remove for good what left the repository longer ago than the protection lasts."""
    for folder in client.held.iterdir():
        if now - seconds(folder.name.split("-")[0]) >= protect_days * DAY:
            shutil.rmtree(folder)


def view(client: Client, at: float, place: Path) -> int:
    """Make a repository of exactly what the vault had at a time, whatever has come or gone since; return its objects.

    Raises:
        VaultError: the place is taken, on another file system, or there was nothing yet.
    """
    taken: dict[str, tuple[Path, int]] = {}
    for root in [client.repo, *(path for path in sets(client) if seconds(path.name) > at)]:
        for one in walk(root):
            if _OBJECT.fullmatch(one.path) and one.stat.st_mtime <= at:
                taken.setdefault(one.path, (root / one.path, one.stat.st_ino))
    if "config" not in taken:
        raise VaultError("PS-E7348", f"{iso(at)} 时金库里还没有 {client.name} 的备份", "核对时间（UTC）与客户端名")
    try:
        place.mkdir(mode=0o700)
        for path, (source, _) in taken.items():
            (place / path).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.link(source, place / path, follow_symlinks=False)
        for folder in ("data", "index", "keys", "locks", "snapshots"):
            (place / folder).mkdir(mode=0o700, exist_ok=True)
    except OSError as error:
        todo = "给一个还不存在、与金库在同一文件系统的目录"
        raise VaultError("PS-E7348", f"不能在 {place} 建立视图：{error.strerror}", todo) from error
    return len(taken)


# ---- jobs -----------------------------------------------------------------------------------------------------------


class Vault(NamedTuple):
    """What the role has written."""

    root: Path
    protect_days: float
    keep: Mapping[str, int]
    keep_free: int
    check_parts: int
    clients: Mapping[str, Client]

    def client(self, name: str) -> Client:
        """Return a declared client.

        Raises:
            VaultError: there is none of that name.
        """
        if name not in self.clients:
            raise VaultError("PS-E7348", f"金库没有客户端 {name}", f"已声明：{'、'.join(self.clients) or '无'}")
        return self.clients[name]


def load() -> Vault:
    """Read the configuration."""
    given = json.loads(CONFIG.read_text(encoding="utf-8"))
    root = Path(given["root"])
    clients = {name: Client(name, root / name, int(one["max_gb"] * GIB)) for name, one in given["clients"].items()}
    keep_free = given["keep_free_gb"] * GIB
    return Vault(root, given["protect_days"], given["keep"], keep_free, given["check_parts"], clients)


def serve(vault: Vault) -> int:
    """Speak restic's REST protocol on standard input and output, append-only, as the client's own account."""
    name = pwd.getpwuid(os.getuid()).pw_name
    client = vault.client(name[len(ACCOUNT) :] if name.startswith(ACCOUNT) else name)
    os.umask(0o077)
    command = ["/usr/bin/rclone", "serve", "restic", "--stdio", "--append-only", "--config", "", str(client.repo)]
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    left = room(vault, client)
    rclone = subprocess.Popen(command, env=environment, stdin=subprocess.PIPE)
    assert rclone.stdin is not None
    frames = Frames()
    try:
        for chunk in iter(lambda: os.read(0, MIB), b""):
            brought = frames.content(chunk)
            if brought > left:
                left = room(vault, client)
            if brought > left:
                raise _full(vault, client)
            left -= brought
            rclone.stdin.write(chunk)
            rclone.stdin.flush()
        rclone.stdin.close()
    except BrokenPipeError:
        pass
    except VaultError as error:
        # restic drops what it has not read of a program's last words when that program ends
        print(error, file=sys.stderr, flush=True)
        time.sleep(1)
        rclone.kill()
        return 1
    return rclone.wait()


def room(vault: Vault, client: Client) -> int:
    """Return how many bytes a client may bring before the folder is to be measured again."""
    disk = os.statvfs(client.repo)
    free = disk.f_bavail * disk.f_frsize
    return max(0, min(client.limit - used(client.repo), free - vault.keep_free, ROUND))


def _full(vault: Vault, client: Client) -> VaultError:
    disk = os.statvfs(client.repo)
    return VaultError(
        "PS-E7341",
        f"金库不再接收：{client.name} 已用 {used(client.repo) // MIB} MiB，上限 {client.limit // MIB} MiB，"
        f"磁盘可用 {disk.f_bavail * disk.f_frsize // MIB} MiB，须留 {vault.keep_free // MIB} MiB",
        "请保管员核对数据量，再提高上限或加盘；已有的备份不受影响，读取时 restic 加 --no-lock",
    )


def watch(vault: Vault, client: Client, now: float) -> dict[str, Any]:
    """Hold every new object against its name; what was cut off, or is none, is moved out of the repository."""
    known_file = STATE / f"{client.name}.verified"
    known = set(known_file.read_text().split()) if known_file.is_file() else set()
    verified, rejected, total, newest = set(), [], 0, 0.0
    bad = client.held / f"{stamp(now)}-rejected"
    for one in walk(client.repo):
        total += one.stat.st_size
        age = now - one.stat.st_mtime
        if one.path.startswith("snapshots/"):
            newest = max(newest, one.stat.st_mtime)
        if _LOCK.fullmatch(one.path):
            if age > LOCK_SECONDS:
                os.unlink(one.name, dir_fd=one.at)
        elif one.path in known or (age > SETTLED and whole(one)):
            verified.add(one.path)
        elif age > SETTLED:
            place = bad / one.path
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.rename(one.name, place, src_dir_fd=one.at)
            rejected.append(one.path)
    write(known_file, "\n".join(sorted(verified)))
    found: dict[str, Any] = {"bytes": total, "max_bytes": client.limit, "newest": iso(newest) if newest else ""}
    found["rejected"] = sum(1 for path in client.held.glob("*-rejected") for _ in walk(path))
    found["state"] = "full" if total >= NEARLY * client.limit else "rejected" if rejected else "ok"
    found["message"] = f"移出 {len(rejected)} 个不完整或不合规的对象：{rejected[0]}" if rejected else ""
    return found


def keep(vault: Vault, client: Client, now: float) -> dict[str, Any]:
    """Forget what may go, and prune; what that removes is held as long as the protection lasts."""
    # before it, restic tells that it reads the password
    listed = json.loads(restic(client, "snapshots", "--json", "--no-lock").splitlines()[-1])
    found = []
    for one in listed or []:
        arrived = (client.repo / "snapshots" / one["id"]).lstat().st_mtime
        of = [one.get("hostname", ""), sorted(one.get("paths") or []), sorted(one.get("tags") or [])]
        found.append(Snapshot(one["id"], arrived, json.dumps(of)))
    gone = forgettable(found, now, vault.protect_days, vault.keep)
    settle(client)
    release(client, now, vault.protect_days)
    if gone:
        hold(client, now)
        try:
            for first in range(0, len(gone), 500):
                restic(client, "forget", *(one.id for one in gone[first : first + 500]))
            restic(client, "prune")
        finally:
            held = settle(client)
        restic(client, "check", "--no-lock")
    else:
        held = settle(client)
    return {"state": "ok", "snapshots": len(found) - len(gone), "forgotten": len(gone), "held": held, "message": ""}


def check(vault: Vault, client: Client, now: float) -> dict[str, Any]:
    """Check the repository's structure, and read one part of its data; after so many weeks all of it was read."""
    part = f"{int(now // (7 * DAY)) % vault.check_parts + 1}/{vault.check_parts}"
    restic(client, "check", "--no-lock", f"--read-data-subset={part}")
    return {"state": "ok", "part": part, "message": ""}


def restic(client: Client, *arguments: str) -> str:
    """Run restic on a client's repository, as the client's account, and return what it says.

    What the objects hold comes from a host that may be a thief's, so it is not root that reads them. The password comes
    over standard input; the first key that ever arrived is the one to try, whatever keys have been added since.
    """
    password = (CONFIG.parent / f"{client.name}.password").read_bytes()
    keys = sorted((one.stat.st_mtime, one.name) for one in walk(client.repo / "keys"))
    command = ["/usr/bin/setpriv", f"--reuid={client.account}", f"--regid={client.account}", "--clear-groups"]
    command += ["--no-new-privs", "/usr/bin/restic", "--repo", str(client.repo), "--no-cache"]
    command += ["--key-hint", keys[0][1]] if keys else []
    environment = {"PATH": "/usr/bin:/bin", "HOME": "/nonexistent"}
    # Readable by the client's account alone, as what the client sends is.
    done = subprocess.run([*command, *arguments], env=environment, input=password, capture_output=True, cwd="/")
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    if done.returncode:
        why = next((line for line in said if line.startswith(("Fatal", "unable"))), said[-1] if said else "")
        text = f"{client.name}：restic {arguments[0]} 失败：{why[:300]}"
        raise VaultError("PS-E7345", text, "先查明原因；保护期内到过的都还在，见手册“被破坏之后”")
    return done.stdout.decode("utf-8", "replace")


JOBS: Mapping[str, Callable[[Vault, Client, float], dict[str, Any]]] = {"watch": watch, "keep": keep, "check": check}


def run(vault: Vault, job: str) -> int:
    """Do a job for every client, write its part of the status, and return the exit status."""
    with alone():
        status = _status()
        now = moment()
        mark = _mark()
        fault = clock_fault(mark, now)
        status.update(schema=1, time=iso(now.wall), protect_days=vault.protect_days)
        status["clock"] = {"state": "refused" if fault else "ok", "message": fault}
        if fault:
            write(STATE / "status.json", json.dumps(status, ensure_ascii=False, indent=1), 0o644)
            todo = "由保管员核对时钟，属实后运行 panshi_vault.py accept-clock"
            raise VaultError("PS-E7344", f"{fault}：到达时间不可信，不清理任何备份", todo)
        write(STATE / "clock.json", json.dumps(now._asdict()))
        failed = False
        status["clients"] = {name: one for name, one in status.get("clients", {}).items() if name in vault.clients}
        for name, client in vault.clients.items():
            entry = status["clients"].setdefault(name, {})
            try:
                answer = {"state": "empty", "message": ""} if client.empty else JOBS[job](vault, client, now.wall)
            except (VaultError, OSError, ValueError) as problem:
                error = problem if isinstance(problem, VaultError) else _unforeseen(name, problem)
                answer, failed = {"state": "failed", "message": str(error)}, True
                print(error, file=sys.stderr)
            entry[job] = {"time": iso(now.wall), **answer}
            failed = failed or answer["state"] in ("full", "rejected")
            write(STATE / "status.json", json.dumps(status, ensure_ascii=False, indent=1), 0o644)
    return 1 if failed else 0


def _unforeseen(name: str, problem: Exception) -> VaultError:
    return VaultError("PS-E7346", f"{name}：{problem}", "看磁盘与 journalctl -u 'panshi-vault@*'，处理后再运行")


def _status() -> dict[str, Any]:
    path = STATE / "status.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}


def moment() -> Moment:
    """Return what the clocks say."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    return Moment(time.time(), time.clock_gettime(time.CLOCK_BOOTTIME), boot)


def _mark() -> Moment | None:
    path = STATE / "clock.json"
    return Moment(**json.loads(path.read_text())) if path.is_file() else None


def write(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all."""
    draft = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), "w", encoding="utf-8") as file:
        file.write(text + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.chmod(mode)
    draft.replace(path)


@contextmanager
def alone() -> Iterator[None]:
    """Wait until no other job of the vault runs."""
    with (STATE / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def main(arguments: Sequence[str]) -> int:
    """Run one command; what a client asked for in its SSH session is not looked at."""
    parser = argparse.ArgumentParser(description="备份金库")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("serve", help="由 sshd 启动：只追加地接收")
    for name, text in {"watch": "核对新到的对象", "keep": "按到达时间清理", "check": "检查并读出一部分"}.items():
        commands.add_parser(name, help=text)
    commands.add_parser("accept-clock", help="保管员核对过时钟，从现在起算")
    shown = commands.add_parser("view", help="某一时刻金库里的样子，是一个可以恢复的仓库")
    shown.add_argument("--client", required=True)
    shown.add_argument("--at", required=True, help="UTC，例如 2026-11-21T03:00:00Z")
    shown.add_argument("--to", required=True, type=Path, help="还不存在的目录，与金库在同一文件系统")
    given = parser.parse_args(arguments)
    try:
        vault = load()
        if given.command == "serve":
            return serve(vault)
        if given.command == "accept-clock":
            write(STATE / "clock.json", json.dumps(moment()._asdict()))
            return 0
        if given.command == "view":
            with alone():
                count = view(vault.client(given.client), seconds(given.at), given.to)
            print(f"{given.to}：{count} 个对象")
            return 0
        return run(vault, given.command)
    except VaultError as error:
        print(error, file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
