"""What a delta ends by id alone: the pupil, or one enrolment (IMPORTS.md, M5). No guardian is unlinked by a file."""

from collections.abc import Sequence

from services.registry.directory import ClassBook, Directory
from services.registry.domain.student import STUDENT, Withdraw
from services.registry.domain.student_state import Student
from services.registry.findings import Finding
from services.registry.imports.facts import EndingFact
from services.registry.steps import Planned
from shared.contracts.registry import EndReason, PersonKind
from shared.eventstore.commands import Workspace


class Endings:
    def __init__(self, directory: Directory, book: ClassBook, workspace: Workspace) -> None:
        self._directory = directory
        self._book = book
        self._workspace = workspace

    async def prepare(self, facts: Sequence[EndingFact]) -> None:
        ids = [(fact.source, fact.external_id) for fact in facts if fact.what != "class"]
        for kind in PersonKind:
            await self._directory.look_up_ids(kind, ids)
        pupils = [p for one in ids if (p := self._directory.by_id(PersonKind.pupil, *one)) is not None]
        await self._workspace.load(STUDENT, set(pupils))
        years = {year for pupil in pupils for year in self._workspace.state(STUDENT, pupil).enrolments}
        await self._book.load(years)

    def plan(self, fact: EndingFact) -> Planned:
        planned = Planned()
        if fact.what == "class":
            planned.findings.append(Finding("class_ending", "class"))
            return planned
        pupil = self._directory.by_id(PersonKind.pupil, fact.source, fact.external_id)
        if pupil is None:
            known = self._directory.by_id(PersonKind.guardian, fact.source, fact.external_id)
            code = "ending_unknown" if known is None else "guardian_ending"
            planned.findings.append(Finding(code, "pupil"))
            return planned
        planned.student = pupil
        year = self._ended_year(self._workspace.state(STUDENT, pupil), fact)
        if year is not None:
            command = Withdraw(pupil, year, fact.ends, EndReason.other)
            planned.events.extend(self._workspace.decide(STUDENT, pupil, command))
        return planned

    def _ended_year(self, state: Student, fact: EndingFact) -> str | None:
        """The year whose enrolment ends: the last one that runs, and of that class if one is named.

        A pupil who has moved on meanwhile is not withdrawn by the end of the enrolment that was left behind.
        """
        running = [year for year, enrolment in state.enrolments.items() if not enrolment.ended]
        if not running:
            return None
        year = max(running)
        if fact.class_external_id is not None:
            named = self._book.by_id(year, fact.source, fact.class_external_id)
            if named != state.enrolments[year].class_id:
                return None
        return year
