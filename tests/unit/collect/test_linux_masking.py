"""What leaves a host masked, and what must not be masked because checks need it."""

from __future__ import annotations

import pytest

from panshi.collect import linux

SECRET = "Zq7-not-a-word"
HASH = "$6$rounds=5000$saltsalt$" + "h" * 86


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        (f"password={SECRET}", "password="),
        (f"password_admin={SECRET}", "password_admin="),
        (f"if password == {SECRET}:", "if password ="),
        (f'password = "{SECRET}', "password = "),
        (f"DB_PASSWORD = '{SECRET}'", "DB_PASSWORD = "),
        (f'"api_key": "{SECRET}"', '"api_key": '),
        (f"baseurl=https://zhang:{SECRET}@mirror.example/os", "baseurl=https://zhang:***@mirror.example/os"),
        (f"deb https://u:{SECRET}@mirror.example/debian stable main", "@mirror.example/debian stable main"),
        (f"0 3 * * * root mysqldump -u root -p{SECRET} app", "mysqldump -u root -p"),
        (f"0 3 * * * root sshpass -p {SECRET} ssh backup", "ssh backup"),
        (f"0 3 * * * root redis-cli -h cache -a {SECRET} save", "redis-cli -h cache -a "),
        (f"0 3 * * * root curl -u zhang:{SECRET} https://site.example", "curl -u zhang:"),
        (f"curl -H 'Authorization: Bearer {SECRET}' https://site.example", "https://site.example"),
        (f"0 3 * * * root tool --password {SECRET} --verbose", "--verbose"),
        (f"*.* :ommysql:db.example,logs,writer,{SECRET}", ":ommysql:db.example,logs,writer,"),
        (f"rocommunity {SECRET} 192.0.2.0/24", "192.0.2.0/24"),
        (f"machine git.example login zhang password {SECRET}", "login zhang"),
        (f"password_pbkdf2 root grub.pbkdf2.sha512.10000.{'AB' * 40}", "password_pbkdf2 root grub.pbkdf2.***"),
        (f"GRUB2_PASSWORD={SECRET}", "GRUB2_PASSWORD="),
        (f"root:{HASH}:19000:0:99999:7:::", "root:$6$***"),
        (f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}\n-----END OPENSSH PRIVATE KEY-----\nafter", "after"),
        (f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET} and no end", "RSA PRIVATE KEY"),
        (f"export MYSQL_PWD={SECRET}", "export MYSQL_PWD="),
        (f"//nas.example/x /mnt cifs username=zhang,password={SECRET},ro 0 0", "username=zhang,password="),
    ],
)
def test_parsed_secret_values_go_and_the_rest_stays(text: str, kept: str) -> None:
    masked = linux.mask(text)
    assert SECRET not in masked
    assert "AB" * 10 not in masked
    assert "h" * 10 not in masked
    assert "***" in masked
    assert kept in masked


@pytest.mark.parametrize(
    "text",
    [
        "%ops ALL=(ALL) NOPASSWD: ALL",
        "Defaults passwd_timeout=1, passwd_tries=3, !targetpw",
        "Defaults:zhang !authenticate",
        "passwd:         files systemd sss",
        "password requisite pam_pwquality.so retry=3 minlen=12 authtok_type=",
        "password [success=1 default=ignore] pam_unix.so obscure use_authtok try_first_pass sha512",
        "auth required pam_faillock.so preauth deny=5 unlock_time=900",
        "PasswordAuthentication yes",
        "PermitEmptyPasswords no",
        "AuthorizedKeysCommand /usr/bin/sss_ssh_authorizedkeys",
        "PASS_MAX_DAYS\t90",
        "PASS_MIN_LEN 8",
        "minlen = 12",
        "-a always,exit -F arch=b64 -S openat -F path=/etc/passwd -F key=passwd_changes",
        "-w /etc/shadow -p wa -k identity",
    ],
)
def test_parsed_words_that_only_speak_about_passwords_stay(text: str) -> None:
    assert linux.mask(text, linux.EQUALS) == text


@pytest.mark.parametrize(
    "text",
    ["passwd_file=/etc/vsftpd/users", "password_timeout: 30", "$ActionFileDefaultTemplate RSYSLOG_Format", "umask 027"],
)
def test_parsed_harmless_settings_stay_in_any_file(text: str) -> None:
    assert linux.mask(text) == text


def test_parsed_pam_secrets_go() -> None:
    assert linux.mask(f"auth required pam_mysql.so user=reader passwd={SECRET}", linux.EQUALS).endswith("passwd=***")


def test_parsed_hash_in_passwd_and_group_goes() -> None:
    text = "root:x:0:0::/root:/bin/bash\nold:aB3dE5gH7jK9m:7:7::/:/bin/sh\nblank::8:8::/:/bin/sh\nsys:*:3:\n"
    masked = "root:x:0:0::/root:/bin/bash\nold:***:7:7::/:/bin/sh\nblank::8:8::/:/bin/sh\nsys:*:3:\n"
    assert linux.mask_second_field(text) == masked


@pytest.mark.parametrize(
    ("field", "state", "algorithm"),
    [
        ("", "empty", ""),
        ("*", "disabled", ""),
        ("!", "disabled", ""),
        ("!!", "disabled", ""),
        ("!*", "disabled", ""),
        ("*LK*", "disabled", ""),
        ("x", "disabled", ""),
        (HASH, "set", "6"),
        ("$y$j9T$salt$hash", "set", "y"),
        ("$1$salt$hash", "set", "1"),
        ("$2b$12$saltandhash", "set", "2b"),
        ("$sm3$salt$hash", "set", "sm3"),
        ("!" + HASH, "locked", "6"),
        ("!!" + HASH, "locked", "6"),
        ("aB3dE5gH7jK9m", "set", "des"),
        ("!aB3dE5gH7jK9m", "locked", "des"),
        ("_J9..saltHashHash123", "set", "des"),
    ],
)
def test_parsed_shadow_state(field: str, state: str, algorithm: str) -> None:
    assert linux.shadow_state(field) == (state, algorithm)


@pytest.mark.parametrize(
    ("exe", "arguments", "main"),
    [
        ("java", ["-Xmx1g", "-jar", f"/srv/{'app.jar'}", f"--password={SECRET}"], "app.jar"),
        ("java", ["-cp", "/srv/lib", "com.example.Main", SECRET], "com.example.Main"),
        ("python3", ["-c", f"password='{SECRET}'"], ""),
        ("python3", ["-m", "http.server", SECRET], "http.server"),
        ("python3", ["-W", "ignore", "/srv/run.py", SECRET], "run.py"),
        ("perl", ["-e", SECRET], ""),
    ],
)
def test_parsed_process_arguments_never_leave_whole(exe: str, arguments: list[str], main: str) -> None:
    assert linux.main_of(exe, arguments) == main
