#!/usr/bin/python
"""One account of a MariaDB or MySQL server, and the password that a replica logs in with (docs/design.md, 9)."""

from __future__ import annotations

import fnmatch
import hashlib
import ipaddress
import json
import os
import re
import subprocess
import time

from ansible.module_utils.basic import AnsibleModule

DOCUMENTATION = """
module: panshi_mysql
short_description: Looks at, sets, retires or tries the password of a database account; gives a replica a new one
version_added: "1.0.0"
author: Panshi
description:
  - For the action plugin C(panshi_rotate) only, which sends it over standard input.
  - The server is asked by its own command-line client, as the operating system's root, SQL on its standard input. New
    logins take the password from a pipe. No password is in an argument, the environment or a file; a statement with a
    password in clear is sent only after the session's statement log is off, and never gets into the binary log.
options:
  verb:
    description: What is wanted.
    type: str
    choices: [look, set, retire, login, replica, follow]
    required: true
  account:
    description: C(user), for all its host patterns, or C(user@pattern).
    type: str
    required: true
  socket:
    description: The server's socket, where it is not the client's default.
    type: path
  password:
    description: For C(set), C(retire), C(login) and C(follow).
    type: str
  known:
    description: For C(look), passwords by name, to be tried.
    type: dict
    default: {}
  channel:
    description: For C(replica) and C(follow), the connection's name where it has one.
    type: str
    default: ""
"""

EXAMPLES = """
- name: Is there an account that can be rotated
  panshi_mysql:
    verb: look
    account: app
"""

RETURN = """
state:
  description: fit, or what is wrong, C(unasked), C(unsupported), C(replica), C(absent), C(locked), C(expired),
    C(plugin), C(different) or C(unprovable), with C(why) in words.
  type: str
  returned: look
which:
  description: Name of the known password that every host pattern of the account takes, or nothing.
  type: str
  returned: look
dual:
  description: Whether an old and a new password can work side by side.
  type: bool
  returned: look
refusal:
  description: What the server's password policy says; nothing was changed then.
  type: str
  returned: set
retired:
  description: Whether there was another password.
  type: bool
  returned: retire
logins:
  description: Per host pattern, whether it takes the password, and whether a login or the stored hash says so.
  type: list
  returned: login
status:
  description: How the replica stands.
  type: dict
  returned: replica, follow
"""

_SECONDS = 15
# A replica that has been given a new password is connected within a second; a loaded one takes longer.
_CONNECT_SECONDS = 20
_NATIVE = "mysql_native_password"
# Plugins that keep a password in the server.
_MARIADB_PLUGINS = (_NATIVE, "ed25519", "parsec")
_MYSQL_PLUGINS = (_NATIVE, "caching_sha2_password", "sha256_password")
_DENIED = ("1045", "1698", "3118", "4151")
_NO_WAY = ("1130", "2002", "2003", "2005", "2013", "1129")
_REFUSED = "1819"


def main() -> None:
    """Ansible's entry."""
    module = AnsibleModule(
        argument_spec={
            "verb": {
                "type": "str",
                "choices": ["look", "set", "retire", "login", "replica", "follow"],
                "required": True,
            },
            "account": {"type": "str", "required": True},
            "socket": {"type": "path"},
            "password": {"type": "str", "no_log": True},
            "known": {"type": "dict", "no_log": True, "default": {}},
            "channel": {"type": "str", "default": ""},
        },
        required_if=[("verb", verb, ["password"]) for verb in ("set", "retire", "login", "follow")],
        supports_check_mode=False,
    )
    given = module.params
    try:
        server = Server(given["socket"])
        if given["verb"] == "look":
            result = look(server, given["account"], given["known"])
        elif given["verb"] == "set":
            result = {"refusal": change(server, given["account"], given["password"])}
        elif given["verb"] == "retire":
            result = {"retired": retire(server, given["account"], given["password"])}
        elif given["verb"] == "login":
            result = {"logins": logins(server, server.account(given["account"]), given["password"])}
        elif given["verb"] == "replica":
            result = {"status": server.replica(given["channel"])}
        else:
            result = {"status": follow(server, given["channel"], given["password"])}
    except (Failed, OSError, ValueError, subprocess.SubprocessError) as error:
        # What the client says of a statement quotes it.
        said = str(error).replace(given["password"] or "\0", "********")
        module.fail_json(msg=said)
    module.exit_json(changed=given["verb"] in ("set", "retire", "follow"), **result)


