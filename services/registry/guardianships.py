"""The guardians of one enrolment: who they are, and what it takes to link them."""

from collections.abc import Sequence
from datetime import date

from services.registry.directory import Directory
from services.registry.domain.guardian import GUARDIAN, LinkChild, address_differs, not_followed
from services.registry.domain.people import name_key
from services.registry.domain.school import School
from services.registry.findings import Finding
from services.registry.imports.facts import EnrolmentFact, GuardianFact
from services.registry.steps import Planned, Proposal, Step, Steps
from services.registry.translation import guardian_details
from shared.contracts.policy import Justification
from shared.contracts.registry import GuardianDetails, PersonKind
from shared.eventstore.commands import Workspace
from shared.ids import new_id


class GuardianPlanner:
    def __init__(self, directory: Directory, workspace: Workspace, steps: Steps, today: date) -> None:
        self._directory = directory
        self._workspace = workspace
        self._steps = steps
        self._today = today

    def plan(
        self, fact: EnrolmentFact, student: str, school: School, planned: Planned
    ) -> list[tuple[Step, GuardianFact]]:
        """A step for each guardian who can be linked; findings about the others."""
        found: list[tuple[Step, GuardianFact]] = []
        there = self._directory.guardians_of(student)
        policy = school.policy_on(self._today)
        justifies = policy is not None and policy.justification is Justification.by_default
        for index, said in enumerate(fact.guardians):
            match = self._directory.match(PersonKind.guardian, said)
            if found and _is_among(found, said, match.person):
                planned.findings.append(Finding("guardian_twice", "guardian", index))
                continue
            if match.disagree:
                planned.findings.append(Finding("identifiers_disagree", "guardian.codice_fiscale", index))
                continue
            if match.person is None and there and self._maybe_known(there, said, index, planned):
                continue
            guardian = match.person or new_id()
            details = guardian_details(said)
            link = LinkChild(
                guardian,
                student,
                fact.school_year,
                said.relationship,
                said.data_access,
                said.justifies_online,
                justifies,
                details,
            )
            step = Step(GUARDIAN, guardian, (link,), match.person is None)
            if self._steps.possible(step, planned, "guardian", index):
                found.append((step, said))
                if step.new:
                    planned.newcomers.add(guardian)
                else:
                    self._compare(step, student, details, index, planned)
        return found

    def _compare(self, step: Step, student: str, said: GuardianDetails, index: int, planned: Planned) -> None:
        state = self._workspace.state(GUARDIAN, step.id)
        known, link = state.details, state.children.get(student)
        if known is None:
            return
        if link is not None and link.ended_on is not None:
            planned.findings.append(Finding("guardianship_ended", "guardian", index))
        if address_differs(known, said):
            planned.findings.append(Finding("address_differs", "guardian.email", index))
        if not_followed(known, said):
            planned.findings.append(Finding("guardian_differs", "guardian", index))

    def _maybe_known(self, there: Sequence[str], said: GuardianFact, index: int, planned: Planned) -> bool:
        """A guardian of this very pupil has the same name, and this system never spoke of them.

        A second account for the same parent would be worse than a wait: the guardian is proposed, not added.
        """
        key = name_key(said.family_name, said.given_name)
        for guardian in there:
            state = self._workspace.state(GUARDIAN, guardian)
            known = state.details
            if known is None or any(source == said.source for source, _ in state.identifiers):
                continue
            if name_key(known.family_name, known.given_name) == key:
                planned.findings.append(Finding("guardian_maybe_known", "guardian", index))
                planned.proposals.append(
                    Proposal(PersonKind.guardian, guardian, said.source, said.external_id, "same_name")
                )
                return True
        return False


def _is_among(found: Sequence[tuple[Step, GuardianFact]], said: GuardianFact, person: str | None) -> bool:
    external_id, codice_fiscale = said.external_id, said.codice_fiscale
    for step, other in found:
        if step.id == person or other.external_id == external_id:
            return True
        if codice_fiscale is not None and other.codice_fiscale == codice_fiscale:
            return True
    return False
