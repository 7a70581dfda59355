#!/usr/bin/python
"""Proves on a host that its logs rotate without losing a line and stay as long as they must (docs/design.md, 11)."""

from __future__ import annotations

import fcntl
import fnmatch
import glob
import os
import re
import resource
import secrets
import shutil
import signal
import struct
import subprocess
import tempfile
import termios
import time
from collections import Counter
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible.module_utils import panshi_logs as logs
from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.panshi_log_probe import AGENT, Probes

DOCUMENTATION = """
module: panshi_log_proof
short_description: Rotation under a writer that counts, archive and oldest line of declared logs
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_logs).
  - Changes no setting. Nothing is written into a real log except by the product itself, asked by its C(probe); a log
    without one is rotated as a scratch log under its own logrotate configuration, with a writer that reopens as the
    product should.
options:
  logs:
    description: The policies, as C(panshi/logs/declared.py) makes them.
    type: list
    elements: dict
    required: true
  archive:
    description: Folder of the archives.
    type: path
    required: true
  rate:
    description: Lines a second that the writer of a scratch log writes.
    type: int
    default: 2000
  seconds:
    description: Seconds that a writer writes.
    type: float
    default: 4
  rotations:
    description: Forced rotations meanwhile.
    type: int
    default: 3
  probe_rate:
    description: Lines a second that a running product is asked for, at the most.
    type: int
    default: 200
  heads:
    description: By log, the last hash of its manifest that an earlier proof has seen.
    type: dict
    default: {}
"""

EXAMPLES = """
- name: Do the logs rotate without losing a line
  panshi_log_proof:
    logs: "{{ policies }}"
    archive: /var/log/panshi-archive
"""

RETURN = """
proofs:
  description: One per log, see C(prove).
  type: list
  returned: always
now:
  description: The host's clock, seconds since 1970.
  type: float
  returned: always
"""

PROGRAM = "/usr/local/lib/panshi/panshi_logs.py"
PIPE_PROGRAM = "/usr/local/lib/panshi/panshi_log_pipe.py"
# journald and rsyslog may still hold messages when the last one was sent.
_SETTLE_SECONDS = 15
_END = 1 << 18
_SCRATCH = ".log-proof-"
_DELETED = " (deleted)"
# logrotate names a file by the second.
_PAUSE = 1.1
_LOOK = 0.2

Result = Dict[str, Any]


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "logs": {"type": "list", "elements": "dict", "required": True},
            "archive": {"type": "path", "required": True},
            "rate": {"type": "int", "default": 2000},
            "seconds": {"type": "float", "default": 4},
            "rotations": {"type": "int", "default": 3},
            "probe_rate": {"type": "int", "default": 200},
            "heads": {"type": "dict", "default": {}},
        },
        supports_check_mode=True,
    )
    given = module.params
    os.environ["LC_ALL"] = "C"
    os.environ["PATH"] = "/usr/sbin:/usr/bin:/sbin:/bin"
    config = {"archive": given["archive"], "logs": given["logs"], "min_free_percent": 0}
    load = Load(given["rate"], given["seconds"], given["rotations"], given["probe_rate"])
    proofs = [prove(config, policy, load, bool(module.check_mode)) for policy in given["logs"]]
    for proof in proofs:
        proof["head_known"] = given["heads"].get(proof["name"], "") in proof.pop("hashes", [])
    module.exit_json(changed=False, proofs=proofs, now=time.time())


class Load:
    """How much a writer writes, and how often it is rotated meanwhile."""

    def __init__(self, rate: int, seconds: float, rotations: int, probe_rate: int = 200) -> None:
        self.rate, self.seconds, self.rotations, self.probe_rate = rate, seconds, rotations, probe_rate


