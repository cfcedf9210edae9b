"""Units made ready for their commit, page by page: the next page's keys are on their way while this one is sealed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing

from shared.contracts.entry import encode_data, opening, personal_subjects
from shared.contracts.event import Event
from shared.eventstore.numbering import Encoded, Sealed
from shared.eventstore.units import Unit
from shared.ids import new_id
from shared.keyring.keyring import HeldKeys, Keyring
from shared.tasks import one_ahead

_PAGE = 500
"""Events; between pages others get their turn."""


async def seal(keyring: Keyring, units: Sequence[Unit]) -> list[Sealed]:
    """All that is slow and needs no place in history: ids, JSON, personal parts sealed."""
    events = [(event, append.stream) for unit in units for append in unit.appends for event in append.events]
    encoded: list[Encoded] = []
    if len(events) <= _PAGE:
        encoded = _encoded(events, await _keys(keyring, events))
    else:
        async with aclosing(one_ahead(_prepared(keyring, events))) as pages:
            async for page, held in pages:
                await asyncio.sleep(0)
                encoded += _encoded(page, held)
    sealed = []
    taken = 0
    for unit in units:
        first = taken
        for append in unit.appends:
            taken += len(append.events)
        sealed.append(Sealed(unit, encoded[first:taken]))
    return sealed


_Placed = tuple[Event, str]
"""An event and its stream."""


async def _prepared(
    keyring: Keyring, events: Sequence[_Placed]
) -> AsyncGenerator[tuple[Sequence[_Placed], HeldKeys], None]:
    for start in range(0, len(events), _PAGE):
        page = events[start : start + _PAGE]
        yield page, await _keys(keyring, page)


async def _keys(keyring: Keyring, events: Sequence[_Placed]) -> HeldKeys:
    return await keyring.prepare(personal_subjects(event for event, _ in events))


def _encoded(events: Sequence[_Placed], held: HeldKeys) -> list[Encoded]:
    return [
        (event_id := new_id(), opening(type(event), event_id, stream), encode_data(event, event_id, held))
        for event, stream in events
    ]
