"""From a command to a commit: load, decide, submit; decide again when somebody else was first."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar, cast

from shared.contracts.event import Context, Event
from shared.decider import Decider
from shared.eventstore.batcher import Batcher
from shared.eventstore.gathered import Gathered
from shared.eventstore.store import EventStore
from shared.eventstore.units import (
    Append,
    ConcurrencyConflict,
    Conflict,
    History,
    IdempotencyKey,
    IdempotencyKeyReused,
    KeyReused,
    Question,
    Recalled,
    Repeated,
    Unit,
    Write,
)

S = TypeVar("S")
C = TypeVar("C")
_TRIES = 10
_AT_ONCE = 16
"""Commands that are asked for together. All of them at once would march in step: while the server answers for some,
others are decided, and others written."""


@dataclass(slots=True)
class _Held:
    loaded_version: int
    state: Any
    """As it was before `new[folded:]`."""
    new: list[Event] = field(default_factory=list)
    folded: int = 0
    taken: int = 0

    def now(self, decider: Decider[S, Any]) -> S:
        """The state after all that was decided: folded only when somebody asks."""
        if self.folded < len(self.new):
            self.state = decider.fold(self.new[self.folded :], self.state)
            self.folded = len(self.new)
        return cast(S, self.state)


class Workspace:
    """Aggregates under work: loaded set-wise, decided in memory, committed together.

    Decisions on one aggregate see each other; nothing is visible outside before the commit.
    """

    def __init__(self, store: EventStore) -> None:
        self._store = store
        self._held: dict[str, _Held] = {}

    async def load(self, decider: Decider[S, C], ids: Collection[str]) -> None:
        streams = [s for i in ids if (s := decider.stream(i)) not in self._held]
        if not streams:
            return
        found = await self._store.load(streams, decider.unmoved_by)
        for stream in streams:
            history = found.get(stream) or History()
            self._held[stream] = _Held(history.version, decider.fold(r.event for r in history))

    def new(
        self,
        decider: Decider[S, C],
        aggregate_id: str,
        events: Sequence[Event] = (),
    ) -> None:
        """An aggregate whose id was just made, with what was decided of it already: nothing to load."""
        self._held.setdefault(decider.stream(aggregate_id), _Held(0, decider.initial(), list(events)))

    def hold(self, decider: Decider[S, C], aggregate_id: str, version: int, state: S) -> None:
        """An aggregate as it was seen at this version, for decisions that need no more of it than `state` says.

        Should it have moved meanwhile, the commit is in conflict.
        """
        self._held.setdefault(decider.stream(aggregate_id), _Held(version, state))

    def state(self, decider: Decider[S, C], aggregate_id: str) -> S:
        return self._held[decider.stream(aggregate_id)].now(decider)

    def decide(self, decider: Decider[S, C], aggregate_id: str, command: C) -> Sequence[Event]:
        """The events that the command brings about; `Refused` leaves everything as it was."""
        held = self._held[decider.stream(aggregate_id)]
        events = decider.decide(held.now(decider), command)
        held.new.extend(events)
        return events

    def version(self, decider: Decider[S, C], aggregate_id: str) -> int:
        """At which its stream was loaded."""
        return self._held[decider.stream(aggregate_id)].loaded_version

    def adopt(self, decider: Decider[S, C], aggregate_id: str, events: Sequence[Event]) -> None:
        """What was decided outside on the state as it stands here."""
        self._held[decider.stream(aggregate_id)].new.extend(events)

    def appends(self) -> tuple[Append, ...]:
        """What was decided since the last call, ready for a commit."""
        ready = []
        for stream, held in self._held.items():
            if held.taken < len(held.new):
                version = held.loaded_version + held.taken
                ready.append(Append(stream, version, tuple(held.new[held.taken :])))
                held.taken = len(held.new)
        return tuple(ready)


@dataclass(frozen=True, slots=True)
class Executed:
    """`repeated`: the idempotency key had been used for the same request, and this was its answer."""

    events: tuple[Event, ...]
    result: Mapping[str, Any]
    repeated: bool = False


class Commands:
    """Runs single commands: what they load, and what they commit, is gathered."""

    def __init__(self, store: EventStore) -> None:
        self.store = store
        self._recalling: Gathered[Question, Recalled] = Gathered(store.recall, most=_AT_ONCE)
        self._batcher = Batcher(store)

    async def execute(
        self,
        decider: Decider[S, C],
        aggregate_id: str,
        command: C,
        *,
        school: str,
        context: Context,
        writes: Sequence[Write] = (),
        idempotency: IdempotencyKey | None = None,
        result: Mapping[str, Any] | None = None,
    ) -> Executed:
        """Raises `Refused` from the domain, `IdempotencyKeyReused`, `ConcurrencyConflict` after ten tries."""
        stream = decider.stream(aggregate_id)
        conflict = Conflict(stream, 0, 0)
        for _ in range(_TRIES):
            recalled = await self._recalling.ask(Question(stream, idempotency))
            if recalled.answered is not None:
                return _repeated(recalled.answered)
            history = recalled.history
            events = tuple(decider.decide(decider.fold(r.event for r in history), command))
            if not events and not writes and idempotency is None:
                return Executed((), result or {})
            appends = (Append(stream, len(history), events),) if events else ()
            outcome = await self._batcher.submit(
                Unit(school, context, appends, tuple(writes), idempotency, result or {})
            )
            if isinstance(outcome, Conflict):
                conflict = outcome
                continue
            if isinstance(outcome, Repeated | KeyReused):
                return _repeated(outcome)
            return Executed(events, outcome.result)
        raise ConcurrencyConflict(conflict)

    async def submit(self, unit: Unit) -> Executed:
        """A unit that was decided elsewhere. Raises `ConcurrencyConflict`: decide again."""
        outcome = await self._batcher.submit(unit)
        if isinstance(outcome, Conflict):
            raise ConcurrencyConflict(outcome)
        if isinstance(outcome, Repeated | KeyReused):
            return _repeated(outcome)
        return Executed(tuple(r.event for r in outcome.events), outcome.result)


def _repeated(known: Repeated | KeyReused) -> Executed:
    if isinstance(known, KeyReused):
        raise IdempotencyKeyReused(known.key)
    return Executed((), known.result, repeated=True)
