"""A host with Redis, nginx and Tomcat from Debian's packages, whose users' passwords are rotated."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harden_run import Operator
from lab_copies import lab_copies
from rotation import Rotation

from panshi.secret import Entry, SecretId, Version

HOST = "app1"
# Administrator of the first server, with a password that was imported; the second server asks nobody for one.
KEEPER, INSTALLED = "keeper", "installed-by-somebody"
# The first server keeps its users in redis.conf, its default user's password in the old way too; the second one keeps
# them in a file of their own, and is reached by a local socket only.
REDIS = f"""
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q update >/dev/null
apt-get -q -y --no-install-recommends install redis-server nginx-light >/dev/null
cd /etc/redis
sed -e 's/^port .*/port 0/' -e 's/^pidfile .*/pidfile \\/run\\/redis-cache\\/redis-server.pid/' \
    -e 's/^dbfilename .*/dbfilename cache.rdb/' -e 's/^logfile .*/logfile ""/' redis.conf >redis-cache.conf
printf 'unixsocket /run/redis-cache/redis.sock\\naclfile /etc/redis/cache.acl\\n' >>redis-cache.conf
printf 'user default on nopass ~* &* +@all\\nuser shop on >first ~shop:* +@all\\n' >cache.acl
printf 'requirepass first\\nuser {KEEPER} on >{INSTALLED} ~* +@all\\n' >>redis.conf
chown redis:redis redis-cache.conf cache.acl
systemctl restart redis-server redis-server@cache
cat >/etc/nginx/users <<'END'
# who may look
other:$6$saltsaltsaltsalt$unknown:not rotated
deployer:$apr1$saltsalt$unknown:by hand
END
chmod 640 /etc/nginx/users
chgrp www-data /etc/nginx/users
cat >/etc/nginx/sites-enabled/default <<'END'
server {{
  listen 80;
  root /var/www/html;
  auth_basic "users";
  auth_basic_user_file /etc/nginx/users;
}}
END
systemctl reload nginx
"""
TOMCAT = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y --no-install-recommends install tomcat10 tomcat10-admin >/dev/null
cd /etc/tomcat10
sed -i 's|</tomcat-users>|<!-- 部署 -->\\n  <user username="deployer" password="first" roles="manager-script"/>\\n\
  <user username="other" password="kept" roles="manager-gui"/>\\n</tomcat-users>|' tomcat-users.xml
sed -i 's|<Engine name="Catalina" defaultHost="localhost">|<Engine name="Catalina" defaultHost="localhost"\
 backgroundProcessorDelay="1">|' server.xml
systemctl restart tomcat10
"""
MANAGER = "http://127.0.0.1:8080/manager/text/list"
KEEPER_USER, DEFAULT_USER = (
    {"account": name, "target": "redis", "at": {"admin": KEEPER}} for name in (KEEPER, "default")
)
SOCKET = "/run/redis-cache/redis.sock"
CACHE_ADMIN, CACHE_USER = (
    {"account": name, "target": "redis", "scope": "cache", "at": {"socket": SOCKET}} for name in ("default", "shop")
)
NGINX = {"account": "deployer", "target": "htpasswd", "at": {"file": "/etc/nginx/users", "url": "http://127.0.0.1/"}}
MANAGED = {"account": "deployer", "target": "tomcat", "at": {"file": "/etc/tomcat10/tomcat-users.xml", "url": MANAGER}}
_HTTP = """
import sys, urllib.request
url, name, value = sys.argv[1:]
manager = urllib.request.HTTPPasswordMgrWithDefaultRealm()
manager.add_password(None, url, name, value)
opener = urllib.request.build_opener(urllib.request.HTTPBasicAuthHandler(manager))
try:
    print(opener.open(url, timeout=10).status)
except urllib.error.HTTPError as error:
    print(error.code)
"""


@dataclass(frozen=True)
class Users(Rotation):
    """The operator of that host; an account is named by its kind and its name there."""

    def entry(self, scope: str, account: str) -> Entry:
        """Return what the store knows."""
        kind, _, name = account.partition("/")
        return self.store.read(SecretId(scope, kind, name))

    def sh(self, script: str) -> str:
        """Run a script on the host as root."""
        return self.copies.sh(HOST, script)

    def install(self, script: str) -> None:
        """Install what one of the scripts above describes."""
        done = self.copies.ssh(HOST, f"sudo -n sh -c {shlex.quote(script)}", seconds=900)
        assert done.returncode == 0, done.stderr

    def declare(self, *accounts: dict[str, Any]) -> None:
        """Declare whose passwords are rotated."""
        self.copies.variables(accounts_passwords=list(accounts))

    def let_in(self, scope: str, account: str, value: str) -> bool:
        """Log in by another program than the one under test."""
        kind, _, name = account.partition("/")
        if kind == "redis":
            where = f"-s {SOCKET}" if scope == "cache" else "-p 6379"
            said = self.sh(f"REDISCLI_AUTH='{value}' redis-cli {where} --user {name} ACL WHOAMI 2>&1")
            assert "WRONGPASS" in said or "NOPERM" in said or said.strip().endswith(name), said
            return "WRONGPASS" not in said
        url = MANAGER if kind == "tomcat" else "http://127.0.0.1/"
        status = self.sh(f"python3 -c '{_HTTP}' {url} {name} '{value}'").strip()
        assert status in ("200", "403", "401"), status
        return status != "401"

    def whole(self, scope: str, account: str) -> None:
        """Exactly one password works, it is the store's current one, and nothing is left undone."""
        entry = self.entry(scope, account)
        assert entry.pending is None and entry.current is not None
        assert self.let_in(scope, account, entry.current.value), (scope, account)
        if entry.previous:
            assert not self.let_in(scope, account, entry.previous[0].value), (scope, account)

    def known(self, scope: str, account: str) -> bool:
        """Return whether one of the store's passwords works now."""
        return any(self.let_in(scope, account, value) for value in self.entry(scope, account).known().values())


@contextmanager
def users(folder: Path) -> Iterator[Users]:
    """Start the host, without Tomcat; the store knows the password of the first server's administrator."""
    password_file = folder / "vault-password"
    with lab_copies(folder / "estate", "panshi-lab-fil", "198.51.100.192/27", {HOST: "deb12"}) as copies:
        password_file.write_text("of-the-test-only\n")
        (folder / "records").mkdir()
        made = Users(Operator(copies, folder / "records"), password_file)
        made.install(REDIS)
        secret = SecretId(HOST, "redis", KEEPER)
        with made.store.hold(HOST):
            made.store.write(Entry(secret, Version("imported", INSTALLED, "2026-11-01T00:00:00Z")))
        yield made
