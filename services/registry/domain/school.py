"""The school: its policy and its years. Stream `school/<codice meccanografico>`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date

from shared.contracts.event import Event
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import CredentialPolicyAdopted, SchoolRegistered, SchoolYearOpened
from shared.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class School:
    registered: SchoolRegistered | None = None
    policy: CredentialPolicy | None = None
    years: Mapping[str, tuple[date, date]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisterSchool:
    school: str
    name: str
    customer_id: str
    entry_grade: int = 1


@dataclass(frozen=True, slots=True)
class AdoptPolicy:
    """`reason`: the resolution or circular that the school adopts it with."""

    policy: CredentialPolicy
    reason: str


@dataclass(frozen=True, slots=True)
class OpenYear:
    year: str
    starts: date
    ends: date


Command = RegisterSchool | AdoptPolicy | OpenYear


def decide(state: School, command: Command) -> Sequence[Event]:
    if isinstance(command, RegisterSchool):
        return _register(state, command)
    if state.registered is None:
        raise Refused("school_unknown", "the school is not registered")
    school = state.registered.school
    match command:
        case AdoptPolicy(policy, reason):
            if not reason.strip():
                raise Refused("reason_missing", "a policy is adopted with a reason")
            if policy == state.policy:
                return []
            return [CredentialPolicyAdopted(school=school, policy=policy, reason=reason.strip())]
        case OpenYear(year, starts, ends):
            if year in state.years:
                return []
            if starts >= ends:
                raise Refused("dates_reversed", "a school year ends after it starts")
            return [SchoolYearOpened(school=school, year=year, starts=starts, ends=ends)]


def _register(state: School, command: RegisterSchool) -> Sequence[Event]:
    wanted = SchoolRegistered(
        school=command.school,
        name=command.name,
        customer_id=command.customer_id,
        entry_grade=command.entry_grade,
    )
    if state.registered is None:
        return [wanted]
    if state.registered == wanted:
        return []
    raise Refused("school_already_registered", "the school is registered already, with other details")


def evolve(state: School, event: Event) -> School:
    match event:
        case SchoolRegistered():
            return replace(state, registered=event)
        case CredentialPolicyAdopted(policy=policy):
            return replace(state, policy=policy)
        case SchoolYearOpened(year=year, starts=starts, ends=ends):
            return replace(state, years={**state.years, year: (starts, ends)})
    return state


SCHOOL: Decider[School, Command] = Decider("school", School, decide, evolve)
