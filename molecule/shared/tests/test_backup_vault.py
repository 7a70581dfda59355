"""The vault as its own programs describe it: sshd's answer for a client's account, units, and who can read what."""

from __future__ import annotations

import json

from testinfra.host import Host

PROGRAM = "/usr/local/lib/panshi/panshi_vault.py"


def test_real_sshd_gives_a_client_one_command_and_nothing_else(host: Host) -> None:
    told = host.run("/usr/sbin/sshd -T -C user=vault-db1,host=db1,addr=127.0.0.1").stdout.lower().splitlines()
    wanted = [f"forcecommand {PROGRAM} serve", "authorizedkeysfile /etc/ssh/panshi-vault/%u", "permittty no"]
    wanted += ["disableforwarding yes", "passwordauthentication no", "authenticationmethods publickey"]
    assert set(wanted) <= set(told)
    others = host.run("/usr/sbin/sshd -T -C user=ops,host=db1,addr=127.0.0.1").stdout.lower()
    assert "forcecommand none" in others and "denyusers mallory" in others


def test_real_key_and_parent_are_roots_and_the_password_is_for_root_alone(host: Host) -> None:
    key = host.file("/etc/ssh/panshi-vault/vault-db1")
    assert key.user == "root" and key.content_string.startswith("restrict ssh-ed25519 ")
    folder, repo = host.file("/srv/panshi-vault/db1"), host.file("/srv/panshi-vault/db1/repo")
    assert (folder.user, folder.mode, repo.user, repo.mode) == ("root", 0o750, "vault-db1", 0o700)
    assert host.run("runuser -u vault-db1 -- cat /etc/panshi-vault/db1.password").rc != 0
    assert host.run("runuser -u vault-db1 -- touch /srv/panshi-vault/db1/x").rc != 0
    assert host.run("runuser -u vault-db1 -- ls /srv/panshi-vault/db1/held").rc != 0


def test_real_jobs_run_by_themselves_and_tell_that_nothing_has_come(host: Host) -> None:
    for job in ("watch", "keep", "check"):
        assert host.service(f"panshi-vault@{job}.timer").is_enabled
        assert host.service(f"panshi-vault@{job}.timer").is_running
        assert host.run(f"systemctl start panshi-vault@{job}.service").rc == 0
    status = json.loads(host.file("/var/lib/panshi-vault/status.json").content_string)
    assert {job: one["state"] for job, one in status["clients"]["db1"].items()} == dict.fromkeys(
        ("watch", "keep", "check"), "empty"
    )