class Failed(Exception):
    """The server could not be asked, or said no; ``code`` is its number."""

    def __init__(self, said: str, code: str = "") -> None:
        super().__init__(said)
        self.code = code


class Server:
    """The server on this host, asked as root."""

    def __init__(self, socket: str | None) -> None:
        self.socket = socket
        self.client = next((name for name in ("mariadb", "mysql") if _has(name)), "")
        if not self.client:
            raise Failed("没有 mariadb 或 mysql 客户端")
        self.version, self.port, self.listens = "", 0, ""
        self.mariadb = self.judges = self.dual = False

    def ask(self, *statements: str) -> list:
        """Run statements in one session, of which the general and the slow log hear nothing; return rows of fields."""
        quiet = "SET SESSION sql_log_off=1;\n"
        if self.mariadb:
            quiet += "SET SESSION slow_query_log=0;\n"
        return self.run(quiet + "".join(f"{one};\n" for one in statements), "--show-warnings")

    def run(self, script: str, *options: str) -> list:
        """Run a script of SQL; the first statement that fails ends it."""
        argv = [self.client, "--batch", "--raw", "--skip-column-names", "--connect-timeout=10", *options]
        argv += [f"--socket={self.socket}"] if self.socket else []
        status, out, err = _run(argv, script)
        if status:
            raise Failed(*_said(out + err))
        return [line.split("\t") for line in out.splitlines()]

    def begin(self) -> None:
        """Ask what server it is."""
        judges = "SELECT COUNT(*) FROM information_schema.plugins WHERE plugin_type='PASSWORD VALIDATION'"
        (fields,) = self.run(f"SELECT VERSION(), @@port, @@socket, ({judges});\n")
        self.version, self.port, self.listens = fields[0], int(fields[1]), fields[2]
        self.mariadb, self.judges = "mariadb" in self.version.lower(), fields[3] != "0"

    def number(self) -> tuple:
        """Return the version as numbers."""
        return tuple(int(one) for one in re.findall(r"\d+", self.version)[:3])

    def account(self, name: str) -> list:
        """Return the rows of an account, see :class:`Row`, and say in ``dual`` whether two passwords are possible."""
        self.begin()
        user, at, pattern = name.rpartition("@")
        where = f"user={text(user if at else name)}" + (f" AND host={text(pattern)}" if at else "")
        if self.mariadb:
            asked = f"SELECT host, JSON_COMPACT(priv) FROM mysql.global_priv WHERE {where} ORDER BY host;\n"
            rows = [mariadb_row(user if at else name, fields[0], json.loads(fields[1])) for fields in self.run(asked)]
            self.dual = all(row.native for row in rows) and not self.judges
        else:
            also = "User_attributes" if self.number() >= (8, 0) else "NULL"
            columns = f"host, plugin, HEX(authentication_string), account_locked, password_expired, ssl_type, {also}"
            asked = f"SELECT {columns} FROM mysql.user WHERE {where} ORDER BY host;\n"
            rows = [mysql_row(user if at else name, fields) for fields in self.run(asked)]
            self.dual = self.number() >= (8, 0, 14)
        return [row for row in rows if not row.role]

    def replica(self, channel: str = "") -> dict:
        """Return how this server stands as a replica; an empty dictionary when it is none."""
        if not self.version:
            self.begin()
        new = not self.mariadb and self.number() >= (8, 0, 22)
        words = "SHOW REPLICA STATUS" if new else "SHOW SLAVE STATUS"
        if self.mariadb and channel:
            words = f"SHOW SLAVE {text(channel)} STATUS"
        elif channel:
            words += f" FOR CHANNEL {text(channel)}"
        argv = [self.client, "--batch", "--vertical", "--connect-timeout=10"]
        argv += [f"--socket={self.socket}"] if self.socket else []
        status, out, err = _run(argv, f"{words};\n")
        if status:
            raise Failed(*_said(err))
        return parse_replica(out)

    def login(self, user: str, password: str, host: str, tls: bool) -> tuple:
        """Log in anew, by the socket or to an address; return whom the server sees, or its error's number and words."""
        options = [
            "[client]",
            f"user={_option(user)}",
            f"password={_option(password)}",
            # MySQL's client and that of newer MariaDB; the other one does not know them
            "loose-get-server-public-key=1",
            "loose-disable-ssl-verify-server-cert",
            *(["ssl"] if tls else []),
            *(
                [f"host={host}", "protocol=tcp", f"port={self.port}"]
                if host
                else ["protocol=socket", f"socket={self.listens}"]
            ),
        ]
        read, write = os.pipe()
        with os.fdopen(write, "w") as pipe:
            pipe.write("\n".join(options) + "\n")
        try:
            argv = [self.client, f"--defaults-file=/dev/fd/{read}", "--batch", "--skip-column-names"]
            argv += ["--connect-timeout=10", "--execute=SELECT CURRENT_USER()"]
            status, out, err = _run(argv, "", (read,))
        finally:
            os.close(read)
        if status:
            said, code = _said(err)
            if code not in (*_DENIED, *_NO_WAY):
                raise Failed(f"{user} 的登录没能尝试：{said}", code)
            return "", code, said
        return out.strip(), "", ""


