"""A decider's test, a line each: `given(DECIDER, …).when(command).then(…)`."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from shared.contracts.event import Event
from shared.decider import Decider, Refused

S = TypeVar("S")
C = TypeVar("C")


class given(Generic[S, C]):
    def __init__(self, decider: Decider[S, C], *history: Event) -> None:
        self._decider = decider
        self._history = history
        self._commands: tuple[C, ...] = ()

    def when(self, *commands: C) -> "given[S, C]":
        self._commands = commands
        return self

    def decided(self) -> Sequence[Event]:
        state = self._decider.fold(self._history)
        found: list[Event] = []
        for command in self._commands:
            events = self._decider.decide(state, command)
            state = self._decider.fold(events, state)
            found.extend(events)
        return found

    def then(self, *expected: Event) -> None:
        assert list(self.decided()) == list(expected)

    def then_nothing(self) -> None:
        self.then()

    def then_refused(self, reason: str) -> None:
        try:
            events = self.decided()
        except Refused as refused:
            assert refused.reason == reason, f"refused for {refused.reason}, not for {reason}"
            return
        raise AssertionError(f"not refused: {events}")
