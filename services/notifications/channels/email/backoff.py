"""When a deferred mail is tried again. Pure: a schedule, not a clock."""

from datetime import timedelta
from typing import Final

# RFC 5321 4.5.4.1: quickly at first, for greylisting; then hours apart, for four to five days.
SCHEDULE: Final = (
    timedelta(minutes=1),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=6),
)
GIVE_UP_AFTER: Final = timedelta(days=5)


def backoff(attempt: int, first: timedelta = SCHEDULE[0]) -> timedelta | None:
    """How long to wait after the `attempt`-th try (from 1) was deferred; ``None``: give up.

    `first`: the wait after the first try; all others grow or shrink with it, their number stays.
    Past the schedule every wait is its last one, until the waits together exceed `GIVE_UP_AFTER`. Raises
    `ValueError` below 1.
    """
    if attempt < 1:
        raise ValueError("attempts count from 1")
    waited = sum((_wait(earlier) for earlier in range(1, attempt)), timedelta())
    wait = _wait(attempt)
    return wait * (first / SCHEDULE[0]) if waited + wait <= GIVE_UP_AFTER else None


def _wait(attempt: int) -> timedelta:
    return SCHEDULE[min(attempt, len(SCHEDULE)) - 1]
