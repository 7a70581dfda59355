"""The PAM files that os_login writes whole, walked the way libpam does it, also for versions that the lab has not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import jinja2
import pytest

from panshi.facts import Facts, pam, pam_password
from panshi.facts.pam_lockout import lockout

ROOT = Path(__file__).resolve().parents[3]
TEMPLATES = ROOT / "roles/os_login/templates"
KYLIN = ROOT / "panshi/lab/recipes/kylin10/root/etc/pam.d"
ARGUMENTS = "deny=5 unlock_time=600"
ROOT_TOO = f"{ARGUMENTS} even_deny_root root_unlock_time=300"


def rendered(name: str, lockout_arguments: str = ROOT_TOO, modules: tuple[str, ...] = ()) -> str:
    """Render a template with Ansible's whitespace rules; an undefined variable is an error."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name).render(
        harden_apply=["linux-pw-enforce-root"],
        os_login_fail_delay_seconds=2,
        os_login_directory_modules=modules,
        os_login_hash="sha512",
        os_login_su_group="wheel",
        __os_login_lockout_arguments=lockout_arguments,
        __os_login_history_arguments="remember=5 enforce_for_root",
    )


def kylin(lockout_arguments: str = ROOT_TOO, modules: tuple[str, ...] = ()) -> Facts:
    """Return facts of the emulated Kylin after the role wrote its files."""
    files = {path.name: path.read_text(encoding="utf-8") for path in KYLIN.iterdir()}
    stack = rendered("system-auth.j2", lockout_arguments, modules)
    files |= {"system-auth": stack, "password-auth": stack, "su": rendered("su-rpm.j2")}
    present = {
        rule.module
        for name in ("sshd", "login", "su", "sudo", "passwd")
        for kind in pam.KINDS
        for rule in pam.stack(_facts(files, ()), name, kind)
    }
    return _facts(files, present)


def _facts(files: dict[str, str], present: Any) -> Facts:
    items: dict[str, Any] = {f"file:/etc/pam.d/{name}": {"cmd": "cat", "out": text} for name, text in files.items()}
    items["pam.modules"] = {"cmd": "ls", "out": "\n".join(present)}
    items["pkg.rpm"] = {"cmd": "rpm", "out": "pam\t0:1.4.0-8.ky10\tx86_64\tpam-1.4.0-8.src.rpm\t1\n"}
    return Facts({"globs": ["/etc/pam.d/*", "/etc/security/*"], "items": items})


@pytest.mark.parametrize("modules", [(), ("pam_sss.so",)], ids=["local", "directory"])
@pytest.mark.parametrize("service", ["sshd", "login", "su", "sudo"])
def test_parsed_kylin_stack_locks_and_opens_every_service(service: str, modules: tuple[str, ...]) -> None:
    facts = kylin(modules=modules)
    for root in (False, True):
        found = lockout(facts, service, root)
        assert found.problem == ""
        assert found.resets
        assert found.options is not None
        assert (found.options.deny, found.options.unlock_time, found.options.root_unlock_time) == (5, 600, 300)


def test_parsed_root_is_spared_when_its_lock_was_not_chosen() -> None:
    found = lockout(kylin(ARGUMENTS), "sshd", root=True)
    assert found.options is not None
    assert not found.options.even_deny_root


def test_parsed_kylin_password_stack_refuses_weak_and_old_passwords() -> None:
    facts = kylin()
    assert [quality.for_root for quality in pam_password.qualities(facts)] == [True]
    history = pam_password.history(facts)
    assert history is not None and history.remember == 5
    assert pam_password.hash_method(facts)[0] == "sha512"


@pytest.mark.parametrize(("member", "granted"), [(True, True), (False, False)])
def test_parsed_su_is_for_members_of_the_group(member: bool, granted: bool) -> None:
    facts = kylin()

    def special(rule: pam.Rule) -> str:
        if rule.module == "pam_wheel.so":
            return "success" if member else "perm_denied"
        return "ignore" if "authfail" in rule.args else ""

    answer = pam.answer_for(pam.Scene(right=True), pam.modules(facts), special)
    assert pam.walk(pam.stack(facts, "su", "auth"), answer).granted is granted


def test_parsed_tally2_profile_of_old_debian_locks() -> None:
    """What pam-auth-update of Debian 10 makes of the profile: its lines before pam_unix, the jump past pam_deny."""
    lines = rendered("pam-config-tally2.j2").split("Auth:\n")[1].split("Account-Type")[0]
    auth = f"auth {lines.strip()}\nauth [success=1 default=ignore] pam_unix.so nullok\n"
    auth += "auth requisite pam_deny.so\nauth required pam_permit.so\n"
    facts = _facts({"sshd": auth}, ["pam_tally2.so", "pam_unix.so", "pam_deny.so", "pam_permit.so"])
    found = lockout(facts, "sshd", root=True)
    assert found.problem == ""
    assert found.options is not None
    assert (found.options.deny, found.options.unlock_time, found.options.even_deny_root) == (5, 600, True)
