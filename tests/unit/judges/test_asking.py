"""How judges are sent to hosts: the command, the folder that must go away, the rules that fit."""

from __future__ import annotations

import io
import signal
import tarfile
import threading
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from panshi.cli import app
from panshi.errors import PanshiError
from panshi.inventory import Host
from panshi.judges import content, remote, session, ssh_audit
from panshi.judges.figures import Figure, load

HOST = Host("web1", "192.0.2.7", port=2222, user="ops", key_file="/k", become=True, ssh_options={"proxyjump": "b"})


def test_ssh_command_carries_the_inventory_and_shares_no_connection() -> None:
    words = remote.ssh(HOST)
    assert words[:7] == ["ssh", "-p", "2222", "-i", "/k", "-l", "ops"] and words[-1] == "192.0.2.7"
    assert {"proxyjump=b", "batchmode=yes", "controlpath=none"} <= set(words)


def test_option_of_the_inventory_goes_before_ours() -> None:
    words = remote.ssh(Host("a", "192.0.2.1", ssh_options={"connecttimeout": "60", "configfile": "/c"}))
    assert "connecttimeout=60" in words and words[1:3] == ["-F", "/c"] and "configfile=/c" not in words


def run_here(monkeypatch: pytest.MonkeyPatch, home: Path, script: str, *, data: bytes) -> remote.Answer:
    """Run what would be sent to the host with this machine's own shell, as the account that root would be."""
    monkeypatch.setattr(remote, "ssh", lambda host: ["env", f"HOME={home}"])
    monkeypatch.setattr(remote, "_as_root_command", lambda host, text, seconds: (text, b""))
    real = remote.execute
    monkeypatch.setattr(remote, "execute", lambda argv, **more: real([*argv[:2], "sh", "-c", argv[2]], **more))
    return remote.run(HOST, script, data, timeout=20)


def test_real_folder_is_filled_private_and_gone_afterwards(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bundle = remote.pack({}, {"word.txt": "好"})
    script = 'cat word.txt; stat -c " %a" "$d"; cat "$APT_CONFIG"; pwd; test "$HOME" = "$d"'
    answer = run_here(monkeypatch, tmp_path, script, data=bundle)
    text = answer.out.decode()
    assert text.startswith('好 700\nDir::Cache::pkgcache "";\n') and f"{tmp_path}/.panshi-judge." in text
    assert list(tmp_path.iterdir()) == []


def test_real_folder_is_gone_after_a_failure_and_the_last_line_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    answer = run_here(monkeypatch, tmp_path, "echo 坏了 >&2; exit 7", data=remote.pack({}, {}))
    assert answer.why == "env 退出码 7：坏了" and list(tmp_path.iterdir()) == []


def test_real_program_that_hangs_or_is_missing_is_told() -> None:
    assert remote.execute(["sleep", "5"], timeout=0.2).why == "0 秒内没有完成"
    assert "没有命令 no-such-judge" in remote.execute(["no-such-judge"], timeout=5).why


def test_password_goes_before_the_bundle_and_never_into_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[list[str], bytes]] = []
    monkeypatch.setattr(remote, "execute", lambda argv, *, timeout, data: seen.append((argv, data)) or remote.Answer())
    host = Host("a", "192.0.2.1", user="ops", become=True, become_password="kept-apart")
    remote.run(host, "true", b"TAR", timeout=5)
    ((argv, data),) = seen
    assert data == b"kept-apart\nTAR" and not any("kept-apart" in word for word in argv)
    assert argv[-1].startswith("sudo -S -k -p '' timeout -k 15 1 sh -c ")


def test_real_host_ends_and_cleans_up_by_itself(tmp_path: Path) -> None:
    host = Host("a", "192.0.2.1", user="root")
    command, _ = remote._as_root_command(host, f"{remote._WRAPPER}sleep 60", 1)
    answer = remote.execute(["env", f"HOME={tmp_path}", "sh", "-c", command], timeout=20, data=remote.pack({}, {}))
    assert "退出码 124" in answer.why and list(tmp_path.iterdir()) == []


