"""The one thing that reports read: per run an append-only, hash-chained file of JSON lines (docs/design.md, 5)."""

from __future__ import annotations

import errno
import fcntl
import gzip
import hashlib
import json
import os
import re
import secrets
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any, ClassVar, Self, TypeVar

from panshi.errors import PanshiError
from panshi.verdict import Status

SCHEMA = 1
RUN_FILE = "run.jsonl"
GENESIS = "0" * 64
_RUN_ID = re.compile(r"\d{8}T\d{6}Z-[0-9a-f]{6}")
_FACTS_NAME = re.compile(r"facts/(?!\.)[\w.-]+\.json\.gz")
_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class Row:
    """One line of a record; the fields of the dataclass are its payload."""

    kind: ClassVar[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Begin(Row):
    """What was going to be judged, and the catalogue's words on that day."""

    kind: ClassVar[str] = "begin"
    schema: int = SCHEMA
    run: str
    estate: str
    job: str
    operator: str
    profile: str
    profile_title: str = ""
    level: int
    versions: Mapping[str, str] = field(default_factory=dict)
    catalogue: str = ""
    inventory: str = ""
    hosts: Sequence[Mapping[str, Any]] = ()
    controls: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    checks: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    parameters: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    overrides: Sequence[Mapping[str, Any]] = ()
    waivers: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class HostRow(Row):
    """What became of one host: collected, partial, unreachable, refused or failed. ``seconds`` is wall time."""

    kind: ClassVar[str] = "host"
    host: str
    state: str
    code: str = ""
    message: str = ""
    seconds: float = 0.0
    address: str = ""
    os: str = ""
    kernel: str = ""
    container: bool = False
    emulated: bool = False
    skipped: Sequence[Mapping[str, str]] = ()
    facts: str = ""
    sha256: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class VerdictRow(Row):
    """What one check says about one host."""

    kind: ClassVar[str] = "verdict"
    host: str
    control: str
    check: str
    title: str
    target: str
    mode: str
    status: Status
    scored: bool = True
    planned: bool = False
    observed: str = ""
    expected: str = ""
    reason: str = ""
    evidence: Sequence[str] = ()
    waiver: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        """Refuse a status that does not exist (ValueError), also when a record is read."""
        object.__setattr__(self, "status", Status(self.status))


@dataclass(frozen=True, kw_only=True, slots=True)
class PlanRow(Row):
    """What a change job will do about one check on one host.

    ``action`` is apply, opt_in (left until the estate opts in), waived, elsewhere (another job, or nobody's) or
    not_applicable. ``cost`` says in Chinese what leaving it means in the assessment.
    """

    kind: ClassVar[str] = "plan"
    host: str
    control: str
    check: str
    title: str
    action: str
    role: str = ""
    reason: str = ""
    cost: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ChangeRow(Row):
    """One change of one resource; the content before it stays in the ledger on the host."""

    kind: ClassVar[str] = "change"
    host: str
    role: str
    resource: str
    title: str = ""
    checks: Sequence[str] = ()
    before: str = ""
    after: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class SkipRow(Row):
    """What could not be done on a host, and why."""

    kind: ClassVar[str] = "skip"
    host: str
    role: str
    resource: str
    why: str


@dataclass(frozen=True, kw_only=True, slots=True)
class GuardRow(Row):
    """One event of the guard: second_way, armed, probe, disarmed, restored or failed. ``seconds`` is its duration."""

    kind: ClassVar[str] = "guard"
    host: str
    role: str
    event: str
    detail: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, kw_only=True, slots=True)
