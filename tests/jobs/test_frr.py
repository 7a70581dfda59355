"""A real router (FRRouting): backed up, changed with a way back, and where it was after every accident."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from lab_copies import ROOT, Copies, lab_copies

from panshi.network.change import Change, ChangeFailed, Login, Probe, change, take_back_open
from panshi.network.config import parse, patch
from panshi.network.session import Device, Session, open_device

pytestmark = pytest.mark.lab

LINES = [
    "ip route 203.0.113.128/26 blackhole",
    "interface lo",
    "description 变更",
    "exit",
    "access-list MANAGEMENT seq 7 permit 192.0.2.0/24",
]
QUICK = {"patience": 10.0, "pause": 0.2}
# A controller that is killed while it asks its probe, which never answers.
CONTROLLER = """
import sys, threading
from pathlib import Path
from test_frr import LINES, login_to
from panshi.network.change import Change, Probe, change

def never(session):
    print("asked", flush=True)
    threading.Event().wait()

address, lab, state = sys.argv[1:]
change(Change(LINES), login_to(address, Path(lab)), state=Path(state), probes=[Probe("停在这里", never)])
"""


def login_to(address: str, lab: Path) -> Login:
    """Return what logs in to the router's own command line, with the lab's key."""
    device = Device(
        "r1",
        "frr",
        address,
        "netops",
        known_hosts=lab / "known_hosts",
        key_file=str(lab / "id_ed25519"),
        encoding="utf-8",
        timeout=10.0,
    )

    @contextmanager
    def login() -> Iterator[Session]:
        with open_device(device, "") as session:
            yield session

    return login


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Copies]:
    folder = tmp_path_factory.mktemp("frr") / "estate"
    with lab_copies(folder, "panshi-lab-frr", "203.0.113.160/27", {"r1": "r1"}) as copies:
        yield copies


@pytest.fixture
def login(router: Copies) -> Login:
    return login_to(router.addresses["r1"], router.state.root)


def saved(router: Copies) -> str:
    """Return the router's file, read by another way than the session's."""
    return router.sh("r1", "cat /etc/frr/frr.conf")


def running(router: Copies) -> str:
    return router.sh("r1", "vtysh -c 'show running-config'")


def test_real_a_change_is_made_proven_and_saved_and_the_same_again_is_nothing(
    router: Copies, login: Login, tmp_path: Path
) -> None:
    with login() as session:
        before = session.running()
        assert session.is_saved()
    seen: list[bool] = []
    probe = Probe("到路由的新登录", lambda session: seen.append("203.0.113.128/26" in session.running()) or "")  # type: ignore[func-returns-value]
    done = change(Change(LINES, **QUICK), login, state=tmp_path / "s", probes=[probe])
    assert (done.lines, seen) == (len(LINES), [True])
    for text in (running(router), saved(router)):
        assert {"ip route 203.0.113.128/26 blackhole", " description 变更"} <= set(text.splitlines())
    assert "blackhole 203.0.113.128/26" in router.sh("r1", "ip route")  # the kernel's word
    with login() as session:
        after = session.running()
        assert patch(parse(after, "frr"), parse(after, "frr"), "frr") == []
    back = patch(parse(after, "frr"), parse(before, "frr"), "frr")
    change(Change(back, intended=before, **QUICK), login, state=tmp_path / "s")
    assert "203.0.113.128/26" not in running(router) + saved(router) + router.sh("r1", "ip route")


def accident(router: Copies, login: Login, state: Path, lines: list[str]) -> ChangeFailed:
    """Make a change that fails, and see that the router is where it was."""
    before = running(router), saved(router)
    with pytest.raises(ChangeFailed) as failed:
        change(Change(lines, **QUICK), login, state=state)
    assert (running(router), saved(router)) == before
    assert not list(state.glob("*.json"))
    return failed.value


def test_real_a_line_that_is_refused_in_the_middle_is_taken_back(router: Copies, login: Login, tmp_path: Path) -> None:
    error = accident(router, login, tmp_path, [*LINES[:1], "no such line", *LINES[1:]])
    assert (error.code, error.cause, error.proven) == ("PS-E8004", "PS-E8041", True)
    assert "% Unknown command: no such line" in error.message


def test_real_a_save_that_fails_is_taken_back(router: Copies, login: Login, tmp_path: Path) -> None:
    router.sh("r1", "mount --bind /etc/frr /etc/frr && mount -o remount,bind,ro /etc/frr")
    try:
        error = accident(router, login, tmp_path, LINES)
    finally:
        router.sh("r1", "umount /etc/frr")
    assert (error.code, error.cause) == ("PS-E8004", "PS-E8044")


def test_real_a_probe_that_fails_takes_it_back(router: Copies, login: Login, tmp_path: Path) -> None:
    before = running(router), saved(router)
    with pytest.raises(ChangeFailed, match="网关不通"):
        change(Change(LINES, **QUICK), login, state=tmp_path, probes=[Probe("网关", lambda session: "网关不通")])
    assert (running(router), saved(router)) == before


def test_real_a_controller_killed_between_push_and_save_is_finished_by_the_next_run(
    router: Copies, login: Login, tmp_path: Path
) -> None:
    before = running(router), saved(router)
    arguments = [router.addresses["r1"], str(router.state.root), str(tmp_path / "s")]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}:{Path(__file__).parent}"}
    command = [sys.executable, "-c", CONTROLLER, *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as controller:
        assert controller.stdout is not None and controller.stdout.readline() == "asked\n"
        controller.kill()
    assert running(router) != before[0]  # no timer takes it back: it is said in the documentation, and seen here
    assert saved(router) == before[1]
    assert "已撤回" in take_back_open(login, state=tmp_path / "s", pause=0.2)
    assert (running(router), saved(router)) == before


def test_real_sessions_that_die_with_the_line_that_cuts_them_are_said_and_the_next_run_takes_it_back(
    router: Copies, login: Login, tmp_path: Path
) -> None:
    before = running(router), saved(router)
    with pytest.raises(ChangeFailed) as failed:
        change(Change([*LINES, "interface eth0", "shutdown"], patience=2.0, pause=0.2), login, state=tmp_path)
    assert (failed.value.code, failed.value.proven) == ("PS-E8005", False)
    assert saved(router) == before[1]
    # The console: what an operator does, and all that it takes.
    router.sh("r1", "vtysh -c 'configure terminal' -c 'interface eth0' -c 'no shutdown'")
    router.in_network_of("r1", "ip", "route", "replace", "default", "via", router.gateway)
    assert "已撤回" in take_back_open(login, state=tmp_path, pause=0.2)
    assert (running(router), saved(router)) == before


def test_real_a_backup_is_kept_once_and_again_only_when_it_differs(router: Copies, tmp_path: Path) -> None:
    (tmp_path / "vault").write_text("Store-Password-1\n", encoding="ascii")
    router.variables(
        panshi_net_known_hosts=str(router.state.known_hosts),
        panshi_net_state=str(tmp_path / "state"),
        panshi_records=str(tmp_path / "records"),
    )
    environment = {**os.environ, "ANSIBLE_VAULT_PASSWORD_FILE": str(tmp_path / "vault"), "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "ansible", "playbook", "-i", str(router.folder / "hosts.yml")]
    command.append(str(ROOT / "playbooks" / "network_backup.yml"))
    runs = [
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120) for _ in (1, 2)
    ]
    assert [run.returncode for run in runs] == [0, 0], runs[0].stdout + runs[0].stderr
    assert ["changed=1" in run.stdout for run in runs] == [True, False]
    kept = (tmp_path / "state" / "backups" / "r1" / "running.cfg").read_text(encoding="utf-8")
    assert "access-list MANAGEMENT seq 10 deny any\n" in kept