def prove(config: Dict[str, Any], policy: Dict[str, Any], load: Load, asking_only: bool = False) -> Result:
    """Prove one log.

    Returns:
        ``name``; ``way`` real (through the product), scratch or none; ``said`` why; ``lines`` written, ``lost``,
        ``doubled``; ``rotations``; ``reopened``; ``packed`` rotated files that were compressed and read back;
        ``wrong`` what was found; ``cpu`` seconds of logrotate; ``seconds``; and the figures of the archive.
    """
    began = time.monotonic()
    found: Result = {
        "name": policy["name"], "way": "none", "said": "", "lines": 0, "lost": 0, "doubled": 0, "rotations": 0,
        "reopened": False, "packed": 0, "cpu": 0.0, "wrong": [],
    }  # fmt: skip
    try:
        if policy["style"] == "temporary":
            found.update(_temporary(policy))
        elif os.path.isdir(config["archive"]):
            with logs.undisturbed(config):
                _prove(config, policy, load, asking_only, found)
        else:
            _prove(config, policy, load, asking_only, found)
    except (*logs.UNREADABLE, subprocess.SubprocessError) as error:
        found["wrong"].append("[PS-E7335] 证明没有做完：%s" % error)
    found["seconds"] = round(time.monotonic() - began, 2)
    return found


def _prove(config: Dict[str, Any], policy: Dict[str, Any], load: Load, asking_only: bool, found: Result) -> None:
    if not asking_only:
        _rotation(config, policy, load, found)
    figures, wrong = logs.verify(config, policy)
    found["wrong"] = list(dict.fromkeys(found["wrong"] + wrong + _live(policy)))
    found.update(figures)


def _temporary(policy: Dict[str, Any]) -> Result:
    """Say which temporary files should be gone by now; nothing is deleted here."""
    limit = time.time() - (policy["keep_days"] + 2) * logs.DAY
    old = []
    for path in (path for pattern in policy["paths"] for path in glob.glob(pattern)):
        if os.path.isfile(path) and not os.path.islink(path):
            known = os.stat(path)
            if max(known.st_mtime, known.st_ctime) < limit:
                old.append(path)
    wrong = ["临时文件 %s 超过 %d 天仍在" % (path, policy["keep_days"]) for path in sorted(old)[:5]]
    return {"wrong": wrong + (["共 %d 个" % len(old)] if len(old) > 5 else []), "said": "只清理，不轮转、不归档"}


def _live(policy: Dict[str, Any]) -> List[str]:
    """Return what is wrong with the files themselves: who still writes a rotated one, and who may read them."""
    held, wrong, now = logs.writers(), [], time.time()
    if policy["style"] != "self":
        for path in logs.rotated_files(policy, now, {}):
            known = os.stat(path)
            names = held.get((known.st_dev, known.st_ino))
            if names:
                wrong.append("[PS-E7331] %s 轮转后仍被 %s 写着：程序没有重新打开日志" % (path, "、".join(names)))
    live = logs.live_files(policy)
    for path in live:
        known = os.stat(path)
        if known.st_mode & 0o777 & ~int(policy["mode"], 8):
            wrong.append("[PS-E7332] %s 的权限 %04o 宽于 %s" % (path, known.st_mode & 0o7777, policy["mode"]))
    if not live:
        wrong.append("[PS-E7333] 没有日志文件 %s" % "、".join(policy["paths"]))
    return wrong + _deleted(policy["paths"])


def _deleted(patterns: List[str]) -> List[str]:
    """Return the logs that somebody has deleted while a process has them open: they are gone when it lets go."""
    found = {}  # type: Dict[str, str]
    for link in glob.iglob("/proc/[0-9]*/fd/*"):
        try:
            target = os.readlink(link)
        except OSError:
            continue
        path = target[: -len(_DELETED)]
        if target.endswith(_DELETED) and any(fnmatch.fnmatchcase(path, one) for one in patterns):
            found[path] = link.split("/")[2]
    return ["[PS-E7333] %s 被删除，进程 %s 还打开着它" % one for one in sorted(found.items())]