class FindingRow(Row):
    """A package or library of a security notice, as one host has it.

    ``state`` is affected, fixed or unknown (its version or the archive cannot be read: never counted as fixed).
    ``by`` says how it was recognised, ``running`` which processes have it open.
    """

    kind: ClassVar[str] = "finding"
    host: str
    notice: str
    product: str
    version: str
    where: str
    state: str
    by: str = ""
    running: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class NoticeRow(Row):
    """A security notice as a run has answered it: when it came, how many hours ago, who is affected, who is silent.

    ``received`` and ``deadline`` are local time (ISO 8601; empty when there is none). ``proof`` says whether the run
    was to prove that nobody is affected, and did.
    """

    kind: ClassVar[str] = "notice"
    notice: str
    source: str
    received: str
    deadline: str
    hours: float
    affected: Sequence[str]
    silent: Sequence[str]
    proof: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class ExerciseRow(Row):
    """An attempt of the ransomware exercise on the vault of backups: whether it was refused, and what was seen.

    ``attempt`` is its name in ``plugins/modules/panshi_vault_exercise.py``; the one named ``restore`` is no attempt but
    the proof afterwards, and ``refused`` says of it that everything was there.
    """

    kind: ClassVar[str] = "exercise"
    host: str
    attempt: str
    title: str
    refused: bool
    seen: str


