"""A service that may not stop: two nginx nodes behind one address of keepalived, two application nodes behind them.

All on copies of the lab's deb11, with the versions that its release came with, so that nginx and the application's
Python have real security updates waiting.
"""

from __future__ import annotations

import http.client
import os
import select
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field

import yaml
from lab_copies import Copies

from panshi.lab.description import load
from panshi.lab.podman import Podman

BALANCERS, APPLICATIONS = ("lb1", "lb2"), ("app1", "app2")
NODES = (*APPLICATIONS, *BALANCERS)
PACKAGES = ("nginx-light", "libpython3.9-minimal", "libpython3.9-stdlib", "python3.9", "python3.9-minimal")
_APPLICATION = """
set -e
mkdir -p /srv/shop && echo "shop ok" >/srv/shop/index.html
cat >/etc/systemd/system/shop.service <<END
[Service]
ExecStart=/usr/bin/python3 -m http.server 8080 --directory /srv/shop
Restart=on-failure
[Install]
WantedBy=multi-user.target
END
systemctl enable --quiet --now shop.service
"""
# Who is out is drained (max_fails=0): else nginx gives the last one up for ten seconds when it is slow but once.
# Both begin as BACKUP and neither takes the address back (nopreempt): it moves only when its holder gives it up.
_BALANCER = """
set -e
export DEBIAN_FRONTEND=noninteractive
apt-get -q -y --no-install-recommends -t bullseye install nginx-light keepalived >/dev/null
mkdir -p /etc/nginx/shop.d
echo 'server {app1}:8080 max_fails=0;' >/etc/nginx/shop.d/app1
echo 'server {app2}:8080 max_fails=0;' >/etc/nginx/shop.d/app2
cat >/etc/nginx/sites-enabled/default <<'END'
upstream shop {{ include /etc/nginx/shop.d/*; }}
server {{
  listen 80;
  location / {{ proxy_pass http://shop; proxy_connect_timeout 2s; }}
}}
END
cat >/etc/keepalived/keepalived.conf <<'END'
global_defs {{
  enable_script_security
  script_user root
}}
vrrp_script nginx {{
  script "/bin/systemctl --quiet is-active nginx"
  interval 1
}}
vrrp_instance shop {{
  state BACKUP
  nopreempt
  interface eth0
  virtual_router_id 51
  priority {priority}
  advert_int 1
  virtual_ipaddress {{ {address}/27 }}
  track_script {{ nginx }}
}}
END
systemctl restart nginx keepalived
"""


@dataclass(frozen=True)
class Shop:
    """The running service.

    Args:
        copies: its nodes.
        address: what keepalived holds.
    """

    copies: Copies
    address: str

    @property
    def url(self) -> str:
        """What clients ask for."""
        return f"http://{self.address}/"

    def holders(self) -> list[str]:
        """Return the nodes that have the address, at the same moment or nearly."""
        asked = {node: self.copies.sh(node, "ip -o -4 address show dev eth0", check=False) for node in BALANCERS}
        return [node for node, out in asked.items() if f" {self.address}/" in out]

    def drained(self) -> list[str]:
        """Return what somebody has taken out of service on some node, by its configuration."""
        left = "grep -l down /etc/nginx/shop.d/*; systemctl --quiet is-enabled keepalived || echo keepalived"
        return [f"{node}:{line}" for node in BALANCERS for line in self.copies.sh(node, left, check=False).split()]

    def versions(self) -> dict[tuple[str, str], str]:
        """Return the installed versions of :data:`PACKAGES`, by node and package."""
        ask = f"dpkg-query -W -f '${{Package}} ${{Version}}\\n' {' '.join(PACKAGES)} 2>/dev/null"
        answers = {node: self.copies.sh(node, ask, check=False).splitlines() for node in NODES}
        words = [(node, line.split()) for node, lines in answers.items() for line in lines]
        return {(node, one[0]): one[1] for node, one in words if len(one) == 2}

    def on(self, nodes: Sequence[str], script: str) -> None:
        """Run a script on several nodes at once."""
        with ThreadPoolExecutor(len(nodes)) as pool:
            list(pool.map(self.copies.sh, nodes, [script] * len(nodes)))

    def starts(self) -> dict[str, int]:
        """Return when each node's first process began, in ticks of this machine: another one after a reboot."""
        stats = {node: self.copies.sh(node, "cat /proc/1/stat").rpartition(")")[2].split() for node in NODES}
        return {node: int(words[19]) for node, words in stats.items()}


