"""Keys of backup repositories, with every job of backups as loud as can be: they are in their files and there alone."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parent))
from backups import HOST, SECOND, backups
from canaries import Search

pytestmark = [pytest.mark.lab, pytest.mark.long]
# In the order of a year: deployed and made, looked at, proven, and each kind of thing brought back.
JOBS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("backup.yml", {"backup_now": True}),
    ("backup_check.yml", {"backup_rules": {"second": ["second"], "offsite": ["second"]}}),
    ("restore_verify.yml", {}),
    ("restore.yml", {"restore_database": "shop", "restore_into": "found"}),
    ("restore.yml", {"restore_database": "shop", "restore_replace": True}),
    ("restore.yml", {"restore_files": ["/srv/app/conf"], "restore_into": "/srv/found"}),
)


def test_real_keys_of_repositories(tmp_path: Path) -> None:
    with backups(tmp_path) as made:
        folder = made.operator.records / "tmp"
        folder.mkdir()
        environment = {"ANSIBLE_LOG_PATH": str(made.operator.records / "ansible.log")}
        environment |= {"TMPDIR": str(folder), "ANSIBLE_LOCAL_TEMP": str(folder)}
        search = Search(
            made.copies, (HOST,), [made.operator.records, made.copies.folder, Path("/dev/shm")], made.copies.folder
        )
        for playbook, variables in JOBS:
            with search.watching():
                done = made.rotate("-vvv", playbook=playbook, environment=environment, **variables)
            # a check may find what it looks for: no proof of a restore yet
            assert done.status == 0 or playbook == "backup_check.yml", done.out[-3000:]
            search.outputs.append(done.out)
        search.commit()
        keys = {made.key("local"), made.key("second")}
        assert len(keys) == 2
        assert search.leaks(keys) == {"file there"}
        places = {(HOST, f"/etc/panshi/backup/{name}.key") for name in ("local", "second")}
        assert search.files_there(keys) == places
        # broken on purpose: the search sees a key that is somewhere
        made.sh(f"cat /etc/panshi/backup/second.key >{SECOND}/lost; cp {SECOND}/lost /var/tmp/lost")
        assert (HOST, "/var/tmp/lost") in search.files_there(keys)
