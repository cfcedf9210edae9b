"""The cyclic collector put to rest while much is built that has no cycles and ends by itself."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager


class _Rest:
    """How many wish for it."""

    wishes = 0


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """For seconds, not for minutes: whatever else runs meanwhile leaves its cycles uncollected until the end.

    What was built must have been let go of before the end, or the collector walks it then. Several may overlap in
    one thread.
    """
    if not _Rest.wishes and not gc.isenabled():
        yield
        return
    _Rest.wishes += 1
    gc.disable()
    try:
        yield
    finally:
        _Rest.wishes -= 1
        if not _Rest.wishes:
            gc.enable()