class Row:
    """One host pattern of an account.

    Args:
        user: name.
        host: pattern.
        ways: how it may log in, any of them: plugin and stored text; with passwords and others.
        locked, expired, role: as the server says.
        tls: 0 not asked for, 1 any, 2 with a certificate.
        other: a second password beside the first (MySQL).
    """

    def __init__(
        self,
        user: str,
        host: str,
        ways: list,
        plugins: tuple,
        locked: bool = False,
        expired: bool = False,
        role: bool = False,
        tls: int = 0,
        other: bool = False,
    ) -> None:
        self.user, self.host, self.ways = user, host, ways
        self.locked, self.expired, self.role, self.tls, self.other = locked, expired, role, tls, other
        self.passwords = [(plugin, stored) for plugin, stored in ways if plugin in plugins]

    @property
    def native(self) -> bool:
        """Whether all its passwords are kept as a hash that can be compared without a login."""
        return bool(self.passwords) and all(plugin == _NATIVE for plugin, _ in self.passwords)

    def has(self, password: str) -> bool:
        """Return whether a stored hash is that of a password."""
        return (_NATIVE, native_hash(password)) in self.passwords

    @property
    def name(self) -> str:
        """The account as SQL has it."""
        return f"{text(self.user)}@{text(self.host)}"


def mariadb_row(user: str, host: str, priv: dict) -> Row:
    """Return a row of mysql.global_priv (MariaDB 10.4 and later)."""
    first = (priv.get("plugin", ""), priv.get("authentication_string", ""))
    # an empty one in the list stands for the first
    ways = [
        (one["plugin"], one.get("authentication_string", "")) if one else first for one in priv.get("auth_or", [{}])
    ]
    return Row(
        user,
        host,
        ways,
        _MARIADB_PLUGINS,
        locked=bool(priv.get("account_locked")),
        expired=priv.get("password_last_changed") == 0,
        role=bool(priv.get("is_role")),
        tls=min(int(priv.get("ssl_type", 0)), 2),
    )


