"""The smallest decider there is: it counts, and refuses when asked to."""

from collections.abc import Sequence
from dataclasses import dataclass

from shared.contracts.event import Event
from shared.decider import Decider, Refused
from tests.machines.history import event


@dataclass(frozen=True, slots=True)
class Count:
    aggregate: str
    tag: str
    refuse: bool = False


def _decide(state: int, command: Count) -> Sequence[Event]:
    if command.refuse:
        raise Refused("told_to", "this command is refused")
    return (event("move", f"{command.aggregate}-{state + 1}", f"{command.tag}.0"),)


def _evolve(state: int, event: Event) -> int:
    return state + 1


COUNTER: Decider[int, Count] = Decider("counter", int, _decide, _evolve)
