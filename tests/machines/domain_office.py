"""What a school does in the registry, each answer foretold."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import (
    initialize,
    rule,
)

from services.registry.domain.guardian import GUARDIAN, LinkChild
from services.registry.domain.school import SCHOOL, AdoptPolicy, OpenYear, RegisterSchool
from services.registry.domain.school_class import SCHOOL_CLASS, FormClass, IdentifyClass
from services.registry.domain.student import STUDENT, CorrectPupil, Enrol, MoveClass, Withdraw
from shared.contracts.event import Context, Event
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import (
    EndReason,
    EnrolmentKind,
    GuardianDetails,
    PupilDetails,
    Relationship,
)
from shared.decider import Decider, Refused
from shared.ids import new_id
from shared.policies import local_day
from tests.machines.domain_histories import (
    CODE,
    POLICIES,
    Histories,
    classes,
    guardians,
    names,
    pupils,
    sources,
    years,
)
from tests.machines.office import YEARS, Answer
from tests.machines.witness import witnessed


class OfficeRules(Histories):
    @initialize(
        policy=st.sampled_from(POLICIES),
        enrolments=st.lists(st.tuples(pupils, classes), min_size=2, max_size=4),
        links=st.lists(
            st.tuples(guardians, pupils, st.sampled_from((True, True, False))), min_size=2, max_size=5
        ),
        heard=st.booleans(),
    )
    @witnessed
    def begin(
        self,
        policy: CredentialPolicy,
        enrolments: list[tuple[str, str]],
        links: list[tuple[str, str, bool]],
        heard: bool,
    ) -> None:
        """A school in September, of which the others have heard or not."""
        self.run_now(self.town.open())
        self.open = True
        self._office(SCHOOL, CODE, RegisterSchool(CODE, "Istituto", "istituto"), self.office.register())
        self._adopt(policy)
        for student, class_id in enrolments:
            self._enrol(student, YEARS[0], class_id, "Anna", "sec", None)
        for guardian, student, data_access in links:
            self._link(guardian, student, "Anna", "sec", data_access)
        self.run_now(self.town.publish_key())
        if heard:
            self.run_now(self.town.read("identity", "notifications"))
            self.run_now(self.town.read("identity", "registry", twice=True))
            self.run_now(self.town.read("notifications", "registry"))
            self.run_now(self.town.read("notifications", "identity"))
        self._look(reacting=True)

    # the registry

    def _office(self, decider: Decider[Any, Any], aggregate: str, command: Any, expected: Answer) -> None:
        """The registry's answer is the one foretold; said again, it changes nothing."""
        self._count("office")
        self.town.later += timedelta(minutes=1)
        for foretold in (expected, None):
            try:
                done: Answer = [
                    type(e).__name__ for e in self._execute("registry", decider, aggregate, command)
                ]
            except Refused as refused:
                done = refused.reason
            assert done == foretold if foretold is not None else isinstance(done, str) or not done
        self._look()

    def _execute(
        self, service: str, decider: Decider[Any, Any], aggregate: str, command: Any
    ) -> Sequence[Event]:
        context = Context(actor="system:machine", correlation=new_id())
        commands = self.town.copies[service].commands
        return self.run_now(
            commands.execute(decider, aggregate, command, school=CODE, context=context)
        ).events

    @rule(policy=st.sampled_from(POLICIES))
    @witnessed
    def adopt_policy(self, policy: CredentialPolicy) -> None:
        self._adopt(policy)

    def _adopt(self, policy: CredentialPolicy) -> None:
        adopting = AdoptPolicy(policy, "delibera", local_day(self.town.now()))
        self._office(SCHOOL, CODE, adopting, self.office.adopt(policy))

    @rule(year=years)
    @witnessed
    def open_year(self, year: str) -> None:
        first = int(year[:4])
        command = OpenYear(year, date(first, 9, 1), date(first + 1, 8, 31))
        self._office(SCHOOL, CODE, command, self.office.open_year(year))

    @rule(class_id=classes, source=sources)
    @witnessed
    def form_class(self, class_id: str, source: str) -> None:
        command = FormClass(class_id, YEARS[0], "1A", 1, "A", None, source, class_id)
        self._office(SCHOOL_CLASS, class_id, command, self.office.form(class_id, source))

    @rule(class_id=classes, source=sources)
    @witnessed
    def identify_class(self, class_id: str, source: str) -> None:
        self._office(
            SCHOOL_CLASS, class_id, IdentifyClass(source, class_id), self.office.identify(class_id, source)
        )

    @rule(
        student=pupils, year=years, class_id=classes, name=names, source=sources,
        kind=st.sampled_from((None, None, *EnrolmentKind)),
    )  # fmt: skip
    @witnessed
    def enrol(
        self, student: str, year: str, class_id: str, name: str, source: str, kind: EnrolmentKind | None
    ) -> None:
        self._enrol(student, year, class_id, name, source, kind)

    def _enrol(
        self, student: str, year: str, class_id: str, name: str, source: str, kind: EnrolmentKind | None
    ) -> None:
        command = Enrol(student, year, class_id, kind, True, None, _pupil(student, name, source))
        self._office(STUDENT, student, command, self.office.enrol(student, year, class_id, name, source))

    @rule(student=pupils, name=names, source=sources)
    @witnessed
    def correct_pupil(self, student: str, name: str, source: str) -> None:
        command = CorrectPupil(student, _pupil(student, name, source))
        self._office(STUDENT, student, command, self.office.correct(student, name, source))

    @rule(student=pupils, year=years, class_id=classes)
    @witnessed
    def move(self, student: str, year: str, class_id: str) -> None:
        self._office(
            STUDENT, student, MoveClass(student, year, class_id), self.office.move(student, year, class_id)
        )

    @rule(student=pupils, year=years)
    @witnessed
    def withdraw(self, student: str, year: str) -> None:
        command = Withdraw(student, year, None, EndReason.transfer)
        self._office(STUDENT, student, command, self.office.withdraw(student, year))

    @rule(
        guardian=guardians, student=pupils, name=names, source=sources,
        data_access=st.sampled_from((None, True, True, False)),
    )  # fmt: skip
    @witnessed
    def link(self, guardian: str, student: str, name: str, source: str, data_access: bool | None) -> None:
        self._link(guardian, student, name, source, data_access)

    def _link(self, guardian: str, student: str, name: str, source: str, data_access: bool | None) -> None:
        details = GuardianDetails(
            family_name="Verdi", given_name=name, email=f"{guardian}@example.org" if guardian != "g2" else None,
            source=source, external_id=guardian,
        )  # fmt: skip
        command = LinkChild(
            guardian, student, YEARS[0], Relationship.mother, data_access, None, False, details
        )
        self._office(
            GUARDIAN, guardian, command, self.office.link(guardian, student, name, source, data_access)
        )


def _pupil(student: str, name: str, source: str) -> PupilDetails:
    return PupilDetails(
        family_name="Verdi", given_name=name, birth_date=date(2015, 2, 3), source=source, external_id=student
    )
