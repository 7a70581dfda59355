"""The real lab: its hosts answer, a second ``up`` changes nothing, ``down`` removes only what the lab made.

The standing lab is only looked at. What breaks hosts happens in a second small lab beside it, with its own state
directory, network and names.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import yaml

from panshi.lab import machine
from panshi.lab.description import Lab, load
from panshi.lab.state import State, default_directory

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
DESCRIPTION = REPOSITORY / "inventories" / "lab" / "lab.yml"
LAB = load(DESCRIPTION)
STATE = State(default_directory())
HOSTS = [host.name for host in LAB.hosts]


def run(*argv: str, env: dict[str, str] | None = None, timeout: float = 590) -> subprocess.CompletedProcess[str]:
    """Run a program; the result tells how it ended."""
    environment = {**machine.environment(STATE.containers_conf), **(env or {})}
    return subprocess.run(argv, capture_output=True, text=True, timeout=timeout, check=False, env=environment)


def panshi_lab(*arguments: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run a lab command as a user would."""
    return run(sys.executable, "-m", "panshi.lab", *arguments, env={"PYTHONPATH": str(REPOSITORY), **(env or {})})


def ssh(state: State, host: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a host by plain ssh."""
    return run("ssh", "-F", str(state.ssh_config), "-o", "BatchMode=yes", "-o", "ConnectTimeout=10", host, command)


def remote(host: str, command: str) -> str:
    """Return what a command on a host of the standing lab prints; it must succeed."""
    done = ssh(STATE, host, command)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@pytest.fixture(scope="module", autouse=True)
def standing_lab() -> None:
    """Have the standing lab up; nothing is changed if it is."""
    done = panshi_lab("up")
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("host", HOSTS)
def test_real_host_has_booted_without_a_failed_unit(host: str) -> None:
    assert remote(host, "systemctl is-system-running --wait") == "running"
    assert remote(host, "hostname") == host


@pytest.mark.parametrize("host", HOSTS)
def test_real_ops_becomes_root_without_a_password(host: str) -> None:
    assert remote(host, "id -un; sudo -n id -un").split() == ["ops", "root"]


def test_real_identities_differ() -> None:
    identities = {remote(host, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") for host in HOSTS}
    assert len(identities) == len(HOSTS)


def test_real_unrecorded_host_key_is_refused() -> None:
    options = ("-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "BatchMode=yes")
    done = run("ssh", "-F", str(STATE.ssh_config), *options, "deb12", "true")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_real_ansible_reaches_every_host_through_the_inventory() -> None:
    command = [sys.executable, "-m", "ansible", "adhoc", "-i", str(DESCRIPTION.with_name("hosts.yml")), "all"]
    done = run(*command, "-m", "ansible.builtin.raw", "-a", "id -un", env={"ANSIBLE_NOCOLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("root") >= len(HOSTS)


def test_real_second_up_changes_nothing() -> None:
    before = snapshot(LAB, STATE)
    done = panshi_lab("up")
    assert done.returncode == 0
    assert "本次创建或启动 0 台" in done.stdout
    assert snapshot(LAB, STATE) == before


def test_real_status_shows_every_host_answering() -> None:
    done = panshi_lab("status", env={"COLUMNS": "200"})
    assert done.returncode == 0
    for host in HOSTS:
        line = next(line for line in done.stdout.splitlines() if f" {host} " in line)
        assert "运行中" in line
        assert ("仿真" in line) == (host == "kylin10")


def test_real_debian_11_has_pending_security_updates_and_debian_12_had_them_installed() -> None:
    count = "apt list --upgradable 2>/dev/null | grep -c security || true"
    assert int(remote("deb11", count)) > 0
    assert remote("deb12", "dpkg-query -W openssh-server") > remote("deb11", "dpkg-query -W openssh-server")


def test_real_nopy12_has_no_python() -> None:
    assert remote("nopy12", "ls /usr/bin/python* /usr/local/bin/python* 2>/dev/null || true") == ""


def test_real_vm12_has_its_own_kernel_and_reaches_the_containers() -> None:
    assert remote("vm12", "uname -r") != os.uname().release
    assert remote("vm12", "systemd-detect-virt") == "qemu"
    deb12 = next(host for host in LAB.hosts if host.name == "deb12")
    assert remote("vm12", f"timeout 10 bash -c 'head -c 7 </dev/tcp/{deb12.address}/22'") == "SSH-2.0"


def test_emulated_kylin_says_that_it_is_emulated() -> None:
    assert 'VARIANT_ID="emulated"' in remote("kylin10", "cat /etc/os-release")
    assert "仿真" in remote("kylin10", "cat /etc/motd")


def test_emulated_kylin_looks_rpm_only() -> None:
    assert remote("kylin10", "rpm -q --qf '%{VERSION}' openssh-server") == "8.2p1"
    assert remote("kylin10", "command -v dpkg apt-get; ls -d /var/lib/dpkg /etc/debian_version 2>/dev/null; :") == ""


def test_emulated_kylin_has_one_security_update_pending_and_one_installed() -> None:
    pending = remote("kylin10", "sudo dnf -C -q updateinfo list --security")
    installed = remote("kylin10", "sudo dnf -C -q updateinfo list --security --installed")
    assert ("PANSHI-EMU-SA-0001" in pending, "PANSHI-EMU-SA-0002" in pending) == (True, False)
    assert ("PANSHI-EMU-SA-0001" in installed, "PANSHI-EMU-SA-0002" in installed) == (False, True)


class Beside:
    """A second lab: one Debian container, one emulated Kylin, one virtual machine."""

    def __init__(self, root: Path) -> None:
        self.state = State(root / "state")
        self.file = root / "lab.yml"
        data = yaml.safe_load(DESCRIPTION.read_text(encoding="utf-8"))
        hosts = {
            "deb12": ("t1", "198.51.100.211"),
            "kylin10": ("t2", "198.51.100.212"),
            "vm12": ("t3", "198.51.100.221"),
        }
        data |= {
            "name": "panshi-lab-jobs",
            "subnet": "198.51.100.128/25",
            "hosts": {new: data["hosts"][old] | {"address": address} for old, (new, address) in hosts.items()},
        }
        self.write(data)

    def write(self, data: dict[str, object]) -> None:
        """Describe the lab."""
        self.file.write_text(yaml.safe_dump(data, allow_unicode=True), encoding="utf-8")

    def __call__(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a lab command on this lab."""
        environment = {"PANSHI_LAB_FILE": str(self.file), "PANSHI_LAB_DIR": str(self.state.root)}
        return panshi_lab(*arguments, env=environment)

    def ssh(self, host: str, command: str) -> subprocess.CompletedProcess[str]:
        """Run a command on one of its hosts."""
        return ssh(self.state, host, command)

    def up(self, *arguments: str) -> str:
        """Bring it up, which must succeed, and return what was printed."""
        done = self("up", *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    """Describe the second lab, and take it down at the end."""
    lab = Beside(tmp_path)
    yield lab
    done = lab("down")
    assert done.returncode == 0, done.stderr


def test_real_killed_container_comes_back_with_its_files(beside: Beside) -> None:
    beside.up("--only", "t1")
    assert beside.ssh("t1", "touch kept").returncode == 0
    pid = int(run("podman", "inspect", "-f", "{{.State.Pid}}", "panshi-lab-jobs-t1").stdout)
    os.kill(pid, signal.SIGKILL)
    run("podman", "wait", "panshi-lab-jobs-t1")
    assert "本次创建或启动 1 台" in beside.up("--only", "t1")
    assert beside.ssh("t1", "ls kept").stdout == "kept\n"


def test_real_host_keys_survive_nothing_but_a_new_host(beside: Beside) -> None:
    beside.up("--only", "t1")
    first = beside.state.known_hosts.read_text(encoding="utf-8")
    beside.up("--only", "t1")
    assert beside.state.known_hosts.read_text(encoding="utf-8") == first
    assert beside("down", "--only", "t1").returncode == 0
    assert beside.state.known_hosts.read_text(encoding="utf-8") == ""
    beside.up("--only", "t1")
    assert beside.state.known_hosts.read_text(encoding="utf-8") != first


def test_real_killed_vm_comes_back_with_its_files_and_leaves_nothing_behind(beside: Beside) -> None:
    beside.state.prepare()
    for image in STATE.images.glob("vm12-*"):
        run("cp", "--recursive", "--sparse=always", str(image), str(beside.state.images))
    beside.up("--only", "t3")
    assert beside.ssh("t3", "touch kept; sync").returncode == 0
    pid = json.loads((beside.state.host("t3") / "process").read_text(encoding="ascii"))["pid"]
    os.kill(pid, signal.SIGKILL)
    assert "已停止" in beside("status").stdout
    assert "本次创建或启动 1 台" in beside.up("--only", "t3")
    assert beside.ssh("t3", "ls kept").stdout == "kept\n"
    assert beside("down").returncode == 0
    assert not Path("/sys/class/net/panshi-t3").exists()
    assert not beside.state.host("t3").exists()
    assert "panshi-lab-jobs" not in run("podman", "network", "ls").stdout


def test_real_down_leaves_a_foreign_container_and_its_network_untouched(beside: Beside) -> None:
    beside.up("--only", "t1")
    image = run("podman", "inspect", "-f", "{{.Image}}", "panshi-lab-jobs-t1").stdout.strip()
    foreign = ("--name", "panshi-lab-jobs-foreign", "--network", "panshi-lab-jobs")
    assert run("podman", "run", "--detach", *foreign, image, "sleep", "600").returncode == 0
    try:
        done = beside("down")
        assert done.returncode == 1
        assert "PS-E2014" in done.stderr
        assert run("podman", "inspect", "-f", "{{.State.Status}}", "panshi-lab-jobs-foreign").stdout == "running\n"
        assert run("podman", "container", "exists", "panshi-lab-jobs-t1").returncode == 1
    finally:
        run("podman", "rm", "--force", "--time", "0", "panshi-lab-jobs-foreign")


def test_real_name_taken_by_a_foreign_container_is_said_and_not_taken_over(beside: Beside) -> None:
    image = run("podman", "inspect", "-f", "{{.Image}}", "panshi-lab-deb12").stdout.strip()
    assert run("podman", "create", "--name", "panshi-lab-jobs-t1", image, "true").returncode == 0
    try:
        done = beside("up", "--only", "t1")
        assert (done.returncode, "PS-E2013" in done.stderr) == (1, True)
    finally:
        run("podman", "rm", "panshi-lab-jobs-t1")


def test_real_failing_image_does_not_hold_up_the_other_hosts(beside: Beside) -> None:
    data = yaml.safe_load(beside.file.read_text(encoding="utf-8"))
    data["images"]["kylin10"]["suite"] = "nosuchsuite"
    beside.write(data)
    done = beside("up", "--only", "t1,t2")
    assert done.returncode == 1
    assert done.stderr.count("PS-E") == 2  # the code and its page, on one line
    assert "PS-E2006" in done.stderr
    assert (beside.state.logs / "image-kylin10.log").is_file()
    assert beside.ssh("t1", "true").returncode == 0


def test_real_sudo_refusal_shows_which_pam_file_decides(beside: Beside) -> None:
    """Emulated Kylin: sudo and su read system-auth, sshd reads password-auth, each through include or substack."""
    beside.up("--only", "t2")
    in_host: Callable[[str], subprocess.CompletedProcess[str]] = lambda command: run(  # noqa: E731
        "podman", "exec", "panshi-lab-jobs-t2", "sh", "-c", command
    )
    password = "Lab-only-2026"
    prepare = f"useradd eve && echo 'eve:{password}' | chpasswd"
    su = f"echo {password} | runuser -u ops -- su eve -c id"
    assert in_host(prepare).returncode == 0
    assert in_host(su).returncode == 0
    assert beside.ssh("t2", "sudo -n id").returncode == 0

    remove = "sed -i.good '/^auth.*pam_unix.so/d' /etc/pam.d/system-auth"
    assert in_host(remove).returncode == 0
    assert in_host(su).returncode != 0
    assert in_host("mv /etc/pam.d/system-auth.good /etc/pam.d/system-auth").returncode == 0
    assert in_host(f"faillock --user eve --reset; {su}").returncode == 0

    deny = "sed -i.good '/^account/i account requisite pam_deny.so' /etc/pam.d/{}"
    assert in_host(deny.format("system-auth")).returncode == 0
    assert beside.ssh("t2", "true").returncode == 0
    assert beside.ssh("t2", "sudo -n id").returncode != 0
    assert in_host(deny.format("password-auth")).returncode == 0
    assert beside.ssh("t2", "true").returncode == 255


def test_real_range_in_use_is_refused_before_anything_is_done(beside: Beside) -> None:
    data = yaml.safe_load(beside.file.read_text(encoding="utf-8"))
    data["subnet"] = str(LAB.subnet)
    for number, host in enumerate(data["hosts"].values(), start=1):
        host["address"] = str(LAB.subnet[60 + number])
    beside.write(data)
    done = beside("up", "--only", "t1")
    assert (done.returncode, "PS-E2004" in done.stderr) == (1, True)
    assert "panshi-lab-jobs" not in run("podman", "network", "ls").stdout


def snapshot(lab: Lab, state: State) -> dict[str, str]:
    """Return what would change if a host were made or started anew."""
    found = {}
    for host in lab.hosts:
        if host.kind == "vm":
            found[host.name] = (state.host(host.name) / "process").read_text(encoding="ascii")
        else:
            template = "{{.Id}} {{.State.StartedAt}} {{.State.Pid}}"
            found[host.name] = run("podman", "inspect", "-f", template, f"{lab.name}-{host.name}").stdout
    return found
