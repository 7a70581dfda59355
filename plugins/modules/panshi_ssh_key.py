#!/usr/bin/python
"""The SSH keys that a local account is let in with: which ones, one more, some less (docs/design.md, 9).

Standard library only. It is told public keys and nothing else. A file in an account's home is reached step by step and
never through a link, since the account itself decides what stands there and this runs as root.
"""

from __future__ import annotations

import errno
import os
import pwd
import re
import secrets
import stat
from contextlib import contextmanager, suppress

from ansible.module_utils.basic import AnsibleModule
from ansible.module_utils.panshi_session import address_matches, ssh_connection, sshd_settings

DOCUMENTATION = """
module: panshi_ssh_key
short_description: Looks at, adds and removes public keys of a local account, where sshd reads them
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only.
  - Every other line of the file stays, with its owner, mode and SELinux context. It is not in the ledger of changes,
    since an undo would let a dead key in again.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, add, keep]
    required: true
  account:
    description: Name.
    type: str
    required: true
  algorithm:
    description: For C(look), type of the key that is to be added.
    type: str
  known:
    description: For C(look), public keys by name.
    type: dict
    default: {}
  public:
    description: For C(add) and C(keep), the key that is to be let in.
    type: str
  old:
    description: For C(add), keys whose place and options the new one takes; for C(keep), those that are to go.
    type: list
    elements: str
    default: []
"""

EXAMPLES = """
- name: Is there an account whose key can be rotated
  panshi_ssh_key:
    verb: look
    account: ops
    algorithm: ssh-ed25519
"""

RETURN = """
why:
  description: What keeps the key from being rotated, or an empty text.
  type: str
  returned: look
which:
  description: Name of the first known key that is let in, or nothing.
  type: str
  returned: look
"""

# Tells the role accounts that this line is looked after here.
MARK = "panshi-rotated"
_PREFIX = ".panshi-keys-"
_MOST_BYTES = 1 << 20
_CONTEXT = "security.selinux"
_FOLDER = os.O_RDONLY | os.O_DIRECTORY


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {"type": "str", "choices": ["look", "add", "keep"], "required": True},
            "account": {"type": "str", "required": True},
            "algorithm": {"type": "str"},
            "known": {"type": "dict", "default": {}},
            "public": {"type": "str"},
            "old": {"type": "list", "elements": "str", "default": []},
        },
        required_if=[("verb", "look", ["algorithm"]), ("verb", "add", ["public"]), ("verb", "keep", ["public"])],
        supports_check_mode=False,
    )
    given = module.params
    try:
        if given["verb"] == "look":
            changed, result = False, look(module, given["account"], given["algorithm"], given["known"])
        else:
            person = pwd.getpwnam(given["account"])
            files = key_files(person, sshd_settings(module, person.pw_name) or {})
            edit = add if given["verb"] == "add" else keep
            changed, result = edit(module, files, given["public"], given["old"]), {}
    except (KeyError, OSError, ValueError) as error:
        module.fail_json(msg=str(error))
    module.exit_json(changed=changed, **result)


def look(module: AnsibleModule, account: str, algorithm: str, known: dict) -> dict:
    """Return which known key is let in, and why none could be rotated."""
    try:
        person = pwd.getpwnam(account)
    except KeyError:
        return {"why": "没有这个账户", "which": ""}
    settings = sshd_settings(module, account)
    if settings is None:
        return {"why": "没有 sshd 会话，或 sshd -T 没有回答", "which": ""}
    why = refusal(settings, algorithm)
    lines = []
    for file in key_files(person, settings) if not why else ():
        try:
            lines += file.read().split("\n")
        except (OSError, ValueError) as error:
            why = why or "%s：%s" % (file.path, error)
    present = {name: line for name, public in known.items() for line in lines if holds(line, public)}
    client = ssh_connection().split(" ")[0]
    for line, public in ((present[name], known[name]) for name in present):
        why = why or unfit(holds(line, public)[1], client)
    return {"why": why, "which": next((name for name in known if name in present), "")}


