"""A decision, in three plain functions and a type (after Emmett and Chassaing's decider pattern)."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Generic, TypeVar

from shared.contracts.event import Event

S = TypeVar("S")
C = TypeVar("C")


class Refused(Exception):
    """A command that the domain refuses; `reason` is a stable slug, the text says what to do."""

    def __init__(self, reason: str, text: str) -> None:
        super().__init__(text)
        self.reason = reason
        self.text = text


@dataclass(frozen=True, slots=True)
class Decider(Generic[S, C]):
    """`category` names the streams (`student/<id>`); `decide` may raise `Refused`; neither does I/O.

    `unmoved_by`: events for which `evolve` leaves every state as it is, and which a stream has many of: they are
    counted when it is loaded, and not opened.
    """

    category: str
    initial: Callable[[], S]
    decide: Callable[[S, C], Sequence[Event]]
    evolve: Callable[[S, Event], S]
    unmoved_by: frozenset[type[Event]] = frozenset()

    def stream(self, aggregate_id: str) -> str:
        return f"{self.category}/{aggregate_id}"

    def fold(self, events: Iterable[Event], state: S | None = None) -> S:
        return reduce(self.evolve, events, self.initial() if state is None else state)
