"""How fast messages leave: one turn after another, evenly."""

import asyncio
import time


class Pace:
    """`a_minute`: messages at most. One for all who send over the same mail server."""

    def __init__(self, a_minute: int) -> None:
        self._between = 60.0 / a_minute
        self._next = 0.0

    async def turn(self) -> None:
        """Waits until the next message may leave."""
        start = max(self._next, time.monotonic())
        self._next = start + self._between
        await asyncio.sleep(start - time.monotonic())
