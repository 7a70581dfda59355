"""A message that was logged is found where an auditor looks for it, and not by everybody."""

from __future__ import annotations

import uuid

from testinfra.host import Host


def test_real_message_arrives_in_a_file_that_others_cannot_read(host: Host) -> None:
    mark = uuid.uuid4().hex
    assert host.run(f"logger -p auth.warning {mark}").rc == 0
    found = host.run(f"timeout 60 sh -c 'until grep -rl {mark} /var/log; do sleep 0.5; done'")
    assert found.rc == 0
    for path in found.stdout.split():
        assert host.file(path).mode & 0o007 == 0, path
