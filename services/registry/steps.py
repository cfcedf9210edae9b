"""The parts of a plan: steps that are tried as a whole before any is carried out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from services.registry.findings import Finding
from shared.contracts.event import Event
from shared.contracts.registry import PersonKind
from shared.decider import Decider, Refused
from shared.eventstore.commands import Workspace


@dataclass(frozen=True, slots=True)
class Proposal:
    """`person` may be the one that `source` calls `external_id`: for the desk to decide."""

    kind: PersonKind
    person: str
    source: str
    external_id: str
    reason: str


@dataclass(slots=True)
class Planned:
    """What became of one enrolment. With `student` None it stays out, and `findings` say why."""

    student: str | None = None
    class_id: str | None = None
    guardians: list[str] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    newcomers: set[str] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)
    proposals: list[Proposal] = field(default_factory=list)

    @property
    def failed(self) -> bool:
        return any(finding.severity == "error" for finding in self.findings)


@dataclass(slots=True)
class Step:
    """Commands to one aggregate, in order. `new`: its id was just made. Once tried: on what, and what came of it."""

    decider: Decider[Any, Any]
    id: str
    commands: tuple[Any, ...]
    new: bool = False
    before: Any = None
    events: Sequence[Event] | None = None


class Steps:
    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def possible(self, step: Step, planned: Planned, field: str, index: int | None = None) -> bool:
        """Whether every command of the step is accepted; a refusal becomes a finding about `field`."""
        decider = step.decider
        before = state = decider.initial() if step.new else self._workspace.state(decider, step.id)
        events: Sequence[Event] = ()
        try:
            for command in step.commands:
                if events:
                    state = decider.fold(events, before)
                    events = [*events, *decider.decide(state, command)]
                else:
                    events = decider.decide(state, command)
        except Refused as refused:
            planned.findings.append(Finding(refused.reason, field, index))
            return False
        step.before, step.events = before, events
        return True

    def carry_out(self, step: Step, planned: Planned) -> None:
        """Decided once: what was tried is taken over, unless another step has touched the aggregate since."""
        workspace, events = self._workspace, step.events
        if events is not None and (step.new or workspace.state(step.decider, step.id) is step.before):
            adopt = workspace.new if step.new else workspace.adopt
            adopt(step.decider, step.id, events)
            planned.events += events
            return
        for command in step.commands:
            planned.events.extend(workspace.decide(step.decider, step.id, command))
