"""From what a system says of one enrolment to what is decided, with nothing written yet.

The planner is given everything beforehand, set-wise; planning itself does no I/O.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any, NamedTuple

from services.registry.directory import ClassBook, Directory
from services.registry.domain.guardian import GUARDIAN
from services.registry.domain.school import SCHOOL, OpenYear, School
from services.registry.domain.school_class import SCHOOL_CLASS, FormClass, IdentifyClass
from services.registry.domain.student import STUDENT, Enrol, Withdraw, not_followed
from services.registry.domain.student_state import Student
from services.registry.findings import Finding
from services.registry.guardianships import GuardianPlanner
from services.registry.imports.facts import ClassFact, EnrolmentFact, SchoolYearFact
from services.registry.steps import Planned, Proposal, Step, Steps
from services.registry.translation import pupil_details
from shared.contracts.registry import (
    EndReason,
    PersonKind,
    PupilDetails,
    StudentDetailsCorrected,
    StudentEnrolled,
)
from shared.eventstore.commands import Workspace
from shared.ids import new_id

ClassKey = tuple[str, str, str]
"""(source, school year, what the source calls the class)."""


def class_key(fact: EnrolmentFact) -> ClassKey:
    return fact.pupil.source, fact.school_year, fact.class_external_id


class _Case(NamedTuple):
    """One enrolment under work."""

    fact: EnrolmentFact
    klass: ClassFact
    class_id: str
    student: str
    new: bool
    state: Student
    details: PupilDetails
    school: School

    @property
    def details_differ(self) -> bool:
        """The enrolment stands, and this system describes the pupil otherwise than the one that made it."""
        known, enrolment = self.state.details, self.state.enrolments.get(self.fact.school_year)
        if known is None or enrolment is None or enrolment.ended:
            return False
        return not_followed(known, self.details)


class Planner:
    """Decides enrolments of one school in a workspace; each sees the ones before it."""

    def __init__(
        self,
        school: str,
        directory: Directory,
        book: ClassBook,
        workspace: Workspace,
        *,
        classes: Mapping[ClassKey, ClassFact],
        years: Mapping[str, SchoolYearFact],
        today: date,
    ) -> None:
        self._school = school
        self._directory = directory
        self._book = book
        self._workspace = workspace
        self._classes = classes
        self._years = years
        self._today = today
        self._steps = Steps(workspace)
        self._doubted: set[str] = set()
        self._guardians = GuardianPlanner(directory, workspace, self._steps, today)

    async def prepare(self, facts: Sequence[EnrolmentFact]) -> None:
        """Everything that planning these will need: a few queries, however many there are."""
        known = await self._directory.look_up(facts)
        await self._book.load({fact.school_year for fact in facts})
        keys = {class_key(fact) for fact in facts} & self._classes.keys()
        classes = {c for key in keys for c in self._book.candidates(self._classes[key], key[0])}
        await self._workspace.load(SCHOOL, [self._school])
        await self._workspace.load(SCHOOL_CLASS, sorted(classes))
        # In the order of the file, which so becomes the order of the history.
        await self._workspace.load(STUDENT, known.pupils)
        await self._workspace.load(GUARDIAN, known.guardians)

    @property
    def registered(self) -> bool:
        return self._workspace.state(SCHOOL, self._school).registered is not None

    def plan(self, fact: EnrolmentFact, *, strict: bool = False) -> Planned:
        """Decide. A guardian in error stays out and the pupil goes in, unless `strict`: then nothing does."""
        planned = Planned()
        match = self._directory.match(PersonKind.pupil, fact.pupil)
        klass = self._classes.get(class_key(fact))
        if klass is None:
            planned.findings.append(Finding("class_unknown", "class"))
        elif match.disagree:
            planned.findings.append(Finding("identifiers_disagree", "pupil.codice_fiscale"))
        else:
            new = match.person is None
            state = Student() if match.person is None else self._workspace.state(STUDENT, match.person)
            school = self._workspace.state(SCHOOL, self._school)
            class_id, place = self._place(klass, fact, school)
            details = pupil_details(fact.pupil)
            case = _Case(fact, klass, class_id, match.person or new_id(), new, state, details, school)
            commands = self._commands(case)
            if not commands:
                self._nothing_to_do(case, planned)
            elif isinstance(commands[0], Withdraw):
                self._leave(case, commands, planned)
            else:
                self._come(case, place, commands, planned, strict=strict)
        return planned

    def _commands(self, case: _Case) -> tuple[Any, ...]:
        """What the pupil is asked: to be enrolled, to leave, or (left in the middle of the year) both."""
        fact, student = case.fact, case.student
        registered = case.school.registered
        entry_class = registered is not None and case.klass.grade == registered.entry_grade
        enrol = Enrol(
            student, fact.school_year, case.class_id, fact.kind, entry_class, fact.starts, case.details
        )
        if not fact.ended:
            return (enrol,)
        withdraw = Withdraw(student, fact.school_year, fact.ends, fact.end_reason or EndReason.other)
        enrolment = case.state.enrolments.get(fact.school_year)
        if enrolment is not None:
            return () if enrolment.ended else (withdraw,)
        over = fact.ends is None or fact.ends <= self._today
        return () if over else (enrol, withdraw)

    def _nothing_to_do(self, case: _Case, planned: Planned) -> None:
        if case.fact.school_year not in case.state.enrolments:
            planned.findings.append(Finding("already_over", "ends"))
        planned.student = None if case.new else case.student

    def _leave(self, case: _Case, commands: tuple[Any, ...], planned: Planned) -> None:
        step = Step(STUDENT, case.student, commands)
        if self._steps.possible(step, planned, "pupil"):
            self._steps.carry_out(step, planned)
            planned.student = case.student

    def _come(
        self, case: _Case, place: list[Step], commands: tuple[Any, ...], planned: Planned, *, strict: bool
    ) -> None:
        steps = [*place, Step(STUDENT, case.student, commands, case.new)]
        for step in steps:
            if not self._steps.possible(step, planned, "pupil"):
                return
        if self._book.is_anothers(case.klass, case.class_id) and (
            strict or case.class_id not in self._doubted
        ):
            self._doubted.add(case.class_id)
            second = bool(place) and place[-1].new and self._book.is_second(case.klass, self._classes)
            told = Finding("class_second", "class", params={"title": case.klass.title})
            planned.findings.append(told if second else Finding("class_of_another_door", "class"))
        related = self._guardians.plan(case.fact, case.student, case.school, planned)
        if strict and planned.failed:
            return
        if case.details_differ:
            planned.findings.append(Finding("pupil_differs", "pupil"))
        if case.new:
            planned.newcomers.add(case.student)
            self._propose_namesakes(case.fact, planned)
        for step in steps:
            self._steps.carry_out(step, planned)
        if _birth_date_changed(case.state, planned):
            planned.findings.append(Finding("birth_date_changed", "pupil.birth_date"))
        self._directory.remember(PersonKind.pupil, case.fact.pupil, case.student)
        self._book.remember(case.klass, case.fact.pupil.source, case.class_id)
        planned.student, planned.class_id = case.student, case.class_id
        for step, guardian in related:
            self._steps.carry_out(step, planned)
            self._directory.remember(PersonKind.guardian, guardian, step.id)
            self._directory.remember_guardian(case.student, step.id)
            planned.guardians.append(step.id)

    def _place(self, klass: ClassFact, fact: EnrolmentFact, school: School) -> tuple[str, list[Step]]:
        """The class's id, and what it takes for year and class to be there."""
        steps = []
        source = fact.pupil.source
        if fact.school_year not in school.years:
            year = self._years[fact.school_year]
            steps.append(Step(SCHOOL, self._school, (OpenYear(year.label, year.starts, year.ends),)))
        known = self._book.by_id(fact.school_year, source, klass.external_id)
        if known is not None:
            return known, steps
        same = self._book.by_door(klass, source)
        if same is not None:
            return same, [*steps, Step(SCHOOL_CLASS, same, (IdentifyClass(source, klass.external_id),))]
        class_id = new_id()
        form = FormClass(
            class_id=class_id,
            year=fact.school_year,
            title=klass.title,
            grade=klass.grade,
            section=klass.section or None,
            curriculum=klass.curriculum,
            source=source,
            external_id=klass.external_id,
        )
        return class_id, [*steps, Step(SCHOOL_CLASS, class_id, (form,), new=True)]

    def _propose_namesakes(self, fact: EnrolmentFact, planned: Planned) -> None:
        pupil = fact.pupil
        found = self._directory.namesakes(pupil)
        if found:
            planned.findings.append(Finding("pupil_maybe_known", "pupil"))
        for person in found:
            planned.proposals.append(
                Proposal(
                    PersonKind.pupil, person, pupil.source, pupil.external_id, "same_name_and_birth_date"
                )
            )


def _birth_date_changed(before: Student, planned: Planned) -> bool:
    known = None if before.details is None else before.details.birth_date
    if known is None:
        return False
    said = [
        e.details.value for e in planned.events if isinstance(e, StudentDetailsCorrected | StudentEnrolled)
    ]
    return any(now is not None and now.birth_date != known for now in said)
