"""The school: its policy and its years. Stream `school/<codice meccanografico>`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final

from services.registry.domain.credential_rules import contradictions, wrong_day
from shared.contracts.event import Event
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import CredentialPolicyAdopted, SchoolRegistered, SchoolYearOpened
from shared.decider import Decider, Refused


@dataclass(frozen=True, slots=True)
class Adoption:
    """In force from this local day on, until the next one's."""

    in_force_from: date
    policy: CredentialPolicy


@dataclass(frozen=True, slots=True)
class School:
    """`adoptions`: those that were or will be in force, in the order of their days; what a later adoption replaced
    before its day is not among them. `adopted`: how many there ever were."""

    registered: SchoolRegistered | None = None
    adoptions: tuple[Adoption, ...] = ()
    adopted: int = 0
    years: Mapping[str, tuple[date, date]] = field(default_factory=dict)

    def policy_on(self, day: date) -> CredentialPolicy | None:
        """The policy in force on a local day."""
        begun = [adoption.policy for adoption in self.adoptions if adoption.in_force_from <= day]
        return begun[-1] if begun else None

    def planned(self, after: date) -> tuple[Adoption, ...]:
        """What comes into force after this local day."""
        return tuple(adoption for adoption in self.adoptions if adoption.in_force_from > after)


@dataclass(frozen=True, slots=True)
class RegisterSchool:
    school: str
    name: str
    customer_id: str
    entry_grade: int = 1


@dataclass(frozen=True, slots=True)
class AdoptPolicy:
    """`reason`: the resolution or circular that the school adopts it with. `today`: the local day of the decision.
    `in_force_from`: None is this moment. `seen`: how many adoptions whoever decides knew of; None where not said."""

    policy: CredentialPolicy
    reason: str
    today: date
    in_force_from: date | None = None
    seen: int | None = None


@dataclass(frozen=True, slots=True)
class OpenYear:
    year: str
    starts: date
    ends: date


Command = RegisterSchool | AdoptPolicy | OpenYear


_WRONG_DAYS: Final = {
    "in_force_from_past": "a policy comes into force today or later, never before",
    "in_force_from_far": "a policy comes into force within two years: look at the date",
}


def decide(state: School, command: Command) -> Sequence[Event]:
    if isinstance(command, RegisterSchool):
        return _register(state, command)
    if state.registered is None:
        raise Refused("school_unknown", "the school is not registered")
    school = state.registered.school
    match command:
        case AdoptPolicy():
            return _adopt(state, school, command)
        case OpenYear(year, starts, ends):
            if year in state.years:
                return []
            if starts >= ends:
                raise Refused("dates_reversed", "a school year ends after it starts")
            return [SchoolYearOpened(school=school, year=year, starts=starts, ends=ends)]


def _adopt(state: School, school: str, command: AdoptPolicy) -> Sequence[Event]:
    policy, reason, today = command.policy, command.reason.strip(), command.today
    if not reason:
        raise Refused("reason_missing", "a policy is adopted with a reason")
    day = command.in_force_from or today
    if wrong := wrong_day(day, today):
        raise Refused(wrong, _WRONG_DAYS[wrong])
    if policy == state.policy_on(day) and all(planned.policy == policy for planned in state.planned(day)):
        return []
    if command.seen is not None and command.seen != state.adopted:
        raise Refused(
            "policy_changed", "another policy was adopted in the meantime: look at the preview again"
        )
    if found := contradictions(policy):
        raise Refused("policy_contradictory", "; ".join(each.text for each in found))
    adopted = CredentialPolicyAdopted(
        school=school, policy=policy, reason=reason, in_force_from=command.in_force_from
    )
    return [adopted]


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
        case CredentialPolicyAdopted(policy=policy, in_force_from=day):
            # One that holds from its own moment on replaces all: nothing could be planned for a day before it.
            before = () if day is None else tuple(a for a in state.adoptions if a.in_force_from < day)
            adoptions = (*before, Adoption(day or date.min, policy))
            return replace(state, adoptions=adoptions, adopted=state.adopted + 1)
        case SchoolYearOpened(year=year, starts=starts, ends=ends):
            return replace(state, years={**state.years, year: (starts, ends)})
    return state


SCHOOL: Decider[School, Command] = Decider("school", School, decide, evolve)