def refusal(settings: dict, algorithm: str) -> str:
    """Return the setting of sshd that keeps an account from logging in with a key alone, or an empty text.

    Args:
        settings: of ``sshd -T``: lists of values by lower-case name.
        algorithm: of the key.
    """

    def one(name: str, default: str) -> str:
        return (settings.get(name) or [default])[0]

    if one("pubkeyauthentication", "yes").lower() != "yes":
        return "PubkeyAuthentication no"
    methods = " ".join(settings.get("authenticationmethods", ["any"])).split()
    if not {"any", "publickey"} & set(methods):
        return "AuthenticationMethods %s：只凭密钥登录不了" % " ".join(methods)
    if one("authorizedkeysfile", ".ssh/authorized_keys") == "none":
        return "AuthorizedKeysFile none"
    name = "pubkeyacceptedalgorithms" if "pubkeyacceptedalgorithms" in settings else "pubkeyacceptedkeytypes"
    taken = one(name, "").split(",")
    wanted = {"ssh-rsa": ("rsa-sha2-256", "rsa-sha2-512")}.get(algorithm, (algorithm,))
    if taken != [""] and not set(wanted) & set(taken):
        return "sshd 不接受 %s（PubkeyAcceptedAlgorithms）" % algorithm
    return ""


def unfit(options: str, client: str) -> str:
    """Return which option of a key's line keeps its successor from being proven, or an empty text."""
    if re.search(r"(?:^|,)command=", options, re.I):
        return "这一行有 command=，证明登录会运行它"
    only = re.search(r'(?:^|,)from="([^"]*)"', options, re.I)
    if only and not lets_in(only.group(1), client):
        return "这一行的 from= 不含运维机的地址 %s，无法证明" % client
    return ""


def lets_in(patterns: str, client: str) -> bool:
    """Return whether a list of patterns, as ``from=`` has it, takes an address; a negated match refuses it."""
    found = False
    for pattern in patterns.split(","):
        if address_matches(client, pattern.strip().lstrip("!")):
            if pattern.strip().startswith("!"):
                return False
            found = True
    return found


def holds(line: str, public: str) -> re.Match | None:
    """Return the match of a public key in a line (1: its options, 2: its comment), or None."""
    kind, blob = public.split()
    return re.match(r"(?!\s*#)\s*(.*?)[ \t]*(?<!\S)%s[ \t]+%s(?!\S)(.*)$" % (re.escape(kind), re.escape(blob)), line)


def successor(line: str, old: str, public: str) -> str:
    """Return the line of a new key that takes the place of an old one: its options and its comment.

    The day on which the old one would have ended (``expiry-time``) is not taken over: rotation has its own.
    """
    found = holds(line, old)
    options = re.sub(r'(^|,)expiry-time="[^"]*"', "", found.group(1), flags=re.I).strip(",")
    comment = [word for word in found.group(2).split() if word != MARK]
    return " ".join([*([options] if options else []), public, *comment, MARK])


def add(module: AnsibleModule, files: list, public: str, old: list) -> bool:
    """Let a key in where it is not yet, behind the old one; return whether anything was changed."""
    texts = [file.read() for file in files]
    if any(holds(line, public) for text in texts for line in text.split("\n")):
        return False
    for file, text in zip(files, texts):
        lines = text.split("\n")
        for number, line in enumerate(lines):
            for one in old:
                if holds(line, one):
                    lines.insert(number + 1, successor(line, one, public))
                    file.write(module, "\n".join(lines))
                    return True
    text = texts[0]
    files[0].write(module, "%s%s%s %s\n" % (text, "\n" if text and not text.endswith("\n") else "", public, MARK))
    return True


def keep(module: AnsibleModule, files: list, public: str, old: list) -> bool:
    """Let old keys in no more; return whether anything was changed.

    Raises:
        ValueError: the new one is not let in.
    """
    texts = [file.read().split("\n") for file in files]
    if not any(holds(line, public) for lines in texts for line in lines):
        raise ValueError("新公钥不在 authorized_keys 里，旧的没有去掉")
    changed = False
    for file, lines in zip(files, texts):
        kept = [line for line in lines if not any(holds(line, one) for one in old)]
        if kept != lines:
            file.write(module, "\n".join(kept))
            changed = True
    return changed


def key_files(person: pwd.struct_passwd, settings: dict) -> list:
    """Return the files in which sshd looks for an account's keys.

    Raises:
        ValueError: there are none.
    """
    patterns = " ".join(settings.get("authorizedkeysfile", [])).split() or [".ssh/authorized_keys"]
    known = {"%%": "%", "%h": person.pw_dir, "%u": person.pw_name, "%U": str(person.pw_uid)}
    paths = [re.sub("%[%huU]", lambda found: known[found.group(0)], one) for one in patterns if one != "none"]
    if not paths:
        raise ValueError("AuthorizedKeysFile none")
    return [KeyFile(path if path.startswith("/") else os.path.join(person.pw_dir, path), person) for path in paths]


