"""What a new login shell has, asked of the shell itself."""

from __future__ import annotations

from testinfra.host import Host


def test_real_login_shell_closes_when_idle_and_cannot_be_told_otherwise(host: Host) -> None:
    done = host.run("su - ops -c 'echo $TMOUT; unset TMOUT'")
    assert 60 <= int(done.stdout.split()[0]) <= 900
    assert "readonly" in done.stderr


def test_real_login_shell_creates_private_files(host: Host) -> None:
    assert host.run("su - ops -c umask").stdout.strip() in ("0027", "0077")


def test_real_banner_is_told_before_login_and_names_no_version(host: Host) -> None:
    text = host.file("/etc/issue.net").content_string
    assert text.strip()
    assert not [word for word in ("Debian", "Kylin", "\\r", "\\s", "\\m") if word in text]
