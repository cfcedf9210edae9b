"""What a commit is given, and what it answers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.event import Context, Event, Recorded


@dataclass(frozen=True, slots=True)
class Append:
    """Events for one stream, which must stand at `expected` (0: it must not exist)."""

    stream: str
    expected: int
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Write:
    """Rows for a mutable table of the service, in the same transaction: one statement, many arguments.

    `beside`: it touches no row that another write of its unit touches, so that it may be carried out beside them and
    the events, in one statement and in any order. Otherwise it comes after what was named before it.
    """

    statement: str
    rows: tuple[tuple[Any, ...], ...]
    beside: bool = False


@dataclass(frozen=True, slots=True)
class IdempotencyKey:
    """`fingerprint` is a hash over the request without its secret fields."""

    scope: str
    key: str
    fingerprint: bytes


class History(list[Recorded[Event]]):
    """Those events of a stream that were asked for, in order, as it stands at `version`."""

    version = 0


@dataclass(frozen=True, slots=True)
class Unit:
    """All of it or nothing: what one command wants to have happened."""

    school: str
    context: Context
    appends: tuple[Append, ...]
    writes: tuple[Write, ...] = ()
    idempotency: IdempotencyKey | None = None
    result: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Foreign:
    """A reader's batch of another service's events: the cursor moves with their consequences.

    `events`: those that say something to this service; `last`: where the batch ends, when that is further on.
    """

    source: str
    after: int
    events: Sequence[Recorded[Event]]
    last: int = 0

    @property
    def upto(self) -> int:
        return max(self.last, self.events[-1].position) if self.events else max(self.last, self.after)

    @property
    def moves(self) -> bool:
        return self.upto > self.after


@dataclass(frozen=True, slots=True)
class Committed:
    events: tuple[Recorded[Event], ...]
    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Repeated:
    """The key was used before for the same request: this is what was answered then."""

    result: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Conflict:
    """Somebody else was first: load again and decide again."""

    stream: str
    expected: int
    actual: int


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The key was used before for another request."""

    scope: str
    key: str


Outcome = Committed | Repeated | Conflict | KeyReused


@dataclass(frozen=True, slots=True)
class Question:
    """What a command must know before it decides."""

    stream: str
    key: IdempotencyKey | None = None


@dataclass(frozen=True, slots=True)
class Recalled:
    """The stream's events, in order; `answered` when the key was used before."""

    history: Sequence[Recorded[Event]]
    answered: Repeated | KeyReused | None


class ConcurrencyConflict(Exception):
    def __init__(self, conflict: Conflict) -> None:
        super().__init__(f"{conflict.stream} stands at {conflict.actual}, not at {conflict.expected}")
        self.conflict = conflict


class IdempotencyKeyReused(Exception):
    def __init__(self, key: str) -> None:
        super().__init__("this idempotency key was used before, for a request with another body")
        self.key = key


class CursorMoved(Exception):
    """Another reader was faster: read the cursor again."""