# ---------------------------------------------------------------------------------------------------- rotation


def _rotation(config: Dict[str, Any], policy: Dict[str, Any], load: Load, found: Result) -> None:
    if policy["style"] == "self":
        _scratch(config, policy, "", load, found)
        return
    text = _read(policy["config"])
    body = stanza(text, policy["paths"])
    if body is None:
        found["wrong"].append(
            "[PS-E7334] %s 里没有 %s 的轮转" % (policy["config"] or "配置", "、".join(policy["paths"]))
        )
        return
    if policy["probe"] and policy["managed"] and os.path.exists(PROGRAM):
        _through_product(config, policy, load, found)
    else:
        _scratch(config, policy, _globals() + body, load, found)
        if not policy["managed"]:
            found["said"] += "；这份配置按份数删除，强制轮转真实日志会缩短留存"


def _read(path: str) -> str:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read()
    except OSError:
        return ""


def _globals() -> str:
    """Return what stands in logrotate.conf for all logs."""
    lines, depth = [], 0
    for line in _read("/etc/logrotate.conf").splitlines():
        words = line.split("#")[0].strip()
        depth += words.count("{")
        if words and not depth and not words.startswith(("include", "/")):
            lines.append(words)
        depth -= words.count("}")
    return "".join(line + "\n" for line in lines)


def stanza(text: str, paths: List[str]) -> Optional[str]:
    """Return the directives that a logrotate file has for the first of these paths, None when it has none."""
    for found in re.finditer(
        r"^((?:[ \t]*(?:\"?/[^\n{#]*)\n?|[ \t]*#[^\n]*\n|\s*\n)+)\{([^\0]*?)^\s*\}", text, re.MULTILINE
    ):
        names = re.sub(r"#[^\n]*", "", found.group(1)).replace('"', "").split()
        if paths[0] in names:
            return found.group(2)
    return None


def scratch_config(body: str, path: str, reopen: str) -> str:
    """Return a configuration with these directives for a scratch log; scripts become ``reopen``, if there were any."""
    kept, scripts, skipping = [], False, False
    for line in body.splitlines():
        word = (line.split() or [""])[0]
        if word in ("postrotate", "prerotate", "firstaction", "lastaction", "preremove"):
            skipping, scripts = True, scripts or word in ("postrotate", "lastaction")
        elif word == "endscript":
            skipping = False
        elif not skipping and word not in ("olddir", "createolddir", "mail", "mailfirst", "maillast", "su"):
            kept.append(line)
    # Names that know only the day would let nothing be rotated twice today.
    if any(line.split()[:1] == ["dateext"] for line in body.splitlines()):
        kept.append("    dateformat -%Y%m%d-%s")
    after = ["    postrotate", "        " + reopen, "    endscript"] if scripts else []
    return "%s {\n%s\n}\n" % (path, "\n".join(kept + after))


