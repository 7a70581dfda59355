"""The real lab: its hosts answer, a second ``up`` changes nothing, ``down`` removes only what the lab made.

The standing lab is only looked at. What breaks hosts happens in a second small lab beside it, with its own state
directory, network and names.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import ssl
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml
from leftovers import noted, sweep

from panshi.lab import machine
from panshi.lab.description import Lab, load
from panshi.lab.image import disk_directory
from panshi.lab.state import State, default_directory

pytestmark = pytest.mark.lab

REPOSITORY = Path(__file__).parents[2]
DESCRIPTION = REPOSITORY / "inventories" / "lab" / "lab.yml"
LAB = load(DESCRIPTION)
STATE = State(default_directory())
HOSTS = [host.name for host in LAB.hosts]
USERS = {host.name: host.user for host in LAB.hosts}
HUB = next(str(host.address) for host in LAB.hosts if "hub" in host.groups)


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


def as_rescue(state: State, host: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on a host by the second way in."""
    return run("ssh", "-F", str(state.ssh_config), "-o", "BatchMode=yes", "-l", "rescue", host, command)


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
def test_real_daily_account_becomes_root_without_a_password(host: str) -> None:
    assert remote(host, "id -un; sudo -n id -un").split() == [USERS[host], "root"]


@pytest.mark.parametrize("host", HOSTS)
def test_real_rescue_is_a_second_way_in(host: str) -> None:
    assert as_rescue(STATE, host, "id -un; sudo -n id -un").stdout.split() == ["rescue", "root"]


def test_real_identities_differ() -> None:
    identities = {remote(host, "cat /etc/machine-id /etc/ssh/ssh_host_ed25519_key.pub") for host in HOSTS}
    assert len(identities) == len(HOSTS)


def test_real_unrecorded_host_key_is_refused() -> None:
    options = ("-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null", "-o", "BatchMode=yes")
    done = run("ssh", "-F", str(STATE.ssh_config), *options, "deb12", "true")
    assert done.returncode == 255
    assert "Host key verification failed" in done.stderr


def test_real_ansible_reaches_every_host_through_the_inventory() -> None:
    command = [sys.executable, "-m", "ansible", "adhoc", "-i", str(DESCRIPTION.with_name("hosts.yml")), "all:!network"]
    done = run(*command, "-m", "ansible.builtin.raw", "-a", "id -un", env={"ANSIBLE_NOCOLOR": "1"})
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("root") >= len([host for host in LAB.hosts if "network" not in host.groups])


def test_real_second_up_changes_nothing() -> None:
    before = snapshot(LAB, STATE)
    done = panshi_lab("up")
    assert done.returncode == 0
    assert done.stdout.count("本次创建或启动 0 台") == 2  # hosts, and devices
    assert snapshot(LAB, STATE) == before


@pytest.mark.parametrize("device", [device.name for device in LAB.devices])
def test_emulated_device_says_that_it_is_one_and_is_known_by_its_host_key(device: str) -> None:
    line = next(
        line for line in panshi_lab("status", env={"COLUMNS": "200"}).stdout.splitlines() if f" {device} " in line
    )
    assert ("运行中" in line, "应答" in line, "仿真" in line) == (True, True, True)
    done = run("ssh", "-F", str(STATE.ssh_config), "-o", "BatchMode=yes", device)
    assert done.returncode == 255
    assert "Permission denied" in done.stderr  # the key is known; without a password nobody gets in


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


def test_real_vm12_has_apparmor_in_its_kernel_and_grub_in_its_disk() -> None:
    assert remote("vm12", "cat /sys/module/apparmor/parameters/enabled") == "Y"
    assert "BOOT_IMAGE=/boot/vmlinuz-" in remote("vm12", "cat /proc/cmdline")


def test_real_hub_serves_time_to_its_network() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(10)
        client.sendto(bytes([0b00_100_011]) + bytes(47), (HUB, 123))  # RFC 5905: version 4, mode 3 (client)
        answer = client.recv(512)
    leap, mode, stratum = answer[0] >> 6, answer[0] & 7, answer[1]
    assert (leap, mode, stratum) == (0, 4, 8)