def mysql_row(user: str, fields: list) -> Row:
    """Return a row of mysql.user (MySQL 5.7 and later)."""
    host, plugin, stored, locked, expired, tls, attributes = fields
    data = json.loads(attributes) if attributes not in ("NULL", "") else {}
    return Row(
        user,
        host,
        [(plugin, bytes.fromhex(stored).decode("latin-1"))],
        _MYSQL_PLUGINS,
        locked=locked == "Y",
        expired=expired == "Y",
        tls={"": 0, "ANY": 1}.get(tls, 2),
        other="additional_password" in data,
    )


def look(server: Server, name: str, known: dict) -> dict:
    """Return whether the account can be rotated, and which known password it has."""
    try:
        rows = server.account(name)
    except Failed as error:
        return _unfit("unasked", str(error))
    if server.number() < ((10, 4) if server.mariadb else (5, 7)):
        return _unfit("unsupported", server.version)
    if not rows:
        return _unfit("absent", "")
    if any(row.locked for row in rows):
        return _unfit("locked", "")
    if any(row.expired for row in rows):
        return _unfit("expired", "")
    # SET PASSWORD changes one of several; only of native ones all can be changed.
    if odd := [row for row in rows if not row.passwords or (len(row.passwords) > 1 and not row.native)]:
        return _unfit("plugin", "、".join(f"{row.name} {'+'.join(way for way, _ in row.ways)}" for row in odd))
    if (status := server.replica()) and not _primary(server):
        return _unfit("replica", status["source"])
    if len({tuple(row.passwords) for row in rows}) > 1 and not known and all(row.native for row in rows):
        return _unfit("different", "、".join(row.name for row in rows))
    which = next((key for key, value in known.items() if _taken(server, rows, value)), "")
    # Whether a pattern can be proven at all shows with a wrong password as well.
    if blind := [] if which else [one["row"] for one in logins(server, rows, "wrong") if not one["by"]]:
        return _unfit("unprovable", "、".join(blind))
    return {"state": "fit", "why": "", "which": which, "dual": server.dual}


def _taken(server: Server, rows: list, password: str) -> bool:
    if all(row.native for row in rows):
        return all(row.has(password) for row in rows)
    return all(one["accepted"] for one in logins(server, rows, password))


def _unfit(state: str, why: str) -> dict:
    return {"state": state, "why": why, "which": "", "dual": False}


def _primary(server: Server) -> bool:
    """Return whether a server that is a replica has replicas of its own and is written to, as one of a ring is."""
    dumps = "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'"
    (fields,) = server.run(f"SELECT @@read_only, ({dumps});\n")
    return fields[0] == "0" and fields[1] != "0"


def change(server: Server, name: str, password: str) -> str:
    """Set a password, beside the old one where that is possible; return what the server's policy says against it."""
    rows = server.account(name)
    try:
        for statement in set_statements(server, rows, password):
            server.ask(statement)
    except Failed as error:
        if error.code != _REFUSED:
            raise
        return str(error) + _policy(server)
    return ""


def set_statements(server: Server, rows: list, password: str) -> list:
    """Return the statements that set a password.

    MariaDB has no second password, but an account may have several ways to log in: the new hash is one more of them. A
    hash cannot be judged by a policy of the server; where there is one it gets the clear text, which SET PASSWORD alone
    keeps out of the binary log. MySQL keeps clear texts out of its logs itself.
    """
    if not server.mariadb:
        retain = (
            " RETAIN CURRENT PASSWORD" if server.dual and all(stored for row in rows for _, stored in row.ways) else ""
        )
        return ["ALTER USER " + ", ".join(f"{row.name} IDENTIFIED BY {text(password)}{retain}" for row in rows)]
    if not server.dual:
        return [f"SET PASSWORD FOR {row.name} = PASSWORD({text(password)})" for row in rows]
    new = (_NATIVE, native_hash(password))
    return ["ALTER USER " + ", ".join(_via(row, [*(one for one in row.ways if one != new), new]) for row in rows)]


