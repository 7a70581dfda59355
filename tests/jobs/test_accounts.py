"""Accounts on real hosts: people get in as declared, leavers are gone everywhere, nobody is shut out by mistake."""

from __future__ import annotations

import hashlib
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from accounts_run import HOSTS, Office, office, person
from harden_run import Done

from panshi.record import AccountRow, PermissionRow, list_runs, read_run

pytestmark = [pytest.mark.lab]
# A password that nobody declared, and a second name for the same user number.
PREPARE = """
set -e
useradd -m stray
echo 'stray:of-the-test-only-1' | chpasswd
useradd -M -o -u "$(id -u stray)" -g stray stray2
"""


@pytest.fixture(scope="module")
def bureau(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with office(tmp_path_factory.mktemp("accounts")) as made:
        for host in HOSTS:
            made.copies.sh(host, PREPARE)
        made.declare(*people(made), accounts_groups=["web"])
        done = play(made)
        assert done.status == 0, done.out[-3000:]
        yield made


def people(bureau: Office) -> list[dict[str, Any]]:
    restart = {"commands": ["/usr/bin/systemctl restart cron.service"]}
    return [
        person("chenxt", "陈向天", bureau.key("chen"), role="system", groups=["web"], sudo=[restart]),
        person("wanglei", "王磊", bureau.key("wang"), groups=["web"]),
        person("shop", ["赵一", "钱二"], bureau.key("zhao")),
    ]


def without_wang(bureau: Office) -> None:
    chen, wang, shop = people(bureau)
    bureau.declare(chen, {**wang, "state": "leaver", "request": "CHG-LEAVE-7"}, shop, accounts_groups=["web"])


def play(bureau: Office, *options: str, **variables: Any) -> Done:
    return bureau.operator.play("accounts.yml", *options, accounts_batches=["100%"], **variables)


def rows(done: Done, event: str) -> list[AccountRow]:
    return [row for run in done.runs("accounts") for row in run.accounts if row.event == event]


def table(done: Done) -> dict[tuple[str, str], PermissionRow]:
    (run,) = done.runs("permissions")
    return {(row.host, row.account): row for row in run.permissions}


def test_real_people_get_in_as_declared_and_the_rest_is_reported(bureau: Office) -> None:
    for host in HOSTS:
        assert bureau.logs_in(host, "chenxt", "chen") and not bureau.logs_in(host, "chenxt", "wang")
        assert bureau.says(host, "chenxt", "chen", "sudo -n systemctl restart cron.service && id -Gn").split() == [
            *("chenxt", "web", "sysadm"),
        ]
        assert bureau.says(host, "chenxt", "chen", "sudo -n id -u") == ""
    told = read_run(list_runs(bureau.operator.records, "estate", "accounts")[0]).accounts
    assert {(row.host, row.account) for row in told if row.event == "undeclared"} == {
        (host, name) for host in HOSTS for name in ("stray", "stray2")
    }
    shared = {row.account: row.detail for row in told if row.host == "web1" and row.event == "shared"}
    assert set(shared) == {"stray", "stray2", "shop"} and "赵一" in shared["shop"] and "钱二" in shared["shop"]
    assert not locked(bureau, "web1", "stray")


@pytest.mark.long
def test_real_second_run_changes_nothing(bureau: Office) -> None:
    second = play(bureau)
    assert second.status == 0 and all(one["changed"] == 0 for one in second.recap.values()), second.out[-3000:]


def locked(bureau: Office, host: str, account: str) -> bool:
    fields = bureau.copies.sh(host, f"getent shadow {account}").strip().split(":")
    return fields[1].startswith("!") and fields[7] == "1"


@pytest.mark.parametrize(
    ("code", "change"),
    [
        pytest.param("PS-E7202", {"reviewer": "陈向天"}, marks=pytest.mark.long),
        pytest.param("PS-E7203", {"name": "second", "role": "audit"}, marks=pytest.mark.long),
        ("PS-E7204", {"name": "ops", "state": "leaver"}),
    ],
    ids=["own reviewer", "two of three roles", "account of the connection leaves"],
)
def test_real_refused_on_one_host_before_anything_is_changed_on_any(
    bureau: Office, code: str, change: dict[str, Any]
) -> None:
    chen, *others = people(bureau)
    new = {**chen, **change}
    kept = [chen] if new["name"] == "second" else []
    bureau.declare(chen, *others, accounts_groups=["web", "brandnew"])
    with bureau.only_here("web1", accounts_users=[*kept, new, *others]):
        done = play(bureau)
    bureau.declare(*people(bureau), accounts_groups=["web"])
    assert done.status != 0 and f"[{code}]" in done.out and "PS-E7208" in done.out, done.out[-3000:]
    assert all(one["changed"] == 0 for one in done.recap.values())
    assert "brandnew" not in bureau.copies.sh("ky1", "getent group")


def test_real_leaver_with_a_session_and_jobs_is_gone_everywhere_and_comes_back_by_rollback(bureau: Office) -> None:
    before = bureau.operator.play("permissions.yml", accounts_folder=str(bureau.folder / "tables"))
    assert before.status == 0 and "新增" not in before.out, before.out[-3000:]
    session = bureau.session("web1", "wanglei", "wang")
    bureau.wait_for("web1", "wanglei", "sleep")
    for host in HOSTS:
        bureau.copies.sh(host, "echo '* * * * * touch /tmp/of-wang' | crontab -u wanglei -")
        bureau.copies.sh(host, "runuser -u wanglei -- touch /home/wanglei/report.txt /var/tmp/of-wang")
        bureau.copies.sh(host, "touch /var/lib/systemd/linger/wanglei; chown wanglei /var/lib/systemd/linger/wanglei")
    # A job of the system is nobody's own: it is not taken away, and the leaver is not said to be gone.
    bureau.copies.sh("ky1", "echo '0 3 * * * wanglei /bin/true' >/etc/cron.d/nightly")
    without_wang(bureau)
    done = play(bureau)
    assert done.status != 0 and "[PS-E7206]" in done.out, done.out[-3000:]
    assert [(row.host, row.account) for row in rows(done, "remains")] == [("ky1", "wanglei")]
    assert [(row.host, row.request) for row in rows(done, "gone")] == [("web1", "CHG-LEAVE-7")]
    assert session.wait(timeout=20) != 0
    for host in HOSTS:
        assert bureau.processes(host, "wanglei") == [] and locked(bureau, host, "wanglei")
        assert not bureau.logs_in(host, "wanglei", "wang")
        assert bureau.copies.sh(host, "crontab -u wanglei -l 2>&1 || true").startswith("no crontab")
        assert bureau.copies.sh(host, "id -Gn wanglei").split() == ["wanglei"]
        assert bureau.copies.sh(
            host, "ls /home/wanglei/report.txt /var/tmp/of-wang; ls /var/lib/systemd/linger"
        ).split() == [
            *("/home/wanglei/report.txt", "/var/tmp/of-wang"),
        ]
    owned = {row.host: row.detail for row in rows(done, "files")}
    assert set(owned) == set(HOSTS) and all("/var/tmp/of-wang" in detail for detail in owned.values())

    bureau.copies.sh("ky1", "rm /etc/cron.d/nightly")
    after = bureau.operator.play("permissions.yml", accounts_folder=str(bureau.folder / "tables"))
    assert after.status == 0, after.out[-3000:]
    assert "web1：wanglei 变更（CHG-LEAVE-7）" in after.out and "web1：chenxt 变更" not in after.out
    assert table(after)["web1", "wanglei"].declared == "leaver" and table(before)["web1", "wanglei"].state == "active"
    documents_are_whole(bureau.folder / "tables" / "estate", after)

    back = bureau.operator.play("rollback.yml", run=done.runs("accounts")[0].begin.run, rollback_batches=["100%"])
    assert back.status == 0, back.out[-3000:]
    for host in HOSTS:
        assert bureau.logs_in(host, "wanglei", "wang") and not locked(bureau, host, "wanglei")
        assert "of-wang" in bureau.copies.sh(host, "crontab -u wanglei -l")
        assert "web" in bureau.copies.sh(host, "id -Gn wanglei").split()
    bureau.declare(*people(bureau), accounts_groups=["web"])


def documents_are_whole(folder: Path, done: Done) -> None:
    (sums,) = folder.glob(f"*{done.runs('permissions')[0].begin.run}.sha256")
    told = re.findall(r"^(\w{64})  (\S+)$", sums.read_text(encoding="utf-8"), re.M)
    assert len(told) == 2
    assert all(hashlib.sha256((folder / name).read_bytes()).hexdigest() == digest for digest, name in told)
    page = next(folder.glob(f"*{done.runs('permissions')[0].begin.run}.html")).read_text(encoding="utf-8")
    assert "CHG-LEAVE-7" in page and "签字" in page and "王磊" in page


def test_real_undeclared_account_is_locked_only_where_the_estate_wants_it(bureau: Office) -> None:
    assert not locked(bureau, "web1", "stray")
    bureau.copies.sh("web1", "userdel stray2")
    bureau.declare(*people(bureau), accounts_groups=["web"], accounts_lock_undeclared=True)
    done = play(bureau, "--limit", "web1")
    assert done.status == 0, done.out[-3000:]
    assert locked(bureau, "web1", "stray") and not locked(bureau, "ky1", "stray")
    assert bureau.logs_in("web1", "chenxt", "chen")
