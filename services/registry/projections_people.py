"""What the desk, the family and the directory decide of people: rows beside those that enrolments bring about."""

from collections.abc import Callable, Iterable
from typing import Any

from services.registry.domain.people import name_key
from shared.contracts.event import Event, Recorded
from shared.contracts.registry import (
    ContactAddressCorrected,
    GuardianLinked,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    GuardiansMerged,
    InstitutionalMailboxActivated,
    JustificationServiceActivated,
    JustificationServiceEnded,
    JustificationServiceRequested,
    ParentalAccessConsented,
    StaffMemberAppointed,
    StaffMemberLeft,
    TeacherAssigned,
    TeacherUnassigned,
    WrongChildRejected,
    WrongChildReported,
)
from shared.eventstore.projection import Change, Put, Remove, Row

_Facts = Recorded[Event]


def _at(event: Any) -> dict[str, str]:
    return {"guardian": event.guardian, "student": event.student}


def linked_again(event: GuardianLinked) -> Row:
    """A guardianship that was ended is one again."""
    return Remove("guardianship_ends_v1", _at(event))


def _restricted(event: GuardianshipRestricted, recorded: _Facts) -> Iterable[Row]:
    row = {"school": recorded.school, "restricted_on": event.on, "ground": event.ground.value}
    return [Put("guardianship_restrictions_v1", _at(event) | row)]


def _lifted(event: GuardianshipRestrictionLifted, recorded: _Facts) -> Iterable[Row]:
    return [Remove("guardianship_restrictions_v1", _at(event))]


def _ended(event: GuardianshipEnded, recorded: _Facts) -> Iterable[Row]:
    row = {"school": recorded.school, "ended_on": event.on, "ground": event.ground.value}
    return [
        Put("guardianship_ends_v1", _at(event) | row),
        Remove("wrong_child_reports_v1", _at(event)),
        Remove("justification_services_v1", _at(event)),
    ]


def _reported(event: WrongChildReported, recorded: _Facts) -> Iterable[Row]:
    note = event.note.value
    row = {"school": recorded.school, "note": note and note.text, "reported_at": recorded.time}
    return [Put("wrong_child_reports_v1", _at(event) | row)]


def _rejected(event: WrongChildRejected, recorded: _Facts) -> Iterable[Row]:
    return [Remove("wrong_child_reports_v1", _at(event))]


def _service(state: str, justifies: bool | None) -> Callable[[Any, _Facts], Iterable[Row]]:
    def reduce(event: Any, recorded: _Facts) -> Iterable[Row]:
        row = {"school": recorded.school, "state": state, "since": recorded.time}
        rows: list[Row] = [Put("justification_services_v1", _at(event) | row)]
        if justifies is not None:
            rows.append(Change("guardianships_v1", _at(event), {"justifies_online": justifies}))
        return rows

    return reduce


def _consented(event: ParentalAccessConsented, recorded: _Facts) -> Iterable[Row]:
    row = {
        "student": event.student,
        "guardian": event.guardian,
        "school": recorded.school,
        "consents": event.consents,
        "since": recorded.time,
    }
    return [Put("parental_consents_v1", row)]


def _address(event: ContactAddressCorrected, recorded: _Facts) -> Iterable[Row]:
    address = event.address.value
    return [Change("guardians_v1", {"guardian": event.guardian}, {"email": address and address.email})]


def _merged(event: GuardiansMerged, recorded: _Facts) -> Iterable[Row]:
    """Nobody is found under the merged record any more, but an address of old leads to the one that was kept."""
    of = {"guardian": event.merged}
    row = {
        "merged": event.merged,
        "guardian": event.guardian,
        "school": recorded.school,
        "merged_at": recorded.time,
    }
    return [
        Put("merged_guardians_v1", row),
        Remove("guardians_v1", of),
        Remove("guardianships_v1", of),
        Remove("guardianship_restrictions_v1", of),
        Remove("guardianship_ends_v1", of),
        Remove("wrong_child_reports_v1", of),
        Remove("justification_services_v1", of),
        Remove("parental_consents_v1", of),
    ]


def _mailbox(event: InstitutionalMailboxActivated, recorded: _Facts) -> Iterable[Row]:
    mailbox = event.mailbox.value
    row = {
        "student": event.student,
        "school": recorded.school,
        "address": mailbox and mailbox.email,
        "activated_at": recorded.time,
    }
    return [Put("pupil_mailboxes_v1", row)]


def _appointed(event: StaffMemberAppointed, recorded: _Facts) -> Iterable[Row]:
    value = event.details.value
    row = {
        "person": event.person,
        "school": recorded.school,
        "kind": event.kind.value,
        "family_name": value and value.family_name,
        "given_name": value and value.given_name,
        "name_key": value and name_key(value.family_name, value.given_name),
        "email": value and value.email,
        "serves": True,
    }
    return [Put("staff_members_v1", row)]


def _left(event: StaffMemberLeft, recorded: _Facts) -> Iterable[Row]:
    return [Change("staff_members_v1", {"person": event.person}, {"serves": False})]


def _assigned(event: TeacherAssigned, recorded: _Facts) -> Iterable[Row]:
    row = {"teacher": event.teacher, "class_id": event.class_id, "school": recorded.school}
    return [Put("teachings_v1", row)]


def _unassigned(event: TeacherUnassigned, recorded: _Facts) -> Iterable[Row]:
    return [Remove("teachings_v1", {"teacher": event.teacher, "class_id": event.class_id})]


REDUCERS: dict[type[Event], Callable[[Any, _Facts], Iterable[Row]]] = {
    GuardianshipRestricted: _restricted,
    GuardianshipRestrictionLifted: _lifted,
    GuardianshipEnded: _ended,
    WrongChildReported: _reported,
    WrongChildRejected: _rejected,
    JustificationServiceRequested: _service("requested", None),
    JustificationServiceActivated: _service("active", True),
    JustificationServiceEnded: _service("ended", False),
    ParentalAccessConsented: _consented,
    ContactAddressCorrected: _address,
    GuardiansMerged: _merged,
    InstitutionalMailboxActivated: _mailbox,
    StaffMemberAppointed: _appointed,
    StaffMemberLeft: _left,
    TeacherAssigned: _assigned,
    TeacherUnassigned: _unassigned,
}
