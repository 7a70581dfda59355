from __future__ import annotations

import ctypes
import ctypes.util
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from panshi.facts import Facts, pam
from panshi.facts.pam import Rule, Scene, Walk, answer_for, parse_control, stack, walk

KEYWORDS = ("required", "requisite", "sufficient", "optional")
CODES = ("success", "auth_err", "ignore", "user_unknown", "new_authtok_reqd")
MODULES = (
    "pam_unix.so pam_deny.so pam_permit.so pam_faillock.so pam_succeed_if.so pam_sss.so pam_env.so pam_rootok.so "
    "pam_usertype.so pam_localuser.so pam_nologin.so"
)


def host(files: dict[str, str], modules: str = MODULES) -> Facts:
    paths = {name if name.startswith("/") else f"/etc/pam.d/{name}": text for name, text in files.items()}
    items: dict[str, Any] = {f"file:{path}": {"cmd": "cat", "out": text} for path, text in paths.items()}
    items["pam.modules"] = {"cmd": "ls", "out": "\n".join(modules.split())}
    return Facts({"globs": ["/etc/pam.d/*", "/etc/security/*"], "items": items})


def run(text: str, codes: dict[int, str] | None = None, **others: str) -> Walk:
    """Walk service ``x``; codes by line number of its file, success otherwise."""
    rules = stack(host({"x": text, **others}), "x", "auth")
    return walk(rules, lambda rule: (codes or {}).get(rule.line, "success"))


# --- against the real libpam -------------------------------------------------------------------------------------


class _Message(ctypes.Structure):
    _fields_ = (("style", ctypes.c_int), ("text", ctypes.c_char_p))


class _Response(ctypes.Structure):
    _fields_ = (("text", ctypes.c_void_p), ("code", ctypes.c_int))


_TALK = ctypes.CFUNCTYPE(
    ctypes.c_int,
    ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(_Message)),
    ctypes.POINTER(ctypes.POINTER(_Response)),
    ctypes.c_void_p,
)


class _Conversation(ctypes.Structure):
    _fields_ = (("talk", _TALK), ("data", ctypes.c_void_p))


def _libpam() -> ctypes.CDLL | None:
    name = ctypes.util.find_library("pam")
    library = ctypes.CDLL(name) if name else None
    debug = any(Path(root).glob("**/security/pam_debug.so") for root in ("/lib", "/usr/lib") if Path(root).is_dir())
    return library if library is not None and hasattr(library, "pam_start_confdir") and debug else None


LIBPAM = _libpam()
_LIBC = ctypes.CDLL(None)
_LIBC.calloc.restype = ctypes.c_void_p


@_TALK
def _silent(count: int, _messages: Any, responses: Any, _data: Any) -> int:
    memory = _LIBC.calloc(ctypes.c_size_t(count), ctypes.c_size_t(ctypes.sizeof(_Response)))
    responses[0] = ctypes.cast(memory, ctypes.POINTER(_Response))
    return 0


def real_grants(folder: Path) -> bool:
    """Return what the libpam of this machine answers for service ``x`` in a folder of PAM files."""
    assert LIBPAM is not None
    handle, talk = ctypes.c_void_p(), _Conversation(_silent, None)
    assert LIBPAM.pam_start_confdir(b"x", b"root", ctypes.byref(talk), str(folder).encode(), ctypes.byref(handle)) == 0
    result: int = LIBPAM.pam_authenticate(handle, 0)
    LIBPAM.pam_end(handle, result)
    return result == 0


ACTIONS = st.one_of(st.sampled_from(("ignore", "bad", "die", "ok", "done", "reset")), st.integers(1, 3).map(str))
BRACKETS = st.fixed_dictionaries({"default": ACTIONS}, optional=dict.fromkeys(CODES, ACTIONS)).map(
    lambda pairs: "[" + " ".join(f"{code}={action}" for code, action in pairs.items()) + "]"
)
MODULE = st.builds(
    "auth {} pam_debug.so auth={}".format, st.one_of(st.sampled_from(KEYWORDS), BRACKETS), st.sampled_from(CODES)
)
LEAF = st.lists(MODULE, min_size=1, max_size=4).map("\n".join)
BRANCH = st.one_of(
    MODULE, st.sampled_from(("auth substack DIR/a", "auth include DIR/a", "@include DIR/a", "auth substack DIR/b"))
)


@pytest.mark.skipif(LIBPAM is None, reason="no libpam with pam_start_confdir and pam_debug.so on this machine")
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(x=st.lists(BRANCH, min_size=1, max_size=6).map("\n".join), a=LEAF, b=LEAF)
def test_real_libpam_agrees_with_the_walk(tmp_path: Path, x: str, a: str, b: str) -> None:
    # absolute names, because pam_start_confdir of Linux-PAM 1.5.2 looks for included files in /etc/pam.d only
    texts = {"x": x, "a": a, "b": b + "\nauth include DIR/a", "other": "auth required pam_deny.so"}
    files = {name: text.replace("DIR", str(tmp_path)) + "\n" for name, text in texts.items()}
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    rules = stack(host({"x": files["x"], **{f"{tmp_path}/{name}": files[name] for name in "ab"}}), "x", "auth")
    mine = walk(rules, lambda rule: str(rule.option("auth")))
    assert mine.granted == real_grants(tmp_path)


# --- against the words of pam.conf(5) ----------------------------------------------------------------------------


