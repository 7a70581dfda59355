"""A pair of MySQL servers that replicate, from Debian's development branch, with the accounts of the MariaDB pair."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from database import ACCOUNTS, INSTALLED, PRIMARY, REPLICA, Databases, declare_on_primary, declared, put, start_shop
from harden_run import Operator
from lab_copies import Copies, lab_copies
from rotation import VAULT_PASSWORD

LAB, SUBNET = "panshi-lab-my", "203.0.113.224/27"
# No release of Debian has MySQL, only its development branch has.
_INSTALL = """
set -e
export DEBIAN_FRONTEND=noninteractive
sed -i '1s/ trixie / sid /; 2,$d' /etc/apt/sources.list
apt-get -q -o Acquire::Check-Valid-Until=false update
apt-get -q -y --no-install-recommends install mysql-server
"""
_SETTINGS = """
[mysqld]
server_id={number}
gtid_mode=ON
enforce_gtid_consistency=ON
general_log=1
general_log_file=/var/lib/mysql/general.log
slow_query_log=1
long_query_time=0
slow_query_log_file=/var/lib/mysql/slow.log
bind_address=0.0.0.0
innodb_flush_log_at_trx_commit=2
read_only={read_only}
"""


class MySql(Databases):
    """The pair."""

    client = "mysql"

    def one_password_each(self, account: str) -> bool:
        """Return whether no host pattern of an account has a second password."""
        second = "JSON_EXTRACT(User_attributes, '$.additional_password') IS NOT NULL"
        return self.sql(PRIMARY, f"SELECT COUNT(*) FROM mysql.user WHERE user='{account}' AND {second}") == "0"


@contextmanager
def mysql_pair(folder: Path) -> Iterator[MySql]:
    """Start the pair, with accounts declared that were never rotated."""
    with lab_copies(folder / "estate", LAB, SUBNET, {PRIMARY: "deb13", REPLICA: "deb13"}) as copies:
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda host: _server(copies, host), (PRIMARY, REPLICA)))
        put(copies, PRIMARY, "/run/accounts.sql", ACCOUNTS.format(dba=f"BY '{INSTALLED}'"))
        copies.sh(PRIMARY, "mysql </run/accounts.sql; rm /run/accounts.sql")
        source = f"SOURCE_HOST='{copies.addresses[PRIMARY]}', SOURCE_USER='repl', SOURCE_PASSWORD='{INSTALLED}'"
        more = "SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1, SOURCE_CONNECT_RETRY=1"
        put(copies, REPLICA, "/run/source.sql", f"CHANGE REPLICATION SOURCE TO {source}, {more};\nSTART REPLICA;\n")
        copies.sh(REPLICA, "mysql </run/source.sql; rm /run/source.sql")
        start_shop(copies, "mysql")
        declare_on_primary(copies, declared())
        password_file = folder / "vault-password"
        password_file.write_text(f"{VAULT_PASSWORD}\n")
        (folder / "records").mkdir()
        yield MySql(Operator(copies, folder / "records"), password_file)


def _server(copies: Copies, host: str) -> None:
    put(copies, host, "/run/install", _INSTALL)
    done = copies.ssh(host, "sudo -n sh /run/install", seconds=900)
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-1000:]
    settings = _SETTINGS.format(number=int(host[-1]), read_only=int(host == REPLICA))
    put(copies, host, "/etc/mysql/mysql.conf.d/zz-test.cnf", settings)
    copies.sh(host, "systemctl restart mysql")