def test_real_hub_keeps_what_is_sent_to_it_over_tls() -> None:
    told = f"lab test {uuid.uuid4()}"
    message = f"<13>1 2026-11-21T00:00:00Z web1.lab.example test - - - {told}".encode()
    trust = ssl.create_default_context(cafile=str(STATE.log_authority))
    with (
        socket.create_connection((HUB, 6514), timeout=10) as plain,
        trust.wrap_socket(plain, server_hostname="log.lab.example") as secure,
    ):
        secure.sendall(b"%d %s" % (len(message), message))
    remote(
        "hub12", f"for n in $(seq 50); do sudo grep -rqs {told[-36:]} /var/log/remote && exit; sleep 0.1; done; exit 1"
    )
    assert told in remote("hub12", "sudo cat /var/log/remote/web1.lab.example.log")


def test_real_hub_has_fresh_signatures_and_the_packages_of_every_suite() -> None:
    def read(path: str) -> bytes:
        with urllib.request.urlopen(f"http://{HUB}/{path}", timeout=60) as answer:
            return bytes(answer.read(512))

    head = read("clamav/daily.cud").decode("ascii", "replace").split(":")
    built = datetime.strptime(head[1], "%d %b %Y %H-%M %z")
    assert (head[0], datetime.now(UTC) - built < timedelta(days=2)) == ("ClamAV-VDB", True)
    for suite in {host.image.suite for host in LAB.hosts}:
        assert read(f"debian/dists/{suite}/InRelease").startswith(b"-----BEGIN PGP SIGNED MESSAGE-----")


def test_real_containers_and_the_vm_reach_the_hub() -> None:
    for host in ("deb12", "vm12"):
        for port in (80, 6514):
            remote(host, f"timeout 10 bash -c 'exec 3<>/dev/tcp/{HUB}/{port}'")


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


def test_emulated_kylin_offers_the_programs_that_hardening_installs() -> None:
    wanted = [
        "nftables",
        "chrony",
        "aide",
        "fail2ban",
        "clamav",
        "clamav-update",
        "clamd",
        "node_exporter",
        "rsyslog-gnutls",
        "cracklib-dicts",
        "libpwquality",
        "rsyslog",
        "audit",
        "sudo",
        "cronie",
        "logrotate",
        "openssh-server",
    ]
    offered = remote("kylin10", "sudo dnf -C -q repoquery --queryformat '%{name}'").split()
    assert set(wanted) - set(offered) == set()


class Beside:
    """A second lab: one Debian container, one emulated Kylin, one virtual machine."""

    NAME = "panshi-lab-jobs"

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
            "name": self.NAME,
            "subnet": "198.51.100.128/25",
            "hosts": {new: data["hosts"][old] | {"address": address} for old, (new, address) in hosts.items()},
            "devices": {},
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
    with noted(lab.NAME, lab.file, lab.state.root):
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


