"""What the registry does because of others' events: nothing to its own facts.

It follows identity's history for the names of staff (a projection) and to forget sessions that ended.
"""

from collections.abc import Awaitable, Callable, Sequence

from shared.contracts.event import Event, Recorded
from shared.eventstore.units import Unit
from shared.web.introspection import BusIntrospector


def follow_identity(
    sessions: BusIntrospector,
) -> Callable[[Sequence[Recorded[Event]]], Awaitable[Sequence[Unit]]]:
    async def react(events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
        sessions.heed(events)
        return ()

    return react