def test_operator_who_interrupts_does_not_wait_for_the_judges(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    began = time.monotonic()
    monkeypatch.setattr(session, "system_of", lambda host: "")
    monkeypatch.setattr(ssh_audit, "judge", lambda host, version: remote.execute(["sleep", "30"], timeout=60))
    interrupt = threading.Timer(0.3, signal.pthread_kill, [threading.get_ident(), signal.SIGINT])
    # A shell that starts pytest in the background has it ignore the signal.
    usual = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        interrupt.start()
        with pytest.raises(KeyboardInterrupt):
            session.hold("lab", [Host("a", "192.0.2.1")], "before", ["ssh-audit"], tmp_path, lambda figure: None)
    finally:
        signal.signal(signal.SIGINT, usual)
    assert time.monotonic() - began < 10 and not list(tmp_path.rglob("figures.json"))


def test_bundle_belongs_to_root_and_holds_no_links(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("x")
    (tmp_path / "link").symlink_to("real")
    with tarfile.open(fileobj=io.BytesIO(remote.pack({"tool": tmp_path / "link"}, {"a": "b"}))) as tar:
        assert [(one.name, one.isfile(), one.uid) for one in tar] == [("tool", True, 0), ("a", True, 0)]


def stream(folder: Path, release: str, *profiles: str) -> None:
    folder.mkdir(exist_ok=True)
    found = "".join(f'<xccdf-1.2:Profile id="xccdf_org.ssgproject.content_profile_{name}">' for name in profiles)
    (folder / f"ssg-debian{release}-ds.xml").write_text(found)


def test_rules_of_the_release_are_found_newest_folder_and_best_profile_first(tmp_path: Path) -> None:
    old, new = tmp_path / "old", tmp_path / "new"
    stream(old, "11", "anssi_np_nt28_high")
    stream(old, "12", "anssi_np_nt28_high")
    stream(new, "12", "anssi_np_nt28_high", "anssi_bp28_enhanced")
    found = [content.find("debian", release, (new, old)) for release in ("11", "12")]
    names = [rules if isinstance(rules, str) else (rules.file.parent.name, rules.name) for rules in found]
    assert names == [("old", "anssi_np_nt28_high"), ("new", "anssi_bp28_enhanced")]


def test_missing_rules_are_said_and_not_borrowed_from_another_release(tmp_path: Path) -> None:
    stream(tmp_path, "12", "standard")
    assert content.find("debian", "13", (tmp_path,)) == "ssg-debian 没有 Debian 13 的规则"
    assert content.find("debian", "12", (tmp_path,)) == "ssg-debian12-ds.xml 中没有 ANSSI 的规则集"
    assert content.find("kylin", "V10", (tmp_path,)) == "ssg-debian 没有 kylin 的规则"


def test_host_behind_a_jump_host_is_not_asked_by_ssh_audit() -> None:
    figure, words = ssh_audit.judge(HOST, "2.5.0")
    assert "跳板机" in figure.why and words == b""


def test_one_asking_is_written_with_every_judge_and_host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    systems = {"web1": session.System("debian", "13", "Debian 13"), "web2": "22 端口不通"}
    monkeypatch.setattr(session, "system_of", lambda host: systems[host.name])
    monkeypatch.setattr(content, "fetch", lambda folder: "软件源不通")
    monkeypatch.setattr(content, "cache", lambda: tmp_path / "none")
    monkeypatch.setattr(content, "SYSTEM", tmp_path / "none")
    monkeypatch.setattr(session.lynis, "bundle", lambda: b"")
    judged = Figure("lynis", "web1", "3.0.8", index=70), b"words"
    monkeypatch.setattr(session.lynis, "judge", lambda host, packed: judged)
    monkeypatch.setattr(
        ssh_audit, "judge", lambda host, version: (Figure("ssh-audit", host.name, passed=1, failed=0), b"")
    )
    told: list[Figure] = []
    hosts = [Host("web1", "192.0.2.1"), Host("web2", "192.0.2.2")]
    made, file = session.hold("lab", hosts, "after", session.JUDGES, tmp_path, told.append)
    assert load(file) == made and made.phase == "after" and len(told) == 6
    figures = {(figure.host, figure.judge): figure for figure in made.figures}
    assert figures["web1", "lynis"].index == 70 and figures["web1", "lynis"].os == "Debian 13"
    assert figures["web1", "openscap"].why == "ssg-debian 没有 Debian 13 的规则；软件源不通"
    assert figures["web2", "lynis"].why == "22 端口不通" and figures["web2", "ssh-audit"].judged
    assert [path.name for path in (file.parent / "raw").iterdir()] == ["web1.lynis.gz"]


def test_missing_tool_is_said_in_the_figure(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent() -> bytes:
        raise FileNotFoundError(2, "没有文件", "/usr/sbin/lynis")

    packed = session.Tools().bundle("lynis", absent)
    assert isinstance(packed, str) and "scripts/system-packages tests" in packed


@pytest.mark.parametrize("words", [["--phase", "during"], ["--judge", "nessus"], ["--judge", ","]])
def test_wrong_words_are_one_clear_error_before_anything_is_asked(words: list[str]) -> None:
    result = CliRunner().invoke(app, ["judges", "-i", "no-such-inventory", *words])
    assert isinstance(result.exception, PanshiError) and result.exception.code == "PS-E4201"