def retire(server: Server, name: str, password: str) -> bool:
    """Leave one password; return whether there was another."""
    rows = server.account(name)
    statements = retire_statements(server, rows, password)
    for statement in statements:
        server.ask(statement)
    return bool(statements)


def retire_statements(server: Server, rows: list, password: str) -> list:
    """Return the statements that leave one password; what is no password, as unix_socket, stays in its place."""
    if not server.mariadb:
        return [f"ALTER USER {row.name} DISCARD OLD PASSWORD" for row in rows if row.other]
    several = [row for row in rows if len(row.passwords) > 1]
    if any(not row.has(password) for row in several):
        raise Failed("账户有几个密码，新密码不在其中")
    new = (_NATIVE, native_hash(password))
    changed = []
    for row in several:
        place = row.ways.index(row.passwords[0])
        ways = [new if number == place else one for number, one in enumerate(row.ways)]
        changed.append(
            _via(row, [one for number, one in enumerate(ways) if number == place or one not in row.passwords])
        )
    return ["ALTER USER " + ", ".join(changed)] if changed else []


def _via(row: Row, ways: list) -> str:
    return f"{row.name} IDENTIFIED VIA " + " OR ".join(
        plugin + (f" USING {text(stored)}" if stored else "") for plugin, stored in ways
    )


def logins(server: Server, rows: list, password: str) -> list:
    """Try a password on every host pattern: by a login that the server counts as that pattern, else by the hash.

    Each answer has ``row``, ``accepted``, ``by`` (login, hash, or empty: it cannot be known) and ``detail``.
    """
    own = ["127.0.0.1", "::1", *_run(["hostname", "-I"], "")[1].split()]
    answers = []
    for row in rows:
        answer = {"row": f"{row.user}@{row.host}", "accepted": False, "by": "", "detail": ""}
        for host in () if row.tls == 2 else routes(row.host, own):
            seen, code, said = server.login(row.user, password, host, row.tls == 1)
            if code in _NO_WAY or (seen and seen != f"{row.user}@{row.host}"):
                answer["detail"] = said or f"这样登录是 {seen}"
                continue
            answer.update(accepted=bool(seen), by="login", detail=said)
            break
        # A refused login may have been counted as another, narrower pattern.
        if row.native and (answer["by"] == "" or not answer["accepted"]) and row.has(password):
            answer.update(accepted=True, by="hash")
        elif row.native and answer["by"] == "":
            answer.update(by="hash")
        answers.append(answer)
    return answers


def routes(pattern: str, own: list) -> list:
    """Return from where on this host a login would count as a host pattern: its own addresses; "" is the socket."""
    if pattern == "localhost":
        return [""]
    fits = [address for address in own if matches(pattern, address)]
    # The address that others see is the better witness.
    return sorted(fits, key=lambda address: address in ("127.0.0.1", "::1"))


def matches(pattern: str, address: str) -> bool:
    """Return whether an address matches a host pattern of the server: % and _, or address/netmask."""
    if "/" in pattern:
        try:
            return ipaddress.ip_address(address) in ipaddress.ip_network(pattern, strict=False)
        except ValueError:
            return False
    escaped = re.sub(r"([*?\[])", r"[\1]", pattern)
    return fnmatch.fnmatchcase(address, escaped.replace("%", "*").replace("_", "?"))


def follow(server: Server, channel: str, password: str) -> dict:
    """Give a replica the password that it logs in to its source with, and wait until it has done so."""
    server.begin()
    server.ask(*follow_statements(server.mariadb, server.number(), channel, password))
    deadline = time.monotonic() + _CONNECT_SECONDS
    while True:
        status = server.replica(channel)
        if (status["io"], status["sql"]) == ("Yes", "Yes") or time.monotonic() > deadline:
            return status
        time.sleep(0.1)


