"""Group commit: concurrent commands share a transaction, and so its sync to disk."""

import asyncio
from collections.abc import Sequence

import asyncpg

from shared.contracts.entry import EntryTooLarge
from shared.eventstore.gathered import Gathered
from shared.eventstore.numbering import Sealed
from shared.eventstore.store import EventStore
from shared.eventstore.units import Outcome, Unit

_ROLLED_BACK = (asyncpg.PostgresError, EntryTooLarge)
_UNKNOWN = (asyncpg.PostgresConnectionError, asyncpg.OperatorInterventionError)


class Batcher:
    """Gathers concurrent commands into one transaction (group commit). While one is under way, the next are sealed.

    When a transaction is certainly rolled back (a constraint of one unit's own table), each unit is tried alone, so
    that one cannot take its neighbours down. Where its outcome is not known (the connection broke), nothing is
    tried again: whoever asked is told, and an idempotency key makes the retry safe.
    """

    def __init__(self, store: EventStore, most: int = 256) -> None:
        self._store = store
        self._most = most
        self._sealing: Gathered[Unit, Sealed] = Gathered(store.seal)
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    async def submit(self, unit: Unit) -> Outcome:
        sealed = await self._sealing.ask(unit)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((sealed, future))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await future

    async def _work(self) -> None:
        while self._waiting:
            batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
            try:
                outcomes = await self._store.write([sealed for sealed, _ in batch])
            except _ROLLED_BACK as failure:
                if isinstance(failure, _UNKNOWN):
                    _tell_all(batch, failure)
                else:
                    await self._one_by_one(batch, failure)
                continue
            except Exception as failure:
                _tell_all(batch, failure)
                continue
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if not future.done():
                    future.set_result(outcome)

    async def _one_by_one(self, batch: Sequence["_Waiting"], failure: Exception) -> None:
        for sealed, future in batch:
            if future.done():
                continue
            if len(batch) == 1:
                future.set_exception(failure)
                return
            try:
                (outcome,) = await self._store.write([sealed])
                future.set_result(outcome)
            except Exception as own:
                future.set_exception(own)


_Waiting = tuple[Sealed, asyncio.Future[Outcome]]


def _tell_all(batch: Sequence[_Waiting], failure: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(failure)