def set_up(copies: Copies) -> Shop:
    """Make the service from four fresh copies and wait until it answers."""
    network, _, last = copies.gateway.rpartition(".")
    shop = Shop(copies, f"{network}.{int(last) + 25}")
    at = copies.addresses
    scripts = dict.fromkeys(APPLICATIONS, _APPLICATION)
    for node, priority in zip(BALANCERS, (100, 90), strict=True):
        scripts[node] = _BALANCER.format(**at, address=shop.address, priority=priority)
    with ThreadPoolExecutor(len(NODES)) as pool:
        list(pool.map(copies.sh, scripts, scripts.values()))
    _write_host_variables(copies)
    until = time.monotonic() + 60
    while error := _ask(shop.address, 2):
        if time.monotonic() > until:
            raise RuntimeError(f"{shop.url}: {error}")
        time.sleep(0.5)
    return shop


def _write_host_variables(copies: Copies) -> None:
    """Write how each node is probed, taken out of service and put back, as an estate has it in host_vars."""
    folder = copies.folder / "host_vars"
    folder.mkdir()
    for node in NODES:
        application = node in APPLICATIONS
        probe = {"url": f"http://{copies.addresses[node]}:{8080 if application else 80}/", "contains": "shop ok"}
        commands = (
            {"drain": _upstream(copies, node, " down"), "undrain": _upstream(copies, node, "")}
            if application
            else {"drain": _keepalived("disable"), "undrain": _keepalived("enable")}
        )
        variables = {"patch_host_probes": [probe], **{f"patch_host_{name}": one for name, one in commands.items()}}
        (folder / f"{node}.yml").write_text(yaml.safe_dump(variables, allow_unicode=True), encoding="utf-8")


def _upstream(copies: Copies, node: str, mark: str) -> list[dict[str, object]]:
    line = f"server {copies.addresses[node]}:8080 max_fails=0{mark};"
    script = f"echo '{line}' >/etc/nginx/shop.d/{node} && nginx -t -q && systemctl try-reload-or-restart nginx"
    return [{"host": balancer, "argv": ["sh", "-c", script]} for balancer in BALANCERS]


def _keepalived(verb: str) -> list[dict[str, object]]:
    return [{"argv": ["systemctl", verb, "--now", "keepalived"]}]


@contextmanager
def mains(copies: Copies) -> Iterator[None]:
    """Start every container again whose first process has ended, as the mains do to a machine that reboots.

    A container cannot reboot: systemd, told to, ends, and the container with it. Its file system stays; ``/run`` and
    all processes are new; the kernel and its boot id are this machine's and stay.
    """
    lab = load(copies.folder / "lab.yml")
    environment = dict(os.environ)
    if copies.state.containers_conf.is_file():
        environment["CONTAINERS_CONF"] = str(copies.state.containers_conf)
    podman = Podman(environment)
    over = threading.Event()

    def keep(node: str) -> None:
        name = f"{copies.lab}-{node}"
        card = copies.sh(node, "cat /sys/class/net/eth0/address").strip()
        while not over.is_set():
            pid, state = copies.podman("inspect", "--format", "{{.State.Pid}} {{.State.Status}}", name).split()
            if state == "running":
                _ended(int(pid), over)
            # In any other state podman still clears away what the last start has left, and would clear away the next.
            elif state == "exited":
                copies.podman("init", name)
                # Podman gives a container another network card each time; a machine keeps its own.
                copies.in_network_of(node, "ip", "link", "set", "dev", "eth0", "address", card)
                podman.start(lab, node)
            over.wait(0.1)

    threads = [threading.Thread(target=keep, args=(node,), daemon=True) for node in copies.addresses]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join(30)


def _ended(pid: int, over: threading.Event) -> None:
    """Wait until a process has ended, or all is over."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        while not over.is_set() and not select.select([handle], [], [], 0.5)[0]:
            pass
    finally:
        os.close(handle)


@dataclass
class Load:
    """What became of the requests of :func:`load_of`.

    Args:
        requests: customers that asked.
        failed: those whose first request failed.
        lost: those who tried three times more, a second apart, and still had no answer.
        errors: a few of the failures.
    """

    requests: int = 0
    failed: int = 0
    lost: int = 0
    errors: list[str] = field(default_factory=list)


@contextmanager
def load_of(address: str, clients: int = 4, pause: float = 0.2) -> Iterator[Load]:
    """Ask for the service's page from several clients at once, each ``pause`` seconds after its last answer."""
    load, over, lock = Load(), threading.Event(), threading.Lock()

    def customer() -> None:
        while not over.wait(pause):
            error = _ask(address, 3)
            lost = bool(error) and all(time.sleep(1) or _ask(address, 3) for _ in range(3))
            with lock:
                load.requests += 1
                load.failed += bool(error)
                load.lost += lost
                load.errors += [f"{time.strftime('%H:%M:%S')} {error}"] if error and len(load.errors) < 20 else []

    threads = [threading.Thread(target=customer, daemon=True) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield load
    finally:
        over.set()
        for thread in threads:
            thread.join(20)


def _ask(address: str, timeout: float) -> str:
    connection = http.client.HTTPConnection(address, timeout=timeout)
    try:
        connection.request("GET", "/", headers={"Connection": "close"})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return "" if answer.status == 200 and body == b"shop ok\n" else f"status {answer.status}"