def _scratch(config: Dict[str, Any], policy: Dict[str, Any], body: str, load: Load, found: Result) -> None:
    """Rotate a scratch log under the very directives of the real one, while a writer counts."""
    base = config["archive"] if os.path.isdir(config["archive"]) else "/var/lib"
    # Only one proof at a time works in the archive, so these are of proofs that were killed.
    for left in glob.glob(os.path.join(config["archive"], _SCRATCH + "*")):
        shutil.rmtree(left, ignore_errors=True)
    folder = tempfile.mkdtemp(prefix=_SCRATCH, dir=base)
    try:
        path = os.path.join(folder, "scratch.log")
        writer = Piped(path, load) if policy["kind"] == "pipe" else Writer(path, policy["style"], load)
        scratch = dict(policy, paths=[path if body else path + ".*"], impatient=True, name="kept")
        try:
            if body:
                rules = os.path.join(folder, "rules")
                with open(rules, "w") as file:
                    file.write(scratch_config(body, path, writer.reopening()))
                _rotate_meanwhile([rules, "--state", os.path.join(folder, "state")], scratch, load, found)
            else:
                # the program rotates itself, each time its share of the time is over
                time.sleep(max(load.seconds, _PAUSE * load.rotations))
            found["reopened"] = writer.settled()
        finally:
            written = writer.end()
        if not body:
            found["rotations"] = len(glob.glob(path + ".*")) - 1
        inner = {"archive": folder, "logs": [scratch], "min_free_percent": 0}
        if policy["managed"]:
            if policy["style"] == "self":
                _age_files(folder)
            found["wrong"] += logs.keep_one(inner, scratch, time.time())
            figures, wrong = logs.verify(inner, scratch)
            found["wrong"] += wrong
            found["packed"] = figures["archives"]
        else:
            found["packed"] = len(glob.glob(path + "*.gz"))
        count(found, [one for one in _files(folder) if "scratch.log" in one], "proof ", range(written))
        found.update(way="scratch", said="同一策略的副本日志，每秒 %d 行；没有写入真实日志" % load.rate)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _age_files(folder: str) -> None:
    """Make the scratch files of a program that rotates itself as old as they would be by tomorrow."""
    for path in glob.glob(os.path.join(folder, "scratch.log.*")):
        os.utime(path, (time.time() - logs.DAY, time.time() - logs.DAY))


def _files(folder: str) -> List[str]:
    return [os.path.join(at, name) for at, _, names in os.walk(folder) for name in names]


def _rotate_meanwhile(arguments: List[str], policy: Dict[str, Any], load: Load, found: Result) -> None:
    """Force rotations, spread over the time of the load; the writer goes on for one more share of it."""
    pause = max(_PAUSE, load.seconds / (load.rotations + 1))
    for _ in range(load.rotations):
        time.sleep(pause)
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        wrong = _force(arguments, policy)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        found["cpu"] += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        if wrong:
            found["wrong"].append("logrotate：%s" % wrong)
            break
        found["rotations"] += 1
    time.sleep(pause)
    found["cpu"] = round(found["cpu"], 3)


