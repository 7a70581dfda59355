"""The filter that says who else may become root, held against sudoers as a host lists them."""

from __future__ import annotations

from .test_filters import load

DECLARED = {
    "sudo_full_subjects": ["root", "%sudo"],
    "sudo_nopasswd_subjects": ["ops"],
    "sudo_root_equivalents": ["vim", "bash"],
}
FINE = """\
/etc/sudoers:root ALL=(ALL:ALL) ALL
/etc/sudoers:%sudo ALL=(ALL:ALL) ALL
/etc/sudoers:@includedir /etc/sudoers.d
/etc/sudoers.d/ops:ops ALL=(ALL) NOPASSWD: ALL
"""
undeclared_root = load("panshi_sudo").undeclared_root


def test_parsed_declared_grants_are_not_reported() -> None:
    """Root, the distribution's group and the registered automation are known."""
    assert undeclared_root(FINE, "web1", DECLARED) == ""


def test_parsed_undeclared_grants_are_named_with_file_and_line() -> None:
    """A program that opens a shell is as good as ALL, also by an alias of another file."""
    alias, rule = "a:Cmnd_Alias EDIT = /usr/bin/vim", "vendor:www ALL = EDIT"
    listing = f"{FINE}/etc/sudoers.d/{alias}\n/etc/sudoers.d/vendor:\n/etc/sudoers.d/{rule}\n"
    assert undeclared_root(listing, "web1", DECLARED) == "/etc/sudoers.d/vendor 第 2 行：www /usr/bin/vim"


def test_parsed_grants_of_another_host_are_not_reported() -> None:
    """A rule that names a host holds there only."""
    assert undeclared_root(f"{FINE}/etc/sudoers.d/x:www db1 = ALL\n", "web1", DECLARED) == ""
    assert "www" in undeclared_root(f"{FINE}/etc/sudoers.d/x:www db1 = ALL\n", "db1", DECLARED)