def by_the_manual(lines: list[tuple[str, bool]]) -> bool:
    """Judge a flat stack of keywords as the manual describes them, without actions."""
    failed = succeeded = False
    for keyword, success in lines:
        if keyword == "sufficient" and success and not failed:
            return True
        if keyword in ("required", "requisite") and not success:
            failed = True
            if keyword == "requisite":
                return False
        succeeded = succeeded or (success and keyword != "sufficient")
    return succeeded and not failed


@given(st.lists(st.tuples(st.sampled_from(KEYWORDS), st.booleans()), min_size=1, max_size=8))
def test_parsed_keywords_follow_the_manual(lines: list[tuple[str, bool]]) -> None:
    text = "\n".join(f"auth {keyword} pam_x.so" for keyword, _ in lines)
    codes = {n: "success" if success else "auth_err" for n, (_, success) in enumerate(lines, 1)}
    assert run(text, codes).granted == by_the_manual(lines)


@given(st.lists(st.tuples(st.sampled_from(KEYWORDS), st.sampled_from(CODES)), min_size=1, max_size=6))
def test_parsed_include_is_the_same_as_writing_the_lines(lines: list[tuple[str, str]]) -> None:
    text = "\n".join(f"auth {keyword} pam_x.so" for keyword, _ in lines)
    codes = {n: code for n, (_, code) in enumerate(lines, 1)}
    assert run("auth include y", codes, y=text).granted == run(text, codes).granted


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_parsed_keyword_equals_its_bracket_form(keyword: str) -> None:
    control = parse_control(keyword)
    assert control is not None
    assert parse_control(" ".join(f"{code}={action}" for code, action in control.items())) == control


@pytest.mark.parametrize("bad", ["", "success", "success=maybe", "success=ok default=-1", "requird"])
def test_parsed_control_that_libpam_rejects(bad: str) -> None:
    assert parse_control(bad) is None
    assert not run(f"auth [{bad}] pam_x.so").granted


def test_parsed_jump_counts_a_substack_as_one_module() -> None:
    text = "auth [success=1 default=ignore] pam_a.so\nauth substack y\nauth required pam_b.so"
    ran = [rule.module for rule, _ in run(text, y="auth required pam_c.so\nauth required pam_d.so").steps]
    assert ran == ["pam_a.so", "pam_b.so"]


def test_parsed_jump_out_of_the_stack_fails() -> None:
    assert not run("auth required pam_a.so\nauth [success=3 default=ignore] pam_b.so\nauth required pam_c.so").granted


def test_parsed_die_in_a_substack_ends_only_the_substack_but_still_denies() -> None:
    result = run("auth substack y\nauth required pam_b.so", {1: "auth_err"}, y="auth requisite pam_a.so\n")
    assert [rule.module for rule, _ in result.steps] == ["pam_a.so", "pam_b.so"]
    assert not result.granted


def test_parsed_file_syntax() -> None:
    text = (
        "#%PAM-1.0\n"
        "-AUTH [success=1 \\\n   default=ignore] /lib/security/pam_unix.so nullok [conf=/etc/a b\\]c] # note\n"
        "account required pam_unix.so\n"
        "@include y\n"
    )
    first, second = stack(host({"x": text, "y": "auth required pam_env.so\nsession optional pam_x.so"}), "x", "auth")
    assert (first.module, first.args, first.line) == ("pam_unix.so", ("nullok", "conf=/etc/a b]c"), 2)
    assert first.action("success") == 1
    assert (second.module, second.path, second.level) == ("pam_env.so", "/etc/pam.d/y", 0)


@pytest.mark.parametrize(
    "line", ["auth include absent", "auth required", "auht required pam_permit.so", "auth include x"]
)
def test_parsed_line_that_libpam_cannot_use_denies(line: str) -> None:
    assert not run(f"auth required pam_permit.so\n{line}\n").granted


def test_parsed_service_without_lines_of_the_kind_uses_other() -> None:
    facts = host({"x": "account required pam_permit.so", "other": "auth required pam_deny.so"})
    assert [rule.module for rule in stack(facts, "x", "auth")] == ["pam_deny.so"]
    assert [rule.module for rule in stack(facts, "unknown", "auth")] == ["pam_deny.so"]
    assert not pam.has_service(facts, "unknown")


@pytest.mark.parametrize(
    ("args", "root", "person"),
    [
        ("uid >= 1000 quiet_success", False, True),
        ("quiet uid < 1000", True, False),
        ("user = root", True, False),
        ("user != root", False, True),
        ("user ingroup wheel", True, True),
    ],
)
def test_parsed_succeed_if(args: str, root: bool, person: bool) -> None:
    rules = stack(host({"x": f"auth required pam_succeed_if.so {args}"}), "x", "auth")
    present = frozenset(MODULES.split())
    assert walk(rules, answer_for(Scene(True, root=True), present, lambda _: "")).granted is root
    assert walk(rules, answer_for(Scene(True), present, lambda _: "")).granted is person


def test_parsed_missing_module_cannot_be_loaded() -> None:
    rules = stack(host({"x": "auth required pam_tally2.so\nauth sufficient pam_permit.so"}), "x", "auth")
    assert not walk(rules, answer_for(Scene(True), frozenset(("pam_permit.so",)), lambda _: "")).granted


def test_rule_option_takes_the_last_value() -> None:
    rule = Rule("auth", "pam_x.so", args=("deny=3", "silent", "deny=5"))
    assert (rule.option("deny"), rule.option("silent"), rule.option("audit")) == ("5", "", None)
