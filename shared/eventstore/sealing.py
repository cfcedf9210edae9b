"""Units made ready for their commit: the keys of their personal parts, and what can be encoded beforehand."""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing

from shared.contracts.entry import Sealer, personal_subjects
from shared.contracts.event import Event
from shared.eventstore.numbering import Encoded, Sealed, encoded
from shared.eventstore.units import Unit
from shared.keyring.keyring import HeldKeys, Keyring

_PAGE = 500
"""Events; between pages others get their turn."""
_Placed = tuple[Event, str]
"""An event and its stream."""


async def seal(keyring: Keyring, units: Sequence[Unit]) -> list[Sealed]:
    """All that is slow and needs no place in history: ids, JSON, personal parts sealed.

    Of more than a page only what can be done while keys are on their way: the rest is encoded while the server takes
    in what came before.
    """
    events = [(event, append.stream) for unit in units for append in unit.appends for event in append.events]
    ready: list[Encoded | Sealer] = []
    if len(events) <= _PAGE:
        ready += _encoded(events, await _keys(keyring, events))
    else:
        async with aclosing(_pages(keyring, events)) as pages:
            async for page, held, waiting in pages:
                ready += _encoded(page, held) if waiting else [held] * len(page)
    sealed = []
    taken = 0
    for unit in units:
        first = taken
        for append in unit.appends:
            taken += len(append.events)
        sealed.append(Sealed(unit, ready[first:taken]))
    return sealed


async def _pages(
    keyring: Keyring, events: Sequence[_Placed]
) -> AsyncGenerator[tuple[Sequence[_Placed], HeldKeys, bool], None]:
    """Pages with their keys, and whether those of the next are waited for."""
    pages = [events[start : start + _PAGE] for start in range(0, len(events), _PAGE)]
    upcoming = asyncio.create_task(_keys(keyring, pages[0]))
    try:
        for page, following in zip(pages, [*pages[1:], ()], strict=True):
            held = await upcoming
            upcoming = asyncio.create_task(_keys(keyring, following))
            await asyncio.sleep(0)
            yield page, held, not upcoming.done()
    finally:
        upcoming.cancel()
        await asyncio.gather(upcoming, return_exceptions=True)


async def _keys(keyring: Keyring, events: Sequence[_Placed]) -> HeldKeys:
    return await keyring.prepare(personal_subjects(event for event, _ in events))


def _encoded(events: Iterable[_Placed], held: HeldKeys) -> list[Encoded]:
    return [encoded(event, stream, held) for event, stream in events]
