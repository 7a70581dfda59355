#!/usr/bin/python
"""A thief's attempts on the vault of backups, from a client, all on a marked scratch snapshot (docs/design.md, 11)."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import struct
import subprocess
import tempfile
import threading

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_vault_exercise
short_description: Tries from a client to delete, overwrite and get around what the vault of backups holds
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin of the same name. Sends a scratch snapshot to the vault, tries to destroy it in every way
    that the client's key opens, and restores it. Nothing but the scratch snapshot is ever at stake; what is not
    scratch (the repository's configuration, a key) is only written over with the bytes that it has.
  - An attempt counts as refused when the vault said so, never when the vault could not be asked.
options:
  ssh:
    description: The command that reaches the vault as this client, as restic's C(rclone.program) has it.
    type: str
    required: true
  password_file:
    description: The file of the vault repository's password.
    type: path
    required: true
  operator:
    description: The command by which who works every day would log in to the vault; not tried when empty.
    type: str
    default: ""
"""

EXAMPLES = """
- name: A thief who has this host
  panshi_vault_exercise:
    ssh: ssh -i /etc/panshi-backup/vault_key vault-db1@vault.example
    password_file: /etc/panshi-backup/vault.password
"""

RETURN = """
attempts:
  description: Each with C(attempt), C(title), C(refused) and C(seen).
  type: list
  elements: dict
  returned: always
"""

TAG = "panshi-exercise"
_SECONDS = 60
# What answers at all answers at once; a server that waits for more has not been taken in.
_TRY_SECONDS = 4
_V2 = "application/vnd.x.restic.rest.v2"
_DATA, _HEADERS, _RESET, _SETTINGS, _PING, _GOAWAY, _WINDOW = 0, 1, 3, 4, 6, 7, 8
_INDEXED = {8: 200, 9: 204, 10: 206, 11: 304, 12: 400, 13: 404, 14: 500}
# Digits in the code of RFC 7541, appendix B.
_DIGITS = dict(zip("00000 00001 00010 011001 011010 011011 011100 011101 011110 011111".split(), "0123456789"))


class Trouble(Exception):
    """The exercise itself cannot be made."""


def status_of(block: bytes) -> int:
    """Return the status, which is the first field of a response's header block (RFC 7541), or 0."""
    while block and block[0] & 0xE0 == 0x20:
        block = block[1:]
    if not block:
        return 0
    if block[0] & 0x80:
        return _INDEXED.get(block[0] & 0x7F, 0)
    value = block[2 : 2 + (block[1] & 0x7F)]
    if not block[1] & 0x80:
        return int(value)
    found = code = ""
    for bit in "".join("{:08b}".format(byte) for byte in value):
        code += bit
        if code in _DIGITS:
            found, code = found + _DIGITS[code], ""
    return int(found[:3] or 0)


def request_block(method: str, path: str) -> bytes:
    """Return the header block of a request, all of it spelled out."""
    block = b""
    fields = (":method", method), (":scheme", "http"), (":authority", "localhost"), (":path", path), ("accept", _V2)
    for name, value in fields:
        text = value.encode()
        more = len(text) - 127
        length = bytes([len(text)]) if more < 0 else bytes([127, more]) if more < 128 else b""
        if not length:
            raise Trouble("路径过长：" + path[:40])
        block += b"\0" + bytes([len(name)]) + name.encode() + length + text
    return block


