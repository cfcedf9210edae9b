"""What an import did, or would do: the same figures for a dry run and for the run itself."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum

from pydantic import BaseModel, Field

from services.registry.expected import Expected
from services.registry.findings import Finding
from services.registry.imports.facts import Format, Parsed, Where
from services.registry.imports.problems import Problem, Refused
from services.registry.steps import Planned
from shared.contracts.event import Event
from shared.contracts.registry import (
    ClassFormed,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    PersonIdentified,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)

KEPT_PROBLEMS = 1_000

_COLUMNS: Mapping[str, str] = {
    "class": "classe",
    "pupil": "codice_alunno",
    "pupil.codice_fiscale": "codice_fiscale_alunno",
    "pupil.birth_date": "data_nascita_alunno",
    "guardian": "codice_genitore",
    "guardian.email": "email_iscrizione_genitore",
    "guardian.codice_fiscale": "codice_fiscale_genitore",
    "ends": "data_fine",
}
_ONEROSTER_COLUMNS: Mapping[str, str] = {
    "class": "classSourcedId",
    "pupil": "userSourcedId",
    "guardian": "userSourcedId",
    "ends": "endDate",
}

_COUNTED: Mapping[type[Event], str] = {
    StudentMovedClass: "moved",
    StudentWithdrawn: "withdrawn",
    ClassFormed: "new_classes",
}
_CORRECTIONS = (StudentDetailsCorrected, GuardianDetailsCorrected, GuardianshipCorrected, PersonIdentified)


class Outcome(StrEnum):
    complete = "complete"
    partial = "partial"
    nothing = "nothing"


class Counts(BaseModel):
    """`kept`: pupils known in an earlier year, or back in this one. `unchanged`: said before, word for word.

    `kind_assumed`: pupils beyond the entry grade taken as new, for want of an enrolment kind. `without_email`:
    guardians for whom the file gives no address.
    """

    enrolments: int = 0
    new_pupils: int = 0
    kept: int = 0
    moved: int = 0
    withdrawn: int = 0
    unchanged: int = 0
    new_guardians: int = 0
    new_guardianships: int = 0
    new_classes: int = 0
    corrected: int = 0
    proposals: int = 0
    missing: int = 0
    kind_assumed: int = 0
    without_email: int = 0
    events: int = 0
    warnings: int = 0
    errors: int = 0

    def add(self, plans: Iterable[Planned]) -> None:
        """Counts enrolments; their findings are counted where they are reported."""
        enrolments = proposals = events = unchanged = corrected = 0
        new_pupils = kept = new_guardians = new_guardianships = 0
        others: Counter[str] = Counter()
        for planned in plans:
            enrolments += 1
            proposals += len(planned.proposals)
            events += len(planned.events)
            unchanged += planned.student is not None and not planned.events
            corrects = False
            for event in planned.events:
                if type(event) is GuardianLinked:
                    new_guardianships += 1
                    new_guardians += event.guardian in planned.newcomers
                elif type(event) is StudentEnrolled:
                    new = event.student in planned.newcomers
                    new_pupils += new
                    kept += not new
                elif isinstance(event, _CORRECTIONS):
                    corrects = True
                elif type(event) in _COUNTED:
                    others[_COUNTED[type(event)]] += 1
            corrected += corrects
        self.enrolments += enrolments
        self.proposals += proposals
        self.events += events
        self.unchanged += unchanged
        self.corrected += corrected
        self.new_pupils += new_pupils
        self.kept += kept
        self.new_guardians += new_guardians
        self.new_guardianships += new_guardianships
        self.moved += others["moved"]
        self.withdrawn += others["withdrawn"]
        self.new_classes += others["new_classes"]


class ReportedProblem(BaseModel):
    """One finding, where it is and why, in both languages; never a person's data."""

    file: str
    line: int | None
    column: str | None
    code: str
    severity: str
    message: dict[str, str]


class Report(BaseModel):
    """`problems` holds the first thousand; `counts` counts all. `outcome` is what went in, or would. `expected`: of a
    dry run, what the policy in force would make of the newcomers."""

    import_id: str
    file: str
    dry_run: bool
    outcome: Outcome = Outcome.nothing
    unreadable: bool = False
    rows: int = 0
    counts: Counts = Field(default_factory=Counts)
    expected: Expected | None = None
    problems: list[ReportedProblem] = Field(default_factory=list)

    def finding(self, finding: Finding, at: Where | None, kind: Format) -> None:
        if finding.severity == "error":
            self.counts.errors += 1
        else:
            self.counts.warnings += 1
        if len(self.problems) < KEPT_PROBLEMS:
            columns = _COLUMNS if kind == "secretariat" else _ONEROSTER_COLUMNS
            self.problems.append(
                ReportedProblem(
                    file=self.file if at is None else at.file,
                    line=None if at is None else at.line,
                    column=columns.get(finding.field or ""),
                    code=finding.code,
                    severity=finding.severity,
                    message=finding.message,
                )
            )

    def of_file(self, parsed: Parsed) -> None:
        """Takes over what reading the file found."""
        self.rows = parsed.rows_read
        self.counts.errors += parsed.errors
        self.counts.warnings += parsed.warnings
        self.problems += _reported(parsed.problems)

    def refused(self, refusal: Refused) -> None:
        """The file as a whole cannot be read: nothing goes in."""
        self.counts.errors += 1
        self.outcome = Outcome.nothing
        self.unreadable = True
        self.problems.append(
            ReportedProblem(
                file=refusal.file or self.file,
                line=None,
                column=None,
                code=refusal.code,
                severity="error",
                message={"it": refusal.text("it"), "en": refusal.text("en")},
            )
        )

    def conclude(self, *, taken: int, all_or_nothing: bool) -> None:
        """`taken`: enrolments and endings without an error of their own."""
        if not self.counts.errors:
            self.outcome = Outcome.complete
        elif all_or_nothing or not taken:
            self.outcome = Outcome.nothing
        else:
            self.outcome = Outcome.partial


def _reported(problems: Sequence[Problem]) -> list[ReportedProblem]:
    return [
        ReportedProblem(
            file=problem.file,
            line=problem.line,
            column=problem.column,
            code=problem.code,
            severity=problem.severity,
            message={"it": problem.text("it"), "en": problem.text("en")},
        )
        for problem in problems
    ]