def follow_statements(mariadb: bool, version: tuple, channel: str, password: str) -> list:
    """Return the statements; none of them is in the binary log. Where it reads on is kept."""
    if mariadb:
        name = f" {text(channel)}" if channel else ""
        return [f"STOP SLAVE{name}", f"CHANGE MASTER{name} TO MASTER_PASSWORD={text(password)}", f"START SLAVE{name}"]
    name = f" FOR CHANNEL {text(channel)}" if channel else ""
    if version >= (8, 0, 23):
        change_to = f"CHANGE REPLICATION SOURCE TO SOURCE_PASSWORD={text(password)}{name}"
        # The other thread may have been stopped by an earlier try; it needs no start when it runs.
        return [f"STOP REPLICA IO_THREAD{name}", change_to, f"START REPLICA{name}"]
    change_to = f"CHANGE MASTER TO MASTER_PASSWORD={text(password)}{name}"
    return [f"STOP SLAVE IO_THREAD{name}", change_to, f"START SLAVE{name}"]


def parse_replica(told: str) -> dict:
    """Return what SHOW REPLICA STATUS says, printed upright: threads, user, source, errors, seconds behind."""
    fields = dict(re.findall(r"^\s*(\w+): ?(.*)$", told, re.M))
    if not fields:
        return {}

    def field(*names: str) -> str:
        return next((fields[name].strip() for name in names if name in fields), "")

    return {
        "io": field("Replica_IO_Running", "Slave_IO_Running"),
        "sql": field("Replica_SQL_Running", "Slave_SQL_Running"),
        "user": field("Source_User", "Master_User"),
        "source": field("Source_Host", "Master_Host"),
        "behind": field("Seconds_Behind_Source", "Seconds_Behind_Master"),
        "error": field("Last_IO_Error") or field("Last_SQL_Error"),
        "denied": field("Last_IO_Errno") in _DENIED,
    }


def native_hash(password: str) -> str:
    """Return what mysql_native_password keeps of a password."""
    if not password:
        return ""
    return "*" + hashlib.sha1(hashlib.sha1(password.encode()).digest()).hexdigest().upper()


def text(value: str) -> str:
    """Return a text as SQL writes it, whatever the mode of the server says about backslashes."""
    if "\\" in value or "\0" in value:
        raise ValueError("反斜线不能用在账户名与密码里")
    return "'" + value.replace("'", "''") + "'"


def _option(value: str) -> str:
    return '"' + value.replace("\\", "\\\\") + '"'


def _policy(server: Server) -> str:
    """Return the settings of MySQL's policy, which itself does not say which of them is broken."""
    if server.mariadb:
        return ""
    rows = server.run("SHOW VARIABLES LIKE 'validate_password%';\n")
    return "（" + "，".join(f"{name.rpartition('.')[2]}={value}" for name, value in rows) + "）"


def _said(err: str) -> tuple:
    """Return what the client said in one line, the cause before its consequence, and the number of the error."""
    errors = re.findall(r"^ERROR (\d+)[^:]*: (.*)$", err, re.M)
    notes = re.findall(r"^(?:Warning|Error|Note) \(Code (\d+)\): (.*)$", err, re.M)
    refused = [said for code, said in notes if code == _REFUSED]
    if refused:
        return refused[0], _REFUSED
    if errors:
        return errors[-1][1].strip(), errors[-1][0]
    return (err.strip().splitlines() or ["没有回答"])[-1], ""


def _has(name: str) -> bool:
    return any(os.access(os.path.join(folder, name), os.X_OK) for folder in os.environ.get("PATH", "").split(":"))


def _run(argv: list, script: str, pass_fds: tuple = ()) -> tuple:
    """Run a program; English in its messages, and no history of what it read."""
    environment = {**os.environ, "LC_ALL": "C", "MYSQL_HISTFILE": "/dev/null", "MARIADB_HISTFILE": "/dev/null"}
    done = subprocess.run(
        argv,
        input=script,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        timeout=_SECONDS,
        pass_fds=pass_fds,
        env=environment,
        universal_newlines=True,
    )
    return done.returncode, done.stdout, done.stderr


if __name__ == "__main__":
    main()
