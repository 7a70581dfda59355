from __future__ import annotations

from panshi.collect import linux


def test_what_was_said_before_the_end_is_never_lost() -> None:
    # On a busy host a program may say everything and end between two looks of the collector.
    child = linux.Child(["sh", "-c", "echo all; echo why >&2"], 5, 1 << 16)
    child.process.wait(5)
    assert child.ended(quiet=True)
    assert (child.rc, bytes(child.out), bytes(child.err)) == (0, b"all\n", b"why\n")


def test_a_background_process_that_keeps_the_pipe_is_not_waited_for() -> None:
    child = linux.Child(["sh", "-c", "echo all; sleep 60 &"], 5, 1 << 16)
    assert child.wait() == b"all\n"
    assert not child.pipes
