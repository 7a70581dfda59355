"""What the server does when somebody tries, not what its files say."""

from __future__ import annotations

import uuid

from testinfra.host import Host


def sql(host: Host, statement: str) -> str:
    """Return what the server says to its root, errors too."""
    with host.sudo():
        return str(host.run(f'mariadb --batch --skip-column-names -e "{statement}" 2>&1').stdout).strip()


def test_real_weak_password_is_refused(host: Host) -> None:
    assert "ERROR 1819" in sql(host, "CREATE USER weak@localhost IDENTIFIED BY 'short'")


def test_real_audit_hears_a_change_of_structure_and_its_plugin_cannot_be_unloaded(host: Host) -> None:
    assert sql(host, "CREATE DATABASE heard; DROP DATABASE heard") == ""
    with host.sudo():
        assert "heard" in host.file("/var/log/mysql-audit/audit.log").content_string
    assert "ERROR" in sql(host, "UNINSTALL SONAME 'server_audit'")


def test_real_rotation_of_the_audit_log_goes_on_in_a_new_file(host: Host) -> None:
    name = f"later_{uuid.uuid4().hex}"
    with host.sudo():
        assert host.run("logrotate --force /etc/logrotate.d/mariadb-audit").rc == 0
    sql(host, f"CREATE DATABASE {name}; DROP DATABASE {name}")
    with host.sudo():
        assert name in host.file("/var/log/mysql-audit/audit.log").content_string
        assert name not in host.file("/var/log/mysql-audit/audit.log.1").content_string


def test_real_files_of_the_host_are_out_of_reach(host: Host) -> None:
    assert sql(host, "SELECT LOAD_FILE('/etc/passwd')") == "NULL"
    assert "ERROR" in sql(host, "SELECT 1 INTO OUTFILE '/tmp/out'")


def test_real_data_are_closed_to_others(host: Host) -> None:
    with host.sudo():
        assert host.run("runuser -u nobody -- ls /var/lib/mysql").rc != 0
