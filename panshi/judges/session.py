"""One asking: every judge about every host, two at a time, written down with what the judges said themselves."""

from __future__ import annotations

import gzip
import secrets
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from panshi.inventory import Host
from panshi.judges import content, lynis, openscap, remote, ssh_audit
from panshi.judges.figures import Figure, Judgement, folder, save
from panshi.record import safe_name, utc_now

JUDGES = (lynis.NAME, openscap.NAME, ssh_audit.NAME)
Judged = tuple[Figure, bytes]


@dataclass(frozen=True, slots=True)
class System:
    """What a host says it is, from os-release."""

    id: str
    version: str
    name: str


class Tools:
    """The judges as this machine has them; each bundle is packed once, when it is first needed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._bundles: dict[str, bytes | str] = {}
        self.scanner = _version(["oscap", "--version"])
        self.ssh_audit = _version(["ssh-audit", "--help"])

    def bundle(self, name: str, pack: Callable[[], bytes]) -> bytes | str:
        """Return a bundle, or in Chinese why there is none."""
        with self._lock:
            if name not in self._bundles:
                try:
                    self._bundles[name] = pack()
                except OSError as error:
                    self._bundles[name] = f"运维机上没有 {name}（{error}），执行 scripts/system-packages tests 安装"
            return self._bundles[name]


def hold(
    estate: str, hosts: Sequence[Host], phase: str, judges: Iterable[str], records: Path, told: Callable[[Figure], None]
) -> tuple[Judgement, Path]:
    """Ask the judges and write down what they say.

    Args:
        estate: name of the estate.
        hosts: whom about.
        phase: ``before`` or ``after`` the change that is judged.
        judges: of ``JUDGES``.
        records: the folder ``records``.
        told: gets every figure as it comes; called from several threads, one call at a time.

    Raises:
        PanshiError: PS-E4203 when the result cannot be written.
    """
    now = utc_now()
    run = f"{now:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    raw = folder(records, estate, run) / "raw"
    tools, lock, stopped = Tools(), threading.Lock(), threading.Event()
    wanted = [name for name in JUDGES if name in set(judges)]
    missing = content.fetch(content.cache()) if openscap.NAME in wanted else ""

    def about(host: Host) -> list[Figure]:
        system = system_of(host)
        figures = []
        for name in wanted:
            if stopped.is_set():
                break
            began = time.monotonic()
            figure, words = _ask(name, host, system, tools, missing)
            seconds = round(time.monotonic() - began, 1)
            figure = replace(figure, os=system.name if isinstance(system, System) else "", seconds=seconds)
            with lock:
                _keep(raw, figure, words)
                told(figure)
            figures.append(figure)
        return figures

    with ThreadPoolExecutor(max_workers=2) as pool:
        try:
            figures = [figure for found in pool.map(about, hosts) for figure in found]
        except BaseException:
            stopped.set()
            remote.stop()
            raise
    judgement = Judgement(run, estate, phase, f"{now:%Y-%m-%dT%H:%M:%SZ}", tuple(figures))
    return judgement, save(records, judgement)


def system_of(host: Host) -> System | str:
    """Return what a host is, or in Chinese why it cannot be asked."""
    if host.connection != "ssh" or host.password:
        return "只支持用密钥的 SSH 连接"
    answer = remote.ask(host, '. /etc/os-release; printf "%s\\n" "$ID" "${VERSION_ID:-}" "${PRETTY_NAME:-$ID}"')
    lines = [*answer.out.decode("utf-8", "replace").splitlines(), "", "", ""]
    return answer.why or System(*lines[:3])


def _ask(name: str, host: Host, system: System | str, tools: Tools, missing: str) -> Judged:
    if name == ssh_audit.NAME:
        return ssh_audit.judge(host, tools.ssh_audit)
    if isinstance(system, str):
        return Figure(name, host.name, why=system), b""
    if name == lynis.NAME:
        packed = tools.bundle(name, lynis.bundle)
        return lynis.judge(host, packed) if isinstance(packed, bytes) else (Figure(name, host.name, why=packed), b"")
    rules = content.find(system.id, system.version, (content.cache(), content.SYSTEM))
    if isinstance(rules, str):
        return Figure(name, host.name, why=f"{rules}{f'；{missing}' if missing else ''}"), b""
    packed = tools.bundle(f"{name} {rules.file.name}", lambda: openscap.bundle(rules))
    if isinstance(packed, str):
        return Figure(name, host.name, why=packed), b""
    figure, words = openscap.judge(host, rules, packed)
    return replace(figure, version=f"{tools.scanner}，{figure.version}" if figure.version else tools.scanner), words


def _keep(raw: Path, figure: Figure, words: bytes) -> None:
    if words:
        raw.mkdir(parents=True, exist_ok=True, mode=0o700)
        file = raw / f"{safe_name(figure.host)}.{figure.judge}.gz"
        file.write_bytes(words if words[:2] == b"\x1f\x8b" else gzip.compress(words, mtime=0))
        file.chmod(0o600)


def _version(argv: Sequence[str]) -> str:
    text = remote.execute(argv, timeout=30, fine=(0, 1, 255)).out.decode("utf-8", "replace")
    words = (text.splitlines() or [""])[0].replace(",", " ").split()
    return next((word.lstrip("v") for word in words if word.lstrip("v")[:1].isdigit()), "")
