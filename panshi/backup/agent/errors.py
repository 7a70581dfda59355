"""What can go wrong, said in one line with a code and what to do."""

from __future__ import annotations


class BackupError(Exception):
    """A backup, a copy, a restore or a proof that cannot go on.

    Args:
        code: of docs/errors.
        message: what happened (Chinese, one line).
        hint: what to do.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(f"[{code}] {message}。{hint}")
        self.code, self.message, self.hint = code, message, hint


def unforeseen(error: Exception) -> BackupError:
    """Return a line for what no job has foreseen: a program that is not there, a disk that nobody may write to."""
    text = f"{type(error).__name__}：{error}"[:300]
    return BackupError("PS-E7405", text, "缺少程序就安装，磁盘满或只读就处理，然后重做；已有的备份没有变")


def last_line(text: str) -> str:
    """Return the last line that says something, for a message of one line."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300] if lines else "没有输出"
