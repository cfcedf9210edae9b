"""Entries to typed events, page by page: what the next page needs is fetched while this one is opened."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Sequence
from contextlib import aclosing
from itertools import repeat
from typing import NamedTuple

from shared.contracts import decoding
from shared.contracts.event import Event, Recorded
from shared.keyring.keyring import HeldKeys, Keyring
from shared.tasks import one_ahead

_SLICE = 250
"""Events between which others get their turn."""


class Page(NamedTuple):
    """Entries with all that opening them needs: no I/O any more."""

    entries: Sequence[decoding.Unopened]
    keys: HeldKeys


async def prepare(keyring: Keyring, entries: Sequence[bytes]) -> Page:
    read = list(map(decoding.unopened, entries))
    wanted = decoding.sealed_keys(read)
    return Page(read, await keyring.load(wanted) if wanted else HeldKeys({}))


async def opened(page: Page) -> list[Recorded[Event]]:
    """The typed events of a page."""
    events: list[Recorded[Event]] = []
    for start in range(0, len(page.entries), _SLICE):
        if start:
            await asyncio.sleep(0)
        events += map(decoding.opened, page.entries[start : start + _SLICE], repeat(page.keys))
    return events


async def pages_opened(
    keyring: Keyring, pages: AsyncIterable[Sequence[bytes]]
) -> AsyncGenerator[list[Recorded[Event]], None]:
    """The events of pages of entries."""

    async def prepared() -> AsyncGenerator[Page, None]:
        async for entries in pages:
            yield await prepare(keyring, entries)

    async with aclosing(one_ahead(prepared())) as ahead:
        async for page in ahead:
            await asyncio.sleep(0)
            yield await opened(page)
