"""Units made ready for their commit, page by page: the next page's keys are on their way while this one is sealed."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from itertools import islice

from shared.contracts.entry import encode_data, personal_subjects
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
    events = [event for unit in units for append in unit.appends for event in append.events]
    encoded: list[Encoded] = []
    if len(events) <= _PAGE:
        encoded = _encoded(events, await keyring.prepare(personal_subjects(events)))
    else:
        async with aclosing(one_ahead(_prepared(keyring, events))) as pages:
            async for page, held in pages:
                await asyncio.sleep(0)
                encoded += _encoded(page, held)
    ready = iter(encoded)
    return [Sealed(unit, list(islice(ready, sum(len(a.events) for a in unit.appends)))) for unit in units]


async def _prepared(
    keyring: Keyring, events: Sequence[Event]
) -> AsyncGenerator[tuple[Sequence[Event], HeldKeys], None]:
    for start in range(0, len(events), _PAGE):
        page = events[start : start + _PAGE]
        yield page, await keyring.prepare(personal_subjects(page))


def _encoded(events: Sequence[Event], held: HeldKeys) -> list[Encoded]:
    ids = [new_id() for _ in events]
    return [
        (event_id, encode_data(event, event_id, held)) for event_id, event in zip(ids, events, strict=True)
    ]
