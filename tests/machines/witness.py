"""The story of what a machine did, kept at the first fault: concurrent work may not go wrong again when replayed."""

import traceback
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar, cast

from hypothesis import settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

Step = TypeVar("Step", bound=Callable[..., Any])


class Witnessed(RuleBasedStateMachine):
    """`witnessed` outlives the machine: the first of its stories is the one to read."""

    def __init__(self, witnessed: list[str]) -> None:
        super().__init__()
        self.story: list[str] = []
        self.witnessed = witnessed


def witnessed(step: Step) -> Step:
    """Keep what was done and what went wrong first: concurrent work may not go wrong again when it is replayed."""

    @wraps(step)
    def witness(machine: Witnessed, *arguments: Any, **drawn: Any) -> Any:
        machine.story.append(f"{step.__name__}({drawn})")
        try:
            return step(machine, *arguments, **drawn)
        except Exception:
            machine.witnessed.append("\n".join([*machine.story, traceback.format_exc()]))
            raise

    return cast(Step, witness)


def run_machine(machine: type[Witnessed], witnessed: list[str], profile: settings) -> None:
    """Runs it; a failure tells the first story."""
    try:
        run_state_machine_as_test(machine, settings=profile)
    except Exception as failure:
        raise AssertionError("\n".join(witnessed[:1])) from failure
