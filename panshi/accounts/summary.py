"""The hosts of a run together: who has left and still is somewhere, and the table with its differences (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from panshi.accounts.judge import EVENTS_ZH, elsewhere_left
from panshi.accounts.permissions import NO_REQUEST, Change, difference
from panshi.record import AccountRow, PermissionRow

WHAT_ZH = {"added": "新增", "changed": "变更", "removed": "撤销"}
# In the order in which a person should look at them.
_ORDER = list(EVENTS_ZH)


@dataclass(frozen=True, slots=True)
class Summary:
    """What one run has found.

    Args:
        estate, run, made: name of the estate, id of the run, when.
        previous: id of the run that this is compared with; empty when there is none.
        rows: the permission table.
        accounts: what is to be said of accounts.
        changes: differences to the last table.
        silent: hosts that did not answer.
    """

    estate: str
    run: str
    made: datetime
    previous: str
    rows: Sequence[PermissionRow]
    accounts: Sequence[AccountRow]
    changes: Sequence[Change]
    silent: Sequence[str]

    @property
    def remaining(self) -> list[AccountRow]:
        """Leavers who still are somewhere."""
        return [row for row in self.accounts if row.event == "remains"]

    @property
    def unrequested(self) -> list[Change]:
        """Changes that no request has asked for."""
        return [one for one in self.changes if one.request == NO_REQUEST]


def summary(
    answers: Mapping[str, Mapping[str, Any]],
    before: Sequence[PermissionRow],
    *,
    estate: str,
    run: str,
    made: datetime,
    previous: str,
    silent: Sequence[str],
    ended: bool,
) -> Summary:
    """Sum up what the action panshi_accounts has returned for every host.

    Args:
        answers: by host.
        before: the last table.
        estate, run, made, previous, silent: see :class:`Summary`.
        ended: whether leavers should be gone by now; what is left of one is then an error.
    """
    rows = [PermissionRow(**row) for answer in answers.values() for row in answer["permissions"]]
    left = [one for answer in answers.values() for one in answer["leavers"]]
    requests = {str(one["name"]): str(one["request"]) for one in left}
    found = [row for host, answer in answers.items() for row in _accounts(host, answer, ended)]
    people = {str(person) for one in left for person in one["people"]}
    event = "remains" if ended else "leaver"
    for row in rows:
        mine = {str(one["name"]) for one in answers[row.host]["leavers"]}
        why = elsewhere_left(requests, people, row.account, row.owners, row.state == "active")
        if why and row.account not in mine:
            found.append(AccountRow(host=row.host, account=row.account, event=event, detail=why, request=row.request))
    for host in silent if ended else ():
        told = "主机没有应答，没有证明已经清除"
        found += [
            AccountRow(host=host, account=name, event=event, detail=told, request=requests[name]) for name in requests
        ]
    return Summary(
        estate=estate,
        run=run,
        made=made,
        previous=previous,
        rows=sorted(rows, key=lambda row: (row.host, row.account)),
        accounts=sorted(found, key=lambda row: (_ORDER.index(row.event), row.host, row.account)),
        changes=difference(before, rows, answers, requests) if previous else [],
        silent=silent,
    )


def lines_of(found: Summary) -> Iterator[str]:
    """Return what is to be said, as a person reads it in the terminal."""
    for event, title in EVENTS_ZH.items():
        rows = [row for row in found.accounts if row.event == event]
        if rows:
            yield f"── {title}（{len(rows)}）"
        for row in rows:
            yield f"   {row.host}：{row.account}" + (f"：{row.detail}" if row.detail else "")
    if found.silent:
        yield f"── 没有应答：{'、'.join(found.silent)}"


def _accounts(host: str, answer: Mapping[str, Any], ended: bool) -> Iterator[AccountRow]:
    for one in () if ended else answer["findings"]:
        yield AccountRow(host=host, **one)
    for one in answer["leavers"] if ended else ():
        detail = "；".join(one["remains"])
        event = "remains" if detail else "gone"
        yield AccountRow(host=host, account=one["name"], event=event, detail=detail, request=one["request"])
