"""Many devices at once: one thread each, and what is wrong with one is nobody else's."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Generic, TypeVar

from panshi.errors import PanshiError

FORKS = (
    100  # sessions at once; a thread that waits costs nothing, a session some 100 kB (measured, docs/performance.md)
)
T = TypeVar("T")
K = TypeVar("K")


@dataclass(frozen=True, slots=True)
class Outcome(Generic[T]):
    """What came of one device: a value, or an error."""

    value: T | None = None
    error: PanshiError | None = None


def attempt(work: Callable[[K], T], key: K) -> Outcome[T]:
    """Do the work for one device; what it raises is the device's outcome."""
    try:
        return Outcome(work(key))
    except PanshiError as error:
        return Outcome(error=error)
    except Exception as error:
        # Its text could quote what was said to the device.
        return Outcome(error=_defect(error))


def each(keys: Iterable[K], work: Callable[[K], T], forks: int = FORKS) -> dict[K, Outcome[T]]:
    """Do the same work for many devices.

    Args:
        keys: what the work takes, one for each device.
        work: called in a thread; what it raises is that device's outcome.
        forks: how many at once.
    """
    found = list(keys)
    with ThreadPoolExecutor(max_workers=max(1, min(forks, len(found)))) as pool:
        return dict(zip(found, pool.map(partial(attempt, work), found), strict=True))


def _defect(error: Exception) -> PanshiError:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f"{trace.tb_frame.f_code.co_name}:{trace.tb_lineno}" if trace is not None else ""
    return PanshiError(
        "PS-E8051", f"程序缺陷：{type(error).__name__}（{where}）", "其他设备不受影响；把这一行与版本号提交给我们"
    )