@dataclass(frozen=True, kw_only=True, slots=True)
class SignedRow(Row):
    """The signed plan that a run carries out, or one that it lays before who signs; whole: reports need no other file.

    ``sha256`` is its digest (``panshi/document.py``), ``document`` its content.
    """

    kind: ClassVar[str] = "signed"
    sha256: str
    document: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class PatchRow(Row):
    """One event of a host in a patch run, at ``time`` (UTC, ISO 8601).

    ``event`` is begun, resumed (an earlier run had installed the versions), drained, installed, restarted (services
    of ``detail``), rebooted, probed, undrained, done, returned (to the versions before) or failed.
    """

    kind: ClassVar[str] = "patch"
    host: str
    event: str
    time: str
    detail: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class ServiceRow(Row):
    """What a client saw of a service while a run went on: one request after the other, ``interval`` seconds apart.

    ``failed`` counts requests that a client without retries loses, ``lost`` those that a retrying one loses too.
    ``longest`` is the longest time in seconds without a good answer; ``failures`` are its first failures, as
    ``{"time", "error"}``.
    """

    kind: ClassVar[str] = "service"
    service: str
    url: str
    interval: float
    requests: int
    failed: int
    lost: int
    longest: float
    failures: Sequence[Mapping[str, str]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class VersionRow(Row):
    """An installed package of a product in the ledger of versions, and the newest that the host's sources have.

    ``newest`` is empty when the sources do not know the package, which never counts as up to date. ``outdated`` says
    that ``newest`` is newer than ``installed``, ``since`` the day (YYYY-MM-DD) from which that version is known.
    """

    kind: ClassVar[str] = "version"
    host: str
    product: str
    package: str
    installed: str
    newest: str
    origin: str
    security: bool
    outdated: bool
    since: str = ""
    advisories: Sequence[str] = ()
    policy: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class RestoreRow(Row):
    """What a restore of a host's backups has proven.

    ``host`` is the source, ``on`` the host that restored, ``place`` the repository, ``proven`` whether everything was
    tried and nothing was found. ``seconds`` of the whole proof, ``rto`` of the restore in it, ``rpo`` seconds before
    the proof from which on data is missing (-1: without a database). ``steps``, ``database``, ``files``, ``dumps`` as
    ``panshi/backup/agent/prove.py`` gives them; ``findings`` are {code, message}.
    """

    kind: ClassVar[str] = "restore"
    host: str
    on: str
    place: str
    run: str
    proven: bool
    seconds: float
    rto: float
    rpo: int
    findings: Sequence[Mapping[str, str]]
    steps: Sequence[Mapping[str, Any]]
    database: Mapping[str, Any]
    files: Sequence[Mapping[str, Any]]
    dumps: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class RecoveryRow(Row):
    """Something that was lost and was brought back from a host's backups.

    ``what`` it is, ``at`` the second whose state is wanted (empty: the newest), ``into`` where it went, ``aside`` where
    what was there before lies, ``set`` the backup, ``rows`` what has arrived: {name, rows (or bytes), check}, at most
    1000. ``code`` and ``message`` say why it failed.
    """

    kind: ClassVar[str] = "recovery"
    host: str
    on: str
    place: str
    run: str
    what: str
    at: str
    into: str
    aside: str
    set: str
    seconds: float
    rows: Sequence[Mapping[str, Any]]
    code: str
    message: str


@dataclass(frozen=True, kw_only=True, slots=True)
class RotationRow(Row):
    """One event of a password, at ``time`` (UTC, ISO 8601); the password itself is never told.

    ``event`` is resolved (an earlier run had not ended), pending, set, proved, dependent (what else holds it is
    updated), retired (the old one, where both had worked), refused (the old one), promoted, failed, shown (somebody
    looked), imported (told by a person), printed (for an envelope), or of a break-glass account watched (from then on a
    login is a use), used, unused. ``way`` says how it was tried, ``version`` which version of the store it is about.
    """

    kind: ClassVar[str] = "rotation"
    host: str
    target: str
    account: str
    event: str
    time: str
    way: str = ""
    detail: str = ""
    version: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class AccountRow(Row):
    """What is to be said of one account; ``event`` as in ``panshi/accounts/judge.py``, ``request`` the signed one."""

    kind: ClassVar[str] = "account"
    host: str
    account: str
    event: str
    detail: str = ""
    request: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class PermissionRow(Row):
    """One line of the permission table: an account on a host, whose it is and what it may do.

    ``declared`` is present, leaver, undeclared, system, or elsewhere (the role os_accounts looks after it), ``state``
    active, locked or expired; ``owners`` persons or systems, ``sudo`` lines as sudo lists them, ``keys`` fingerprints
    with their comments. Days are ISO 8601; ``last_login`` and ``changed`` (of the password) empty where there is none,
    or nobody has kept it (``last_login`` is then ``unknown``). ``max_days`` is None without a limit.
    """

    kind: ClassVar[str] = "permission"
    host: str
    account: str
    uid: int
    declared: str
    owners: Sequence[str]
    purpose: str
    role: str
    groups: Sequence[str]
    sudo: Sequence[str]
    keys: Sequence[str]
    last_login: str
    password: str
    changed: str
    max_days: int | None
    expires: str
    state: str
    request: str
    reviewer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogProofRow(Row):
    """What a host has proven of one declared log (``panshi/logs/proof.py``).

    ``way`` is real (the product wrote the counted lines), scratch (a log of the same policy) or none. ``retention`` is
    kept, growing (younger than the term, and nothing is gone), legal (the law's term is reached, the declared one is
    not), short, unknown (lines without a time) or none; ``days`` is the age of the oldest line that can be read.
    ``begun`` and ``oldest`` are UTC (ISO 8601). ``status`` is pass, partial or fail; ``head`` the last hash of the
    archive's manifest; ``cpu`` seconds of logrotate.
    """

    kind: ClassVar[str] = "log_proof"
    host: str
    name: str
    style: str
    environment: str
    paths: Sequence[str]
    way: str
    said: str
    lines: int
    lost: int
    doubled: int
    rotations: int
    reopened: bool
    packed: int
    archives: int
    bytes: int
    immutable: bool
    begun: str
    oldest: str
    days: int
    legal_days: int
    keep_days: int
    retention: str
    status: str
    findings: Sequence[str]
    head: str
    cpu: float
    seconds: float


@dataclass(frozen=True, kw_only=True, slots=True)
class LogReviewRow(Row):
    """What the logs of a host say of a period, counted; ``since``, ``until`` and ``oldest`` are UTC (ISO 8601).

    ``severities`` counts messages by syslog severity (or unknown). ``errors`` are ``[times, program, folded text]``,
    ``failed`` ``[times, account, source]``, ``privilege`` ``[times, account, what]``, ``accounts`` ``[time, text]``,
    ``audit`` counts records by type, ``gaps`` are ``[from, to, minutes]``. ``cut`` says why it is not all of it.
    ``applications`` are the declared logs, ``[name, lines, errors, refused requests, newest line]``, and
    ``application_errors`` ``[times, name, folded text]``.
    """

    kind: ClassVar[str] = "log_review"
    host: str
    since: str
    until: str
    sources: Sequence[str]
    messages: int
    severities: Mapping[str, int]
    errors: Sequence[Sequence[Any]]
    failed: Sequence[Sequence[Any]]
    privilege: Sequence[Sequence[Any]]
    accounts: Sequence[Sequence[Any]]
    audit: Mapping[str, int]
    gaps: Sequence[Sequence[Any]]
    oldest: str
    cut: str
    applications: Sequence[Sequence[Any]] = ()
    application_errors: Sequence[Sequence[Any]] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseRow(Row):
    """A review of a database and its replicas (``panshi/database/review.py``).

    ``host`` is the primary, ``at`` when it was read (seconds), ``silent`` replicas that were not read, ``reader`` the
    host that counted rows without a parent.
    ``findings`` are {kind, object, text, proposal}, ``gaps`` what could not be known. ``tables`` are [name, engine,
    rows, data, index, free] (bytes), ``hidden`` indexes that the optimizer does not see, ``disk`` [total, free]
    (bytes), ``growth`` since the review before, in bytes per day.
    """

    kind: ClassVar[str] = "database"
    host: str
    version: str
    at: int
    replicas: Sequence[Mapping[str, str]]
    silent: Sequence[str]
    reader: str
    findings: Sequence[Mapping[str, Any]]
    gaps: Sequence[str]
    tables: Sequence[Sequence[Any]]
    hidden: Sequence[str]
    disk: Sequence[int]
    growth: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class DatabaseChangeRow(Row):
    """What became of a proposal of a review: done, already (nothing to do) or failed, and what was checked."""

    kind: ClassVar[str] = "database_change"
    host: str
    proposal: str
    title: str
    statement: str
    undo: str
    state: str
    checks: Sequence[str]


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkBackupRow(Row):
    """What became of the backup of a network device.

    ``state`` is changed, same or failed; ``saved`` says that the running configuration is the saved one, ``commit`` is
    one of the history that has what was read, ``sha256`` of its files by name, ``last`` when the device was last read
    whole (UTC, ISO 8601; empty: never). ``findings`` are {code, message}.
    """

    kind: ClassVar[str] = "network_backup"
    host: str
    state: str
    platform: str
    encoding: str
    saved: bool
    commit: str
    sha256: Mapping[str, str]
    last: str
    findings: Sequence[Mapping[str, str]]
    emulated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyFindingRow(Row):
    """What is wrong with an access policy or object although it is well formed.

    ``finding`` is a key of ``panshi.network.policy.analyse.KINDS_ZH``, ``name`` the policy or object, ``other`` the
    other policy of a pair, ``packet`` one that shows it (Chinese; empty where none can).
    """

    kind: ClassVar[str] = "policy_finding"
    finding: str
    title: str
    name: str
    other: str
    owner: str
    ticket: str
    text: str
    packet: str


@dataclass(frozen=True, kw_only=True, slots=True)
class PolicyMatrixRow(Row):
    """What the access policies of a file let through from zone to zone.

    ``zones`` are Chinese titles; ``cells`` has a row for each zone that packets come from, and in it a text for each
    zone that they go to: the services that some packet may use, empty for none.
    """

    kind: ClassVar[str] = "policy_matrix"
    file: str
    zones: Sequence[str]
    cells: Sequence[Sequence[str]]


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkChangeRow(Row):
    """The configuration of a network device, held against what is written down, and what became of a change.

    ``state`` is same, differs (found, nothing done), changed or failed. ``plan`` is the digest of the plan that was
    carried out, ``commands`` and ``differences`` are without secrets, ``steps`` are {step, detail, seconds} of the
    change (``panshi/network/change/transaction.py``). ``unproven``: the change has failed, and that the device is as
    before is not proven.
    """

    kind: ClassVar[str] = "network_change"
    host: str
    state: str
    platform: str = ""
    plan: str = ""
    commands: Sequence[str] = ()
    differences: str = ""
    guard: str = ""
    steps: Sequence[Mapping[str, Any]] = ()
    before: str = ""
    after: str = ""
    seconds: float = 0.0
    unproven: bool = False
    code: str = ""
    message: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkInspectionRow(Row):
    """How a network device is.

    ``state`` is read, failed (with ``code`` and ``message``) or skipped: its ``panshi_targets`` leave it out.
    ``system`` is its platform and software, ``emulated`` says that it is no real device. ``subjects`` are {id, title,
    status, observed, expected, reason, cmd, at, out, cut}: what was asked and when (UTC, ISO 8601), the beginning of
    the answer, and how many characters of it were left out.
    """

    kind: ClassVar[str] = "network_inspection"
    host: str
    state: str
    code: str = ""
    message: str = ""
    system: str = ""
    subjects: Sequence[Mapping[str, Any]] = ()
    emulated: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class EndRow(Row):
    """The last line of a complete run. ``seconds`` is the wall time of the job, ``exit`` its exit status."""

    kind: ClassVar[str] = "end"
    counts: Mapping[str, int]
    hosts: Mapping[str, int]
    seconds: float
    exit: int


# Rows of which a run has any number, and the field of :class:`Run` that holds them.
_LISTS: Mapping[type[Row], str] = {
    HostRow: "hosts",
    VerdictRow: "verdicts",
    PlanRow: "plans",
    ChangeRow: "changes",
    SkipRow: "skips",
    GuardRow: "guards",
    FindingRow: "findings",
    NoticeRow: "notices",
    PatchRow: "patches",
    ServiceRow: "services",
    VersionRow: "versions",
    RestoreRow: "restores",
    RecoveryRow: "recoveries",
    RotationRow: "rotations",
    AccountRow: "accounts",
    PermissionRow: "permissions",
    ExerciseRow: "exercises",
    LogProofRow: "log_proofs",
    LogReviewRow: "log_reviews",
    DatabaseRow: "databases",
    DatabaseChangeRow: "database_changes",
    NetworkBackupRow: "network_backups",
    NetworkInspectionRow: "network_inspections",
    NetworkChangeRow: "network_changes",
    PolicyFindingRow: "policy_findings",
    PolicyMatrixRow: "policy_matrices",
}
# What may stand between the first row and the last one, by its kind.
ROWS: Mapping[str, type[Row]] = {**{row.kind: row for row in _LISTS}, SignedRow.kind: SignedRow}
_KINDS: Mapping[str, type[Row]] = {**ROWS, EndRow.kind: EndRow}


@dataclass(frozen=True, slots=True)
class Problem:
    """One finding of :func:`verify_run`.

    Args:
        where: the line, or the file, in Chinese.
        what: what is wrong with it, in Chinese.
        incomplete: True when the run merely did not come to its end; False when something was changed.
    """

    where: str
    what: str
    incomplete: bool = False

    def __str__(self) -> str:
        """Return one line."""
        return f"{self.where}：{self.what}"


@dataclass(frozen=True, slots=True)
class Run:
    """A record that was read. ``end`` is None for an incomplete run; ``head`` is the hash of the last line."""

    path: Path
    begin: Begin
    begin_time: str
    hosts: Sequence[HostRow]
    verdicts: Sequence[VerdictRow]
    end: EndRow | None
    head: str
    plans: Sequence[PlanRow] = ()
    changes: Sequence[ChangeRow] = ()
    skips: Sequence[SkipRow] = ()
    guards: Sequence[GuardRow] = ()
    findings: Sequence[FindingRow] = ()
    notices: Sequence[NoticeRow] = ()
    signed: SignedRow | None = None
    patches: Sequence[PatchRow] = ()
    services: Sequence[ServiceRow] = ()
    versions: Sequence[VersionRow] = ()
    restores: Sequence[RestoreRow] = ()
    recoveries: Sequence[RecoveryRow] = ()
    rotations: Sequence[RotationRow] = ()
    accounts: Sequence[AccountRow] = ()
    permissions: Sequence[PermissionRow] = ()
    exercises: Sequence[ExerciseRow] = ()
    log_proofs: Sequence[LogProofRow] = ()
    log_reviews: Sequence[LogReviewRow] = ()
    databases: Sequence[DatabaseRow] = ()
    database_changes: Sequence[DatabaseChangeRow] = ()
    network_backups: Sequence[NetworkBackupRow] = ()
    network_inspections: Sequence[NetworkInspectionRow] = ()
    network_changes: Sequence[NetworkChangeRow] = ()
    policy_findings: Sequence[PolicyFindingRow] = ()
    policy_matrices: Sequence[PolicyMatrixRow] = ()

    def facts(self, host: str) -> Mapping[str, Any] | None:
        """Return the collected document of a host, read now, or None when nothing was collected.

        Raises:
            PanshiError: PS-E4003 when the file is missing or is not the one that was recorded.
        """
        row = next((row for row in self.hosts if row.host == host), None)
        if row is None or not row.facts:
            return None
        data, problem = _read_facts(self.path, row.facts, row.sha256)
        if problem is not None:
            raise _corrupt(self.path, problem)
        try:
            document: dict[str, Any] = json.loads(gzip.decompress(data))
        except (OSError, EOFError, ValueError, zlib.error) as error:
            raise _corrupt(self.path, Problem(row.facts, "不是 gzip 压缩的 JSON")) from error
        return document


def canonical(document: Any) -> bytes:
    """Return the one byte form of a JSON value. Lone surrogates, which UTF-8 cannot carry, become ``?``."""
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return text.encode("utf-8", "replace")


def safe_name(name: str) -> str:
    """Return a file name for any text: unchanged when harmless, else cleaned and made unique by a hash."""
    clean = re.sub(r"[^\w.-]", "_", name).lstrip(".")[:64]
    return (
        clean
        if name and clean == name
        else f"{clean}-{hashlib.sha256(name.encode('utf-8', 'replace')).hexdigest()[:8]}"
    )


def utc_now() -> datetime:
    """Return the present time in UTC."""
    return datetime.now(UTC)


class RecordWriter:
    """Writes one new run. A run is never continued: after a crash the next run is another one.

    Not for use from several threads at once.

    Args:
        root: the folder ``records``.
        estate: name of the estate; becomes a folder name.
        job: for example ``audit``.
        now: the clock.
        run: the run id; made from the clock when not given.

    Raises:
        PanshiError: PS-E4001 when the disk is full or the folder cannot be written, PS-E4002 when the run exists.
            The lines that were written before stay a valid chain.
    """

    def __init__(
        self, root: Path, estate: str, job: str, *, now: Callable[[], datetime] = utc_now, run: str = ""
    ) -> None:
        self._now = now
        self.run = run or f"{now():%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
        self.path = Path(root) / safe_name(estate) / safe_name(job) / safe_name(self.run)
        self.head = GENESIS
        self._fd = -1
        self._seq = 0
        self._size = 0

    def __enter__(self) -> Self:
        """Create the run's folder and lock its file."""
        with _writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            try:
                self.path.mkdir(mode=0o700)
            except FileExistsError:
                raise PanshiError("PS-E4002", f"运行 {self.run} 已存在或正由另一个进程写入", "重新启动作业") from None
            (self.path / "facts").mkdir(mode=0o700)
            self._fd = _create(self.path / RUN_FILE)
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _sync_folder(self.path.parent)
            _sync_folder(self.path)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close and unlock; without an :class:`EndRow` the run stays incomplete, which reports say."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def write(self, *rows: Row) -> None:
        """Append rows as one batch that is on the disk when this returns."""
        time = f"{self._now():%Y-%m-%dT%H:%M:%SZ}"
        head, seq, lines = self.head, self._seq, []
        for row in rows:
            line = {"seq": seq, "time": time, "kind": row.kind, "prev": head, **_payload(row)}
            line["hash"] = head = _digest(line)
            lines.append(canonical(line) + b"\n")
            seq += 1
        data = b"".join(lines)
        with _writing(self.path / RUN_FILE):
            try:
                _write_all(self._fd, data)
            except OSError:
                # What is missing must not be covered by later rows, so this run takes no further line.
                broken, self._fd = self._fd, -1
                try:
                    os.ftruncate(broken, self._size)
                finally:
                    os.close(broken)
                raise
        self.head, self._seq, self._size = head, seq, self._size + len(data)

    def write_host(self, row: HostRow, document: Mapping[str, Any] | None) -> None:
        """Store a host's collected document, then append its row with the file's name and SHA-256."""
        if document is not None:
            data = gzip.compress(canonical(document), compresslevel=6, mtime=0)
            name = f"facts/{safe_name(row.host)}.json.gz"
            with _writing(self.path / name):
                fd = _create(self.path / name)
                try:
                    _write_all(fd, data)
                finally:
                    os.close(fd)
                _sync_folder(self.path / "facts")
            row = replace(row, facts=name, sha256=hashlib.sha256(data).hexdigest())
        self.write(row)


def read_run(path: Path) -> Run:
    """Read a run's rows; facts are loaded when asked for. Use :func:`verify_run` to prove that nothing was changed.

    Raises:
        PanshiError: PS-E4004 when there is no run, PS-E4003 when a line cannot be read, PS-E4006 when its shape is
            not the one of this version.
    """
    begin: Begin | None = None
    begin_time = ""
    rows: dict[str, list[Any]] = {kind: [] for kind in _KINDS}
    head = GENESIS
    for number, raw, whole in _lines(path):
        if not whole:
            break
        line = _parse(raw)
        if line is None:
            raise _corrupt(path, Problem(f"第 {number} 行", "不是有效的记录行"))
        try:
            head = str(line["hash"])
            kind = line["kind"]
            if kind == Begin.kind:
                begin, begin_time = _row(Begin, line), str(line["time"])
                if begin.schema != SCHEMA:
                    raise ValueError(f"schema {begin.schema}")
            elif kind in _KINDS:
                rows[kind].append(_row(_KINDS[kind], line))
        except (KeyError, ValueError, TypeError) as error:
            raise PanshiError(
                "PS-E4006", f"{path / RUN_FILE} 第 {number} 行的字段与本版本不符：{error}", "用写入该记录的磐石版本查看"
            ) from error
    if begin is None:
        raise PanshiError("PS-E4004", f"{path} 中没有开始行，运行未写入任何内容", "重新执行作业")
    ends, signed = rows.pop(EndRow.kind), rows.pop(SignedRow.kind)
    return Run(
        path=path,
        begin=begin,
        begin_time=begin_time,
        end=ends[-1] if ends else None,
        head=head,
        signed=signed[-1] if signed else None,
        **{field: rows[row.kind] for row, field in _LISTS.items()},
    )


def verify_run(path: Path) -> list[Problem]:
    """Prove a run's chain and facts files.

    Args:
        path: the run's folder.

    Returns:
        What is wrong, empty for a complete and unchanged run. Lines are counted from 1.

    Raises:
        PanshiError: PS-E4004 when there is no run to look at.
    """
    problems: list[Problem] = []
    known_facts: set[str] = set()
    previous: str | None = GENESIS
    ended = False
    for number, raw, whole in _lines(path):
        where = f"第 {number} 行"
        if not whole:
            what = "结束行之后还有内容" if ended else "最后一行未写完，写入在此中断"
            problems.append(Problem(where, what, incomplete=not ended))
            break
        line = _parse(raw)
        if line is None:
            problems.append(Problem(where, "内容被改动，不是有效的记录行"))
            previous = None
            continue
        where = f"第 {number} 行（seq {line.get('seq')}，{line.get('kind')}）"
        for what in _chain_faults(line, raw, number, previous, ended):
            problems.append(Problem(where, what))
        previous = str(line.get("hash"))
        ended = ended or line.get("kind") == "end"
        if line.get("kind") == "begin" and line.get("run") != path.resolve().name:
            problems.append(Problem(where, f"运行编号 {line.get('run')} 与文件夹名 {path.resolve().name} 不符"))
        if line.get("kind") == "host" and line.get("facts"):
            known_facts.add(str(line["facts"]))
            _, problem = _read_facts(path, str(line["facts"]), str(line.get("sha256")))
            problems += [problem] if problem is not None else []
    for file in sorted((path / "facts").glob("*")):
        if f"facts/{file.name}" not in known_facts and ended:
            problems.append(Problem(f"facts/{file.name}", "记录中没有登记这个文件"))
    if not ended:
        what = "没有结束行，作业仍在写入" if is_running(path) else "没有结束行，运行未完成"
        problems.append(Problem(RUN_FILE, what, incomplete=True))
    return problems


def is_running(path: Path) -> bool:
    """Return whether a job holds the run's lock now."""
    try:
        with (path / RUN_FILE).open("rb") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def list_runs(root: Path, estate: str, job: str) -> list[Path]:
    """Return the folders of all runs, oldest first."""
    folder = Path(root) / safe_name(estate) / safe_name(job)
    return sorted(file.parent for file in folder.glob(f"*/{RUN_FILE}") if _RUN_ID.fullmatch(file.parent.name))


def previous_run(run: Run) -> Run | None:
    """Return the last complete, unchanged run of the same estate, job, profile and level before this one."""
    path = run.path.resolve()
    for candidate in reversed(list_runs(path.parents[2], path.parents[1].name, path.parent.name)):
        if candidate.name >= path.name or verify_run(candidate):
            continue
        older = read_run(candidate)
        if (older.begin.profile, older.begin.level) == (run.begin.profile, run.begin.level):
            return older
    return None


T = TypeVar("T", bound=Row)


def _row(kind: type[T], line: Mapping[str, Any]) -> T:
    # A field with a default is younger than some records; one without that is missing is a TypeError.
    return kind(**{f.name: line[f.name] for f in fields(kind) if f.name in line})  # type: ignore[arg-type]


def _payload(row: Row) -> dict[str, Any]:
    return {f.name: getattr(row, f.name) for f in fields(row)}  # type: ignore[arg-type]


def _digest(line: Mapping[str, Any]) -> str:
    return hashlib.sha256(canonical({key: value for key, value in line.items() if key != "hash"})).hexdigest()


def _chain_faults(line: Mapping[str, Any], raw: bytes, number: int, previous: str | None, ended: bool) -> Iterator[str]:
    if line.get("hash") != _digest(line) or canonical(line) != raw:
        yield "内容被改动，与其散列值不符"
    if previous is not None and line.get("prev") != previous:
        yield "与上一行不相接，有行被删除、插入或调换"
    if line.get("seq") != number - 1:
        yield f"序号应为 {number - 1}"
    if (line.get("kind") == "begin") != (number == 1):
        yield "开始行缺失" if number == 1 else "出现第二个开始行"
    if ended:
        yield "结束行之后还有内容"


def _lines(path: Path) -> Iterator[tuple[int, bytes, bool]]:
    try:
        with (path / RUN_FILE).open("rb") as file:
            for number, raw in enumerate(file, start=1):
                yield number, raw.removesuffix(b"\n"), raw.endswith(b"\n")
    except OSError as error:
        raise PanshiError(
            "PS-E4004", f"读不到运行记录 {path / RUN_FILE}：{error.strerror}", "用 panshi report --estate 环境名 --last"
        ) from error


def _parse(raw: bytes) -> dict[str, Any] | None:
    try:
        line = json.loads(raw.decode("utf-8"))
        canonical(line)
    except (ValueError, RecursionError):
        return None
    return line if isinstance(line, dict) else None


def _read_facts(path: Path, name: str, sha256: str) -> tuple[bytes, Problem | None]:
    if not _FACTS_NAME.fullmatch(name) or (path / name).is_symlink():
        return b"", Problem(name, "不是本运行文件夹内的采集文件")
    try:
        data = (path / name).read_bytes()
    except OSError as error:
        return b"", Problem(name, f"采集文件读不到：{error.strerror}")
    if hashlib.sha256(data).hexdigest() != sha256:
        return b"", Problem(name, "采集文件被改动，与登记的 SHA-256 不符")
    return data, None


def _corrupt(path: Path, problem: Problem) -> PanshiError:
    return PanshiError("PS-E4003", f"运行 {path.name} 的记录已损坏，{problem}", "panshi report --verify 列出全部问题")


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def _write_all(fd: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]
    os.fsync(fd)


def _sync_folder(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


@contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in _NO_SPACE
        what = "磁盘空间不足" if full else (error.strerror or str(error))
        hint = "清理或扩容记录所在的磁盘后重新执行" if full else "确认记录目录可写后重新执行"
        raise PanshiError("PS-E4001", f"无法写入记录 {path}：{what}；此前写入的内容完好", hint) from error