def frame(kind: int, flags: int, stream: int, payload: bytes = b"") -> bytes:
    """Return an HTTP/2 frame."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


class Wire:
    """One session with the vault: HTTP/2 on the standard input and output of ssh, one request after another."""

    def __init__(self, argv: list[str]) -> None:
        self._ssh = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._end = threading.Timer(_SECONDS, self._ssh.kill)
        self._end.start()
        self._stream = -1
        # no table of header fields to keep, and room for everything that is asked for
        settings = struct.pack(">HIHI", 1, 0, 4, 1 << 26)
        self._send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(_SETTINGS, 0, 0, settings))
        self._send(frame(_WINDOW, 0, 0, struct.pack(">I", 1 << 26)))

    def __enter__(self) -> "Wire":
        return self

    def __exit__(self, *_: object) -> None:
        self._end.cancel()
        self._ssh.kill()
        self._ssh.communicate()

    def _send(self, data: bytes) -> None:
        try:
            self._ssh.stdin.write(data)
            self._ssh.stdin.flush()
        except OSError:
            pass

    def ask(self, method: str, path: str, body: bytes = b"") -> tuple[int, bytes]:
        """Return the status and the body of the answer.

        Raises:
            Trouble: there was no answer.
        """
        self._stream += 2
        self._send(frame(_HEADERS, 4 if body else 5, self._stream, request_block(method, path)))
        if body:
            self._send(frame(_DATA, 1, self._stream, body))
        status, found = 0, b""
        while True:
            head = self._ssh.stdout.read(9)
            if len(head) < 9:
                said = self._ssh.stderr.read().decode("utf-8", "replace").strip().splitlines()
                raise Trouble("金库没有应答：" + (said[-1] if said else "连接断开"))
            payload = self._ssh.stdout.read(int.from_bytes(head[:3], "big"))
            kind, flags, stream = head[3], head[4], int.from_bytes(head[5:], "big")
            if kind in (_SETTINGS, _PING) and not flags & 1:
                self._send(frame(kind, 1, 0, payload if kind == _PING else b""))
            elif kind == _GOAWAY:
                raise Trouble("金库结束了会话")
            elif stream == self._stream and kind == _RESET:
                return status, found
            elif stream == self._stream:
                status = status_of(payload) if kind == _HEADERS else status
                found += payload if kind == _DATA else b""
                if kind in (_DATA, _HEADERS) and flags & 1:
                    return status, found


class Exercise:
    """The attempts, on a scratch snapshot that has been sent to the vault."""

    def __init__(self, ssh: list[str], password_file: str, operator: list[str], folder: str) -> None:
        self._ssh, self._password, self._operator, self._folder = ssh, password_file, operator, folder
        self.attempts: list[dict] = []

    def run(self) -> None:
        """Make all attempts; what is left in the vault is the scratch snapshot."""
        content = os.urandom(8192).hex().encode()
        with open(os.path.join(self._folder, "scratch"), "wb") as file:
            file.write(content)
        snapshot, index, packs = self._sent()
        scratch = ["/snapshots/" + snapshot, "/index/" + index] + ["/data/" + pack for pack in packs]
        with Wire(self._ssh) as wire:
            key = json.loads(wire.ask("GET", "/keys/")[1])[0]["name"]
            before = {path: self._content(wire, path) for path in [*scratch, "/config", "/keys/" + key]}
            self._on_objects(wire, scratch, before)
            outside = [wire.ask("GET", path)[0] for path in ("/../../../../etc/passwd", "/%2e%2e/%2e%2e/etc/passwd")]
            self._row("outside", "读出自己目录之外的文件", 200 not in outside, "HTTP %s、%s" % tuple(outside))
        self._around()
        self._restored(snapshot, content)

    def _row(self, attempt: str, title: str, refused: bool, seen: str) -> None:
        self.attempts.append({"attempt": attempt, "title": title, "refused": bool(refused), "seen": seen[:300]})

    def _restic(self, *arguments: str) -> str:
        command = ["restic", "-r", "rclone:", "-o", "rclone.program=" + " ".join(map(shlex.quote, self._ssh))]
        command += ["--password-file", self._password, "--no-cache"]
        done = subprocess.run([*command, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        if done.returncode:
            lines = done.stderr.strip().splitlines()
            wanted = [line for line in lines if "PS-E" in line or line.startswith("Fatal")]
            raise Trouble("restic %s：%s" % (arguments[0], (wanted or lines or [""])[-1]))
        return done.stdout

    def _sent(self) -> tuple[str, str, list[str]]:
        """Send the scratch snapshot; return it, its index and its packs, which hold nothing else."""
        with Wire(self._ssh) as wire:
            old = {one["name"] for one in json.loads(self._content(wire, "/index/"))}
        said = self._restic("backup", "--json", "--tag", TAG, self._folder).splitlines()
        snapshot = json.loads(said[-1])["snapshot_id"]
        with Wire(self._ssh) as wire:
            names = {one["name"] for one in json.loads(self._content(wire, "/snapshots/"))}
            snapshot = next(name for name in names if name.startswith(snapshot))
            new = {one["name"] for one in json.loads(self._content(wire, "/index/"))} - old
        tree = json.loads(self._restic("cat", "snapshot", snapshot))["tree"]
        for index in new:
            packs = json.loads(self._restic("cat", "index", index))["packs"]
            if any(blob["id"] == tree for pack in packs for blob in pack["blobs"]):
                return snapshot, index, [pack["id"] for pack in packs]
        raise Trouble("找不到试验快照的索引")

    @staticmethod
    def _content(wire: Wire, path: str) -> bytes:
        status, found = wire.ask("GET", path)
        if status != 200:
            raise Trouble("读不到 %s：HTTP %d" % (path[:24], status))
        return found

    def _on_objects(self, wire: Wire, scratch: list[str], before: dict) -> None:
        """Try on each object; it counts what is there afterwards, not only what was answered."""
        named = {"snapshots": "快照", "index": "索引", "data": "数据", "config": "仓库配置", "keys": "仓库密钥"}
        junk = os.urandom(512)
        for path in before:
            kind = path.split("/")[1]
            tries = [("overwrite", "覆盖", "POST", before[path])]
            if path in scratch:
                tries = [("overwrite", "用垃圾覆盖", "POST", junk), ("truncate", "清空", "POST", b"")]
                tries += [("delete", "删除", "DELETE", b"")]
            for attempt, title, method, body in tries:
                status, _ = wire.ask(method, path, body)
                kept = wire.ask("GET", path) == (200, before[path])
                seen = "HTTP %d，内容%s" % (status, "未变" if kept else "已变或已没有")
                self._row(attempt + "-" + kind, title + named[kind], status == 403 and kept, seen)

    def _around(self) -> None:
        """Try to get past the forced command."""
        out = self._said([*self._ssh, "id"])
        self._row("shell", "登录后执行命令", b"uid=" not in out, _shown(out))
        out = self._said([self._ssh[0], "-tt", *self._ssh[1:]], b"id\n")
        self._row("terminal", "打开终端", b"uid=" not in out, _shown(out))
        out = self._said([self._ssh[0], "-s", *self._ssh[1:], "sftp"], struct.pack(">IBI", 5, 1, 3))
        # the server's answer to SSH_FXP_INIT is SSH_FXP_VERSION
        self._row("sftp", "用 sftp、scp 传文件", out[4:5] != b"\2", _shown(out))
        out = self._said([self._ssh[0], "-W", "127.0.0.1:22", *self._ssh[1:]])
        self._row("forward", "转发端口到金库内网", b"SSH-" not in out, _shown(out))
        argv = [self._ssh[0], "-N", "-R", "127.0.0.1:0:127.0.0.1:22", "-o", "ExitOnForwardFailure=yes"]
        status, out = self._ended([*argv, *self._ssh[1:]])
        self._row("listen", "让金库替自己监听端口", status not in (0, None), _shown(out))
        with Wire([*self._ssh, "rclone", "serve", "restic", "--stdio", "/"]) as wire:
            status, _ = wire.ask("GET", "/etc/passwd")
        self._row("flags", "换一条 rclone 命令", status == 404, "HTTP %d" % status)
        if self._operator:
            status, out = self._ended([*self._operator, "id"])
            self._row("operator", "用日常运维账户登录金库", status == 255 and b"Permission denied" in out, _shown(out))

    def _restored(self, snapshot: str, content: bytes) -> None:
        """Show that it is all there: the last row, and the only one that is not an attempt."""
        target = os.path.join(self._folder, "restored")
        try:
            self._restic("restore", snapshot, "--target", target)
            with open(target + os.path.join(self._folder, "scratch"), "rb") as file:
                same = file.read() == content
            seen = "SHA-256 %s，%s" % (hashlib.sha256(content).hexdigest()[:16], "逐字节相同" if same else "不同")
        except (Trouble, OSError) as error:
            same, seen = False, str(error)
        self._row("restore", "之后从金库恢复试验快照", same, seen)

    @classmethod
    def _said(cls, argv: list[str], given: bytes = b"") -> bytes:
        return cls._ended(argv, given)[1]

    @staticmethod
    def _ended(argv: list[str], given: bytes = b"") -> tuple[int | None, bytes]:
        """Return the exit status (None: it still ran after some seconds) and all that was said."""
        ssh = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        try:
            out = ssh.communicate(given, timeout=_TRY_SECONDS)[0]
            return ssh.returncode, out
        except subprocess.TimeoutExpired:
            ssh.kill()
            return None, ssh.communicate()[0]


def _shown(out: bytes) -> str:
    lines = [line.strip() for line in out.decode("utf-8", "replace").splitlines()]
    kept = [line for line in lines if line.isprintable() and line]
    return kept[-1] if kept else "没有应答"


def main() -> None:
    """Run as an Ansible module."""
    module = AnsibleModule(
        {
            "ssh": {"type": "str", "required": True},
            "password_file": {"type": "path", "required": True},
            "operator": {"type": "str", "default": ""},
        }
    )
    given = module.params
    folder = tempfile.mkdtemp(prefix="panshi-vault-exercise-")
    exercise = Exercise(shlex.split(given["ssh"]), given["password_file"], shlex.split(given["operator"]), folder)
    trouble = ""
    try:
        exercise.run()
    except (Trouble, OSError, ValueError) as error:
        trouble = str(error) or type(error).__name__
    finally:
        shutil.rmtree(folder)
    module.exit_json(changed=True, attempts=exercise.attempts, trouble=trouble)


if __name__ == "__main__":
    main()
