"""How many from one address come in at once, and how fast: one client alone closes the door to nobody (DESIGN 7).

All in memory and bounded. An address is slowed, never locked: families of one school or one carrier share theirs,
and a right password is as welcome from there as from anywhere.
"""

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass

from services.identity.addresses import Address, households
from services.identity.passwords import HasherBusy

WAITING_TIMES = 4
"""For each who is in, so many more of the same address may wait for their turn."""
AT_ONCE_ON_A_DEVICE = 4
UNHEEDED_FAILURES = 20
FORGOTTEN_AFTER = 5.0
"""Seconds in which one failure of an address is forgotten."""
MOST_FAILURES = 60
DELAY_EACH = 0.025
LONGEST_DELAY = 1.0
MOST_ADDRESSES = 10_000


class Door:
    def __init__(
        self,
        at_once: int = 8,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._at_once = at_once
        self._lanes: dict[str, _Lane] = {}
        self._on_devices: Counter[str] = Counter()
        self._failures = Failures(clock)
        self._sleep = sleep

    @asynccontextmanager
    async def from_address(self, address: Address | None) -> AsyncIterator[None]:
        """One of the address's turns, after the delay that its failures have earned it. Raises `HasherBusy`."""
        async with AsyncExitStack() as stack:
            for household, times in households(address):
                await stack.enter_async_context(self._turn(household, times * self._at_once))
            if (delay := self._failures.delay(address)) > 0:
                await self._sleep(delay)
            yield

    @contextmanager
    def on_device(self, device: str) -> Iterator[None]:
        """Whoever signs in where they always do does not stand in line with their address. Raises `HasherBusy`."""
        if self._on_devices[device] >= AT_ONCE_ON_A_DEVICE:
            raise HasherBusy
        self._on_devices[device] += 1
        try:
            yield
        finally:
            self._on_devices[device] -= 1
            if not self._on_devices[device]:
                del self._on_devices[device]

    def failed(self, address: Address | None) -> None:
        """A stranger from there was not let in."""
        self._failures.add(address)

    @asynccontextmanager
    async def _turn(self, household: str, at_once: int) -> AsyncIterator[None]:
        lane = self._lanes.setdefault(household, _Lane(asyncio.Semaphore(at_once)))
        if lane.present >= at_once * (1 + WAITING_TIMES):
            raise HasherBusy
        lane.present += 1
        try:
            async with lane.turns:
                yield
        finally:
            lane.present -= 1
            if not lane.present:
                del self._lanes[household]


@dataclass(slots=True)
class _Lane:
    turns: asyncio.Semaphore
    present: int = 0


class Failures:
    """Recent failures by address: a leaky count, of the latest `MOST_ADDRESSES` households."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counts: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def add(self, address: Address | None) -> None:
        for household, times in households(address):
            count = min(self._count(household) + 1, MOST_FAILURES * times)
            self._counts[household] = (count, self._clock())
            self._counts.move_to_end(household)
        while len(self._counts) > MOST_ADDRESSES:
            self._counts.popitem(last=False)

    def delay(self, address: Address | None) -> float:
        """Seconds that the next attempt from there has to wait."""
        over = max(self._count(h) / times - UNHEEDED_FAILURES for h, times in households(address))
        return min(max(over, 0.0) * DELAY_EACH, LONGEST_DELAY)

    def _count(self, household: str) -> float:
        count, at = self._counts.get(household, (0.0, 0.0))
        return max(count - (self._clock() - at) / FORGOTTEN_AFTER, 0.0)