def _force(arguments: List[str], policy: Dict[str, Any]) -> str:
    """Force one rotation; return what is wrong with it.

    It is tried again while logrotate's own daily run has its state, and while no line has come: an empty log is not
    rotated, and a product that gets no turn writes none.
    """
    deadline, before = time.monotonic() + _SETTLE_SECONDS, _rotated(policy)
    while True:
        done = subprocess.run(
            ["logrotate", "--force", *arguments],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        said = done.stdout.decode("utf-8", "replace").strip()[-300:]
        locked = "already locked" in said
        if not done.returncode and _rotated(policy) != before:
            return ""
        if (done.returncode and not locked) or time.monotonic() > deadline:
            return said or "强制轮转没有换文件"
        time.sleep(_LOOK)


def _rotated(policy: Dict[str, Any]) -> List[Tuple[str, int]]:
    return [(path, os.stat(path).st_ino) for path in logs.rotated_files(policy, time.time(), {})]


class Writer:
    """A process that writes numbered lines as programs write their logs: one write(2) each, and counts them."""

    def __init__(self, path: str, style: str, load: Load) -> None:
        self.path, self.style, self.load = path, style, load
        reader, self._tell = os.pipe()
        self._parent = os.getpid()
        os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o640)) if style != "self" else None
        self.pid = os.fork()
        if self.pid == 0:
            status = 1
            try:
                os.close(reader)
                self._write_all()
                status = 0
            finally:
                os._exit(status)
        os.close(self._tell)
        self._told = os.fdopen(reader, "rb")
        self.written = 0
        self._told.readline()

    def reopening(self) -> str:
        """Return what logrotate runs after a rotation."""
        return "kill -USR1 %d" % self.pid

    def _write_all(self) -> None:
        self._again = self._ending = False
        signal.signal(signal.SIGUSR1, self._asked)
        signal.signal(signal.SIGUSR2, self._asked_to_end)
        number, part = 0, 0
        descriptor = self._open(part)
        os.write(self._tell, b"ready\n")
        began = time.monotonic()
        share = max(self.load.seconds, _PAUSE * self.load.rotations) / (self.load.rotations + 1)
        while self._goes_on(part):
            stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()).encode()
            for _ in range(max(1, self.load.rate // 200)):
                if self._again:
                    self._again = False
                    os.close(descriptor)
                    descriptor = self._open(part)
                os.write(descriptor, b"%s INFO main proof %09d some words of an application\n" % (stamp, number))
                number += 1
            if self.style == "self" and part < self.load.rotations and time.monotonic() - began > share * (part + 1):
                part += 1
                os.close(descriptor)
                descriptor = self._open(part)
            time.sleep(max(0.0, began + number / self.load.rate - time.monotonic()))
        os.write(self._tell, b"%d\n" % number)
        # Kept open until the parent has looked at it, as a program that is at rest keeps its log open.
        while os.getppid() == self._parent:
            time.sleep(_LOOK)

    def _goes_on(self, part: int) -> bool:
        """Until it is told to end; one that got no turn meanwhile still rotates or opens its log anew before that."""
        behind = self._again or (self.style == "self" and part < self.load.rotations)
        return (behind or not self._ending) and os.getppid() == self._parent

    def _asked(self, *_: object) -> None:
        self._again = True

    def _asked_to_end(self, *_: object) -> None:
        self._ending = True

    def _open(self, part: int) -> int:
        name = "%s.%s-%03d" % (self.path, time.strftime("%Y-%m-%d"), part) if self.style == "self" else self.path
        return os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o640)

    def settled(self) -> bool:
        """Have the writer stop; say whether it then has the file that bears the log's name."""
        self._stop()
        newest = self.path if self.style != "self" else max(glob.glob(self.path + ".*"))
        return holds(self.pid, newest)

    def _stop(self) -> None:
        os.kill(self.pid, signal.SIGUSR2)
        self.written = int(self._told.readline())

    def end(self) -> int:
        """End the writer; return how many lines it wrote."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._told.close()
        return self.written


class Piped(Writer):
    """A writer into a pipe, which it never opens anew, and the program of the role that writes the log from it."""

    def __init__(self, log: str, load: Load) -> None:
        self.log, pipe = log, os.path.join(os.path.dirname(log), "pipe")
        os.mkfifo(pipe, 0o600)
        reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        # Held open as systemd holds it.
        self._held = os.open(pipe, os.O_WRONLY)
        os.set_blocking(reader, True)
        self._receiver = subprocess.Popen([_interpreter(), PIPE_PROGRAM, log], stdin=reader)
        os.close(reader)
        self._wait(lambda: holds(self._receiver.pid, log))
        super().__init__(pipe, "pipe", load)

    def reopening(self) -> str:
        """Return what logrotate runs after a rotation: the receiver alone opens the log."""
        return "kill -HUP %d" % self._receiver.pid

    def settled(self) -> bool:
        """Have the writer stop and the receiver write all that is in the pipe; say whether it has the log open."""
        self._stop()
        self._wait(lambda: not _waiting(self._held))
        return holds(self._receiver.pid, self.log)

    def _wait(self, done: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _SETTLE_SECONDS
        while not done():
            if time.monotonic() > deadline or self._receiver.poll() is not None:
                raise OSError("管道的接收程序没有运行：%s" % PIPE_PROGRAM)
            time.sleep(0.02)

    def end(self) -> int:
        """End the writer, then the receiver; return how many lines were written."""
        written = super().end()
        self._receiver.terminate()
        self._receiver.wait(timeout=_SETTLE_SECONDS)
        os.close(self._held)
        return written


def holds(pid: int, path: str) -> bool:
    """Return whether a process has this file open."""
    try:
        known = os.stat(path)
    except FileNotFoundError:
        return False
    for link in glob.glob("/proc/%d/fd/*" % pid):
        try:
            one = os.stat(link)
        except OSError:
            continue
        if (one.st_dev, one.st_ino) == (known.st_dev, known.st_ino):
            return True
    return False


def _waiting(pipe: int) -> int:
    """Return how many bytes in a pipe nobody has read yet."""
    answer = fcntl.ioctl(pipe, termios.FIONREAD, struct.pack("i", 0))
    return int(struct.unpack("i", answer)[0])


def count(found: Result, paths: List[str], mark: str, wanted: Any) -> None:
    """Count the numbered lines of all files: each of ``wanted`` must be there once."""
    seen = numbers_in(paths, mark)
    found["lines"] = len(wanted)
    found["lost"] = sum(1 for number in wanted if not seen[number])
    found["doubled"] = sum(times - 1 for times in seen.values())


def numbers_in(paths: List[str], mark: str) -> Counter:
    """Return how often each number stands behind ``mark`` in these files, compressed or not."""
    pattern, seen = re.compile(re.escape(mark.encode()) + rb"(\d{9})"), Counter()
    for path in paths:
        try:
            with logs.opened(path) as file:
                for line in file:
                    for number in pattern.findall(line):
                        seen[int(number)] += 1
        except logs.UNREADABLE:
            continue
    return seen


# ------------------------------------------------------------------------------------------------ the product itself


def _through_product(config: Dict[str, Any], policy: Dict[str, Any], load: Load, found: Result) -> None:
    """Have the product write numbered lines into its own log, while that is rotated as its policy says."""
    token = "%s-%s-" % (AGENT, secrets.token_hex(4))
    folder = logs.folder_of(config, policy)
    known = set(logs.kept(logs.manifest(folder)[0]))
    probes = Probes(policy["probe"], token, load.probe_rate)
    try:
        _rotate_meanwhile([policy["config"]], policy, load, found)
    finally:
        told = probes.end()
    for numbers in told:
        _wait_for(policy, "%s%09d" % (token, numbers[-1]) if numbers else token)
    sent = sorted(number for numbers in told for number in numbers)
    found["wrong"] += _stale(policy)
    done = subprocess.run(
        [_interpreter(), PROGRAM, "keep", policy["name"]],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
    )  # fmt: skip
    if done.returncode:
        found["wrong"] += done.stdout.decode("utf-8", "replace").strip().splitlines()[-3:]
    new = [one for one in logs.kept(logs.manifest(folder)[0]) if one not in known]
    paths = logs.live_files(policy) + logs.rotated_files(policy, time.time(), {})
    paths += [os.path.join(folder, name) for name in new]
    count(found, paths, token, sent)
    found["packed"] = len(new)
    found["reopened"] = not any("PS-E7331" in line for line in found["wrong"])
    said = "由产品自己写入 %d 行（每行含 %s），每秒 %d 行；没有别的写入"
    found.update(way="real", said=said % (len(sent), token, len(sent) / probes.seconds))


def _wait_for(policy: Dict[str, Any], mark: str) -> None:
    """Wait until the last line is in the log, or in a rotated one; only ends are read, since a log may be large."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while time.monotonic() < deadline:
        for path in logs.live_files(policy) + logs.rotated_files(policy, time.time(), {}):
            with open(path, "rb") as file:
                file.seek(max(0, os.stat(path).st_size - _END))
                if mark.encode() in file.read():
                    return
        time.sleep(_LOOK)


def _stale(policy: Dict[str, Any]) -> List[str]:
    """Give the product a moment to reopen, as it does after a signal, before it is said that it does not."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while True:
        wrong = [line for line in _live(policy) if "PS-E7331" in line]
        if not wrong or time.monotonic() > deadline:
            return wrong
        time.sleep(_LOOK)


def _interpreter() -> str:
    return shutil.which("python3") or "/usr/libexec/platform-python"


if __name__ == "__main__":
    main()