def test_real_lab_of_a_killed_test_run_is_taken_down_by_the_next_one(beside: Beside, tmp_path: Path) -> None:
    notes = tmp_path / "notes"
    hold = "import sys; from pathlib import Path; from leftovers import noted\n"
    hold += "with noted(sys.argv[1], *map(Path, sys.argv[2:])): print('noted', flush=True); sys.stdin.read()"
    argv = [sys.executable, "-c", hold, beside.NAME, str(beside.file), str(beside.state.root), str(notes)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parent)}
    with subprocess.Popen(argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None and other.stdout.readline() == "noted\n"
        beside.up("--only", "t1")
        assert sweep(notes) == []
        assert beside.ssh("t1", "true").returncode == 0
        with (
            pytest.raises(RuntimeError, match=f"{beside.NAME} belongs to process {other.pid}"),
            noted(beside.NAME, beside.file, beside.state.root, notes),
        ):
            pass
        other.kill()
    assert sweep(notes) == [f"{beside.NAME}.{other.pid}"]
    assert run("podman", "container", "exists", f"{beside.NAME}-t1").returncode == 1
    assert beside.NAME not in run("podman", "network", "ls", "--format", "{{.Name}}").stdout.split()
    assert "198.51.100.128/25" not in run("ip", "route").stdout
    assert sweep(notes) == [] and list(notes.iterdir()) == []


def test_real_host_keys_survive_nothing_but_a_new_host(beside: Beside) -> None:
    beside.up("--only", "t1")
    first = beside.state.known_hosts.read_text(encoding="utf-8")
    beside.up("--only", "t1")
    assert beside.state.known_hosts.read_text(encoding="utf-8") == first
    assert beside("down", "--only", "t1").returncode == 0
    assert beside.state.known_hosts.read_text(encoding="utf-8") == ""
    beside.up("--only", "t1")
    assert beside.state.known_hosts.read_text(encoding="utf-8") != first


def test_real_fresh_brings_a_running_host_back_to_its_installation_state(beside: Beside) -> None:
    beside.up("--only", "t1")
    assert beside.ssh("t1", "sudo rm /usr/bin/find; touch kept").returncode == 0
    assert "本次创建或启动 1 台" in beside.up("--fresh", "--only", "t1")
    assert beside.ssh("t1", "ls kept; ls /usr/bin/find").stdout == "/usr/bin/find\n"


@pytest.mark.parametrize("host", [host.name for host in LAB.hosts if host.kind == "container"])
def test_real_session_that_ends_is_not_waited_for(host: str) -> None:
    """On cgroup v1 systemd would wait for minutes, and let the user in no more meanwhile."""
    told = remote(host, "systemctl show --property=TimeoutStopUSec session-$XDG_SESSION_ID.scope")
    assert told == ("TimeoutStopUSec=1min 30s" if machine.look().unified_cgroups else "TimeoutStopUSec=1s")


def test_real_container_has_its_own_network_settings_from_its_start_on(beside: Beside) -> None:
    own = Path("/proc/sys/net/ipv4/conf/all/log_martians")
    before = own.read_text(encoding="ascii")
    beside.up("--only", "t1")
    set_at_boot = "echo net.ipv4.conf.all.log_martians=1 | sudo tee /etc/sysctl.d/90-test.conf"
    assert beside.ssh("t1", f"{set_at_boot}; sudo sysctl -w net.ipv4.conf.all.secure_redirects=0").returncode == 0
    assert beside.ssh("t1", "sudo sysctl -w kernel.panic=1").returncode != 0
    assert run("podman", "stop", "--time", "20", "panshi-lab-jobs-t1").returncode == 0
    beside.up("--only", "t1")
    assert beside.ssh("t1", f"cat {own}").stdout == "1\n"
    assert own.read_text(encoding="ascii") == before


def test_emulated_kylin_installs_programs_that_run(beside: Beside) -> None:
    beside.up("--only", "t2")
    told = beside.ssh("t2", "sudo dnf -C -q -y install nftables chrony cracklib-dicts && sudo nft list ruleset")
    assert told.returncode == 0, told.stderr
    assert beside.ssh("t2", "sudo chronyd -p -f /etc/chrony.conf").stdout.startswith("driftfile")
    assert "dictionary" in beside.ssh("t2", "echo password1 | sudo cracklib-check").stdout
    assert "Nothing to do" in beside.ssh("t2", "sudo dnf -C -y install nftables rsyslog").stdout


@pytest.fixture
def vm_image(beside: Beside) -> None:
    """Spare the second lab the making of the virtual machine's image."""
    beside.state.prepare()
    (made,) = {disk_directory(STATE, host.image) for host in LAB.hosts if host.kind == "vm"}
    assert run("cp", "--recursive", "--sparse=always", str(made), str(beside.state.images)).returncode == 0


@pytest.mark.vm
@pytest.mark.usefixtures("vm_image")
def test_real_vm_boots_with_the_command_line_that_its_own_update_grub_made(beside: Beside) -> None:
    beside.up("--only", "t3")
    made = beside.ssh("t3", "sudo cat /boot/grub/grub.cfg").stdout
    assert beside.ssh("t3", "sudo update-grub").returncode == 0
    assert beside.ssh("t3", "sudo cat /boot/grub/grub.cfg").stdout == made
    change = "sudo sed -i '/^GRUB_CMDLINE_LINUX=/s/\"$/ panshi.test=1\"/' /etc/default/grub && sudo update-grub"
    assert beside.ssh("t3", change).returncode == 0
    boot = beside.ssh("t3", "cat /proc/sys/kernel/random/boot_id; sudo systemctl reboot").stdout.strip()
    for _ in range(120):
        told = beside.ssh("t3", "cat /proc/sys/kernel/random/boot_id /proc/cmdline").stdout
        if told and boot not in told:
            break
        time.sleep(1)
    assert "panshi.test=1" in told
    beside.up("--fresh", "--only", "t3")
    assert "panshi.test=1" not in beside.ssh("t3", "cat /proc/cmdline").stdout


@pytest.mark.vm
@pytest.mark.usefixtures("vm_image")
def test_real_killed_vm_comes_back_with_its_files_and_leaves_nothing_behind(beside: Beside) -> None:
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
    for device in lab.devices:
        found[device.name] = (state.device(device.name) / "process").read_text(encoding="ascii")
    return found
