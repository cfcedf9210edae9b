"""Events to rows: one function for the commit and for the rebuild."""

from collections.abc import Callable, Iterable
from typing import Any

from services.registry import projections_people, projections_policy
from services.registry.domain.people import name_key
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import StaffAccountOpened
from shared.contracts.registry import (
    ClassFormed,
    ClassIdentified,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    PersonIdentified,
    PersonKind,
    SchoolRegistered,
    SchoolYearOpened,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from shared.eventstore.projection import Change, Put, Row


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    if (dated := projections_policy.REDUCERS.get(type(recorded.event))) is not None:
        return dated(recorded.event, recorded)
    if (decided := projections_people.REDUCERS.get(type(recorded.event))) is not None:
        return decided(recorded.event, recorded)
    reduce = REDUCERS.get(type(recorded.event))
    return () if reduce is None else reduce(recorded.school, recorded.event)


def _school(school: str, event: SchoolRegistered) -> Iterable[Row]:
    return [Put("schools_v1", event.model_dump())]


def _year(school: str, event: SchoolYearOpened) -> Iterable[Row]:
    return [Put("school_years_v1", event.model_dump())]


def _class(school: str, event: ClassFormed | ClassIdentified) -> Iterable[Row]:
    identifier = {
        "school": school,
        "year": event.year,
        "source": event.source,
        "external_id": event.external_id,
        "class_id": event.class_id,
    }
    rows: list[Row] = [Put("class_identifiers_v1", identifier)]
    if isinstance(event, ClassFormed):
        described = event.model_dump(exclude={"source", "external_id"})
        rows.append(Put("classes_v1", {"school": school, **described}))
    return rows


def _enrolled(school: str, event: StudentEnrolled) -> Iterable[Row]:
    return [*_pupil(school, event), _enrolment(school, event)]


def _moved(school: str, event: StudentMovedClass) -> Iterable[Row]:
    at = {"student": event.student, "year": event.year}
    return [Change("enrolments_v1", at, {"class_id": event.to_class})]


def _withdrawn(school: str, event: StudentWithdrawn) -> Iterable[Row]:
    at = {"student": event.student, "year": event.year}
    ended = {"ended": True, "ended_on": event.on, "end_reason": event.reason.value}
    return [Change("enrolments_v1", at, ended)]


def _linked(school: str, event: GuardianLinked) -> Iterable[Row]:
    again = projections_people.linked_again(event)
    return [*_guardian(school, event), *_guardianship(school, event), again]


def _identified(school: str, event: PersonIdentified) -> Iterable[Row]:
    return _identifier(school, event.kind, event.person, event.identifier.value)


def _pupil(school: str, event: StudentEnrolled | StudentDetailsCorrected) -> Iterable[Row]:
    details = event.details
    value = details.value
    row: dict[str, Any] = {
        "student": details.person,
        "school": school,
        "family_name": value and value.family_name,
        "given_name": value and value.given_name,
        "name_key": value and name_key(value.family_name, value.given_name),
        "birth_date": value and value.birth_date,
        "codice_fiscale": value and value.codice_fiscale,
        "institutional_email": value and value.institutional_email,
    }
    return [Put("students_v1", row), *_identifier(school, PersonKind.pupil, details.person, value)]


def _guardian(school: str, event: GuardianLinked | GuardianDetailsCorrected) -> Iterable[Row]:
    details = event.details
    value = details.value
    row: dict[str, Any] = {
        "guardian": details.person,
        "school": school,
        "family_name": value and value.family_name,
        "given_name": value and value.given_name,
        "name_key": value and name_key(value.family_name, value.given_name),
        "codice_fiscale": value and value.codice_fiscale,
        "email": value and value.email,
        "phone": value and value.phone,
        "language": value and value.language,
    }
    return [Put("guardians_v1", row), *_identifier(school, PersonKind.guardian, details.person, value)]


def _identifier(school: str, kind: PersonKind, person: str, value: Any) -> list[Row]:
    if value is None:
        return []
    row = {
        "school": school,
        "kind": kind.value,
        "source": value.source,
        "external_id": value.external_id,
        "person": person,
    }
    return [Put("identifiers_v1", row)]


def _enrolment(school: str, event: StudentEnrolled) -> Row:
    return Put(
        "enrolments_v1",
        {
            "student": event.student,
            "year": event.year,
            "school": school,
            "class_id": event.class_id,
            "kind": event.kind.value,
            "starts": event.starts,
            "ended": False,
            "ended_on": None,
            "end_reason": None,
        },
    )


def _guardianship(school: str, event: GuardianLinked | GuardianshipCorrected) -> Iterable[Row]:
    row = {
        "guardian": event.guardian,
        "student": event.student,
        "school": school,
        "relationship": event.relationship.value,
        "data_access": event.data_access,
        "justifies_online": event.justifies_online,
    }
    return [Put("guardianships_v1", row)]


def _staff(school: str, event: StaffAccountOpened) -> Iterable[Row]:
    value = event.details.value
    row = {
        "person": event.holder,
        "school": school,
        "family_name": value and value.family_name,
        "given_name": value and value.given_name,
    }
    account = {"account": event.account, "person": event.holder, "school": school}
    return [Put("staff_v1", row), Put("staff_accounts_v1", account)]


REDUCERS: dict[type[Event], Callable[[str, Any], Iterable[Row]]] = {
    SchoolRegistered: _school,
    SchoolYearOpened: _year,
    ClassFormed: _class,
    ClassIdentified: _class,
    StudentEnrolled: _enrolled,
    StudentDetailsCorrected: _pupil,
    StudentMovedClass: _moved,
    StudentWithdrawn: _withdrawn,
    GuardianLinked: _linked,
    GuardianDetailsCorrected: _guardian,
    GuardianshipCorrected: _guardianship,
    PersonIdentified: _identified,
    StaffAccountOpened: _staff,
}