class KeyFile:
    """One file of keys."""

    def __init__(self, path: str, person: pwd.struct_passwd) -> None:
        self.path = os.path.normpath(path)
        self._person = person
        home = os.path.normpath(person.pw_dir)
        inside = self.path.startswith(home.rstrip("/") + "/")
        self._from = home if inside else os.path.dirname(self.path)
        self._steps = os.path.dirname(self.path)[len(home) :].strip("/").split("/") if inside else []
        self._steps = [step for step in self._steps if step]
        self._name = os.path.basename(self.path)
        # Outside a home the file is the administrator's; sshd reads it as the account.
        self._owner = (person.pw_uid, person.pw_gid, 0o600) if inside else (0, 0, 0o644)

    def read(self) -> str:
        """Return its text; an empty one when there is no such file.

        Raises:
            OSError: it, or what leads to it, is a link.
            ValueError: it is nothing that sshd would read.
        """
        with suppress(FileNotFoundError), self._folder() as folder, self._opened(folder) as descriptor:
            data = os.read(descriptor, _MOST_BYTES + 1)
            if len(data) > _MOST_BYTES:
                raise ValueError("文件太大")
            return data.decode("utf-8", "surrogateescape")
        return ""

    def write(self, module: AnsibleModule, text: str) -> None:
        """Replace it; what a killed writer left beside it goes."""
        with self._folder(make=True) as folder:
            for left in os.listdir(folder):
                if left.startswith(_PREFIX):
                    os.unlink(left, dir_fd=folder)
            uid, gid, mode = self._owner
            context = self._context_of_new(module)
            with suppress(FileNotFoundError), self._opened(folder) as old:
                found = os.fstat(old)
                uid, gid, mode = found.st_uid, found.st_gid, stat.S_IMODE(found.st_mode)
                context = _context(old)
            name = _PREFIX + secrets.token_hex(8)
            descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600, dir_fd=folder)
            with os.fdopen(descriptor, "wb") as file:
                os.fchown(descriptor, uid, gid)
                os.fchmod(descriptor, mode)
                if context and context != _context(descriptor):
                    os.setxattr(descriptor, _CONTEXT, context)
                file.write(text.encode("utf-8", "surrogateescape"))
                file.flush()
                os.fsync(descriptor)
            os.rename(name, self._name, src_dir_fd=folder, dst_dir_fd=folder)
            os.fsync(folder)

    @contextmanager
    def _folder(self, make: bool = False):
        """Yield the folder's descriptor, reached through nothing that the account could lead elsewhere."""
        descriptor = os.open(self._from, _FOLDER)
        try:
            for step in self._steps:
                if make:
                    with suppress(FileExistsError):
                        os.mkdir(step, 0o700, dir_fd=descriptor)
                        os.chown(step, self._owner[0], self._owner[1], dir_fd=descriptor, follow_symlinks=False)
                try:
                    inner = os.open(step, _FOLDER | os.O_NOFOLLOW, dir_fd=descriptor)
                except NotADirectoryError:
                    raise ValueError("%s 不是目录，没有读也没有写" % step) from None
                os.close(descriptor)
                descriptor = inner
            yield descriptor
        finally:
            os.close(descriptor)

    @contextmanager
    def _opened(self, folder: int):
        try:
            descriptor = os.open(self._name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
        except OSError as error:
            if error.errno == errno.ELOOP:
                raise ValueError("是一个链接，没有读也没有写") from None
            raise
        try:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode) or found.st_uid not in (0, self._person.pw_uid):
                raise ValueError("不是这个账户或 root 自己的文件")
            yield descriptor
        finally:
            os.close(descriptor)

    def _context_of_new(self, module: AnsibleModule) -> bytes | None:
        if not module.selinux_enabled():
            return None
        usual = module.selinux_default_context(self.path, self._owner[2])
        return (":".join(usual) + "\0").encode() if usual and all(usual) else None


def _context(descriptor: int) -> bytes | None:
    try:
        return os.getxattr(descriptor, _CONTEXT)
    except OSError:
        return None


if __name__ == "__main__":
    main()
