"""What can go wrong on an emulated device, to be chosen by its test."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields


@dataclass
class Faults:
    """The faults of one device; a test may set and clear them while the device runs.

    Attributes:
        latency: seconds that everything the device sends is late, however much is under way (a distant network).
        cpu_delay: seconds of the device's only processor for each command, all sessions in turn (a slow device).
        slow_bps: bytes a second that a session gets.
        input_buffer: bytes of typed-ahead input that a terminal keeps; more is lost, as on a real line.
        drop_after: configuration lines after which the connection is cut.
        drop_on: pattern of a command at which the connection is cut, before it is carried out.
        hang_on: pattern of a command that is never answered.
        error_on: pattern of a configuration line that is refused with the platform's own error.
        save_fail: what is said instead of saving.
        save_delay: seconds that saving takes.
        save_prompt: another question before saving.
        save_skips: it says that it has saved, and has not.
        auth_fail: the next so many logins are refused.
        paging_sticky: output is paged although it was switched off.
        banner: text before the first prompt.
        pw_expire_prompt: asks at login whether the password is to be changed.
        noise: a log line that nobody asked for comes with each answer.
        prompt_prefix: text before each prompt, as ``HRP_M`` or ``RBM_P``.
        encoding: of all text, as gbk.
        commit_ask: a question before a commit.
        commit_fail: what is said instead of committing.
        locks_after: failed logins in a row after which an account is let in no more.
        password_least: characters that the device's own rules ask of a new password.
        password_history: so many passwords that were typed before are not taken again.
        lockout_line: text of a configuration line with which no login is let in any more.
        kills_session_line: text of a configuration line that cuts all sessions, and lets no login in any more.
        max_vty: sessions at a time.
        timer_fails: an armed timer never goes off.
        accelerate_fail: a SecPath refuses to accelerate its rules, so changed ones never match.
    """

    latency: float = 0.0
    cpu_delay: float = 0.0
    slow_bps: int = 0
    input_buffer: int = 0
    drop_after: int = 0
    drop_on: str = ""
    hang_on: str = ""
    error_on: str = ""
    save_fail: str = ""
    save_delay: float = 0.0
    save_prompt: str = ""
    save_skips: bool = False
    auth_fail: int = 0
    paging_sticky: bool = False
    banner: str = ""
    pw_expire_prompt: bool = False
    noise: bool = False
    prompt_prefix: str = ""
    encoding: str = "utf-8"
    commit_ask: str = ""
    commit_fail: str = ""
    locks_after: int = 0
    password_least: int = 0
    password_history: int = 0
    lockout_line: str = ""
    kills_session_line: str = ""
    max_vty: int = 0
    timer_fails: bool = False
    accelerate_fail: bool = False

    @classmethod
    def of(cls, given: Faults | Mapping[str, object]) -> Faults:
        """Read faults.

        Raises:
            ValueError: there is no fault of that name: a test that asks for it would prove nothing.
        """
        if isinstance(given, Faults):
            return given
        unknown = set(given) - {one.name for one in fields(cls)}
        if unknown:
            raise ValueError(f"no such fault: {', '.join(sorted(unknown))}")
        return cls(**given)  # type: ignore[arg-type]
