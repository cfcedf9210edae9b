"""A pupil's mailbox, and what a pupil of age allows (E8, M4)."""

from collections.abc import Sequence
from datetime import date
from typing import NamedTuple

from services.registry.domain.access import of_age
from services.registry.domain.student_state import Student
from shared.contracts.event import Event, Personal
from shared.contracts.registry import (
    ContactAddress,
    InstitutionalMailboxActivated,
    ParentalAccessConsented,
)
from shared.decider import Refused


class ActivateMailbox(NamedTuple):
    student: str
    address: str


class ConsentToParent(NamedTuple):
    """`by_merge`: the same consent, for the record that the guardian's was merged into."""

    student: str
    guardian: str
    consents: bool
    today: date
    by_merge: bool = False


StudentDeskCommand = ActivateMailbox | ConsentToParent


def decide_for_student(state: Student, command: StudentDeskCommand) -> Sequence[Event]:
    details = state.details
    if details is None:
        raise Refused("pupil_unknown", "the pupil is not known")
    match command:
        case ActivateMailbox(student, address):
            if state.mailbox == address:
                return []
            value = ContactAddress(email=address)
            mailbox = Personal[ContactAddress](person=student, value=value)
            return [InstitutionalMailboxActivated(student=student, mailbox=mailbox)]
        case ConsentToParent(student, guardian, consents):
            if state.consents.get(guardian) is consents:
                return []
            if not command.by_merge and not of_age(details.birth_date, command.today):
                raise Refused("under_age", "only a pupil of age decides what parents see")
            return [ParentalAccessConsented(student=student, guardian=guardian, consents=consents)]
