"""Events -> rows that pages and decisions read: a table of event -> reducer (DESIGN 4)."""

from collections.abc import Callable, Iterable
from itertools import chain
from typing import Any, TypeVar

from services.notifications import (
    projections_campaigns,
    projections_deliveries,
    projections_hand_over,
    projections_notices,
)
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import (
    AccountOpened,
    CredentialsIssued,
    CredentialsKept,
    FirstAccessCompleted,
    IssuanceRefused,
    PasswordChanged,
    SignInSucceeded,
    SlipShredded,
    StaffAccountOpened,
)
from shared.contracts.registry import (
    ClassFormed,
    CredentialPolicyAdopted,
    GuardianDetails,
    GuardianDetailsCorrected,
    GuardianLinked,
    GuardianshipCorrected,
    SchoolRegistered,
    StudentDetailsCorrected,
    StudentEnrolled,
    StudentMovedClass,
    StudentWithdrawn,
)
from shared.eventstore.projection import Change, Put, Remove, Row
from shared.policies import VERSIONS, version_row

E = TypeVar("E", bound=Event)
Reducer = Callable[[Any, Recorded[Event]], Iterable[Row]]


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    """The rows that one event puts, changes or takes away; none for events that no page needs."""
    reducer = REDUCERS.get(type(recorded.event))
    return () if reducer is None else reducer(recorded.event, recorded)


def _school_registered(event: SchoolRegistered, _: Recorded[Event]) -> Iterable[Row]:
    row = {"school": event.school, "name": event.name, "customer_id": event.customer_id}
    yield Put("schools_v1", row)


def _policy_adopted(event: CredentialPolicyAdopted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(VERSIONS, version_row(event, recorded))


def _class_formed(event: ClassFormed, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "classes_v1",
        {
            "class_id": event.class_id,
            "school": recorded.school,
            "year": event.year,
            "title": event.title,
            "grade": event.grade,
            "section": event.section,
            "curriculum": event.curriculum,
        },
    )


def _student_enrolled(event: StudentEnrolled, recorded: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    yield Put(
        "pupils_v1",
        {
            "student": event.student,
            "school": recorded.school,
            "family_name": who.family_name if who else None,
            "given_name": who.given_name if who else None,
            "institutional_email": who.institutional_email if who else None,
        },
    )
    yield Put(
        "places_v1",
        {
            "student": event.student,
            "year": event.year,
            "school": recorded.school,
            "class_id": event.class_id,
        },
    )
    yield from projections_campaigns.birth(event.student, who.birth_date if who else None)


def _student_corrected(event: StudentDetailsCorrected, _: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    if who is not None:
        names = {"family_name": who.family_name, "given_name": who.given_name}
        mailbox = {"institutional_email": who.institutional_email}
        yield Change("pupils_v1", {"student": event.student}, names | mailbox)
        yield from projections_campaigns.birth(event.student, who.birth_date)


def _student_moved(event: StudentMovedClass, _: Recorded[Event]) -> Iterable[Row]:
    where = {"student": event.student, "year": event.year}
    yield Change("places_v1", where, {"class_id": event.to_class})


def _student_withdrawn(event: StudentWithdrawn, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove("places_v1", {"student": event.student, "year": event.year})


def _guardian_linked(event: GuardianLinked, recorded: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    yield Put(
        "guardians_v1",
        {
            "guardian": event.guardian,
            "school": recorded.school,
            "family_name": who.family_name if who else None,
            "given_name": who.given_name if who else None,
            "language": who.language if who else None,
        },
    )
    yield Put(
        "guardianships_v1",
        {
            "guardian": event.guardian,
            "student": event.student,
            "school": recorded.school,
            "relationship": event.relationship.value,
            "data_access": event.data_access,
        },
    )
    yield from projections_campaigns.link_again(event.guardian, event.student)
    yield from _address(event.guardian, who, recorded)


def _address(guardian: str, who: GuardianDetails | None, recorded: Recorded[Event]) -> Iterable[Row]:
    if who is not None and who.email:
        yield Put("addresses_v1", {"guardian": guardian, "position": recorded.position, "email": who.email})


def _guardianship_corrected(event: GuardianshipCorrected, _: Recorded[Event]) -> Iterable[Row]:
    now = {"relationship": event.relationship.value, "data_access": event.data_access}
    yield Change("guardianships_v1", {"guardian": event.guardian, "student": event.student}, now)


def _guardian_corrected(event: GuardianDetailsCorrected, recorded: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    if who is not None:
        names = {"family_name": who.family_name, "given_name": who.given_name, "language": who.language}
        yield Change("guardians_v1", {"guardian": event.guardian}, names)
        yield from _address(event.guardian, who, recorded)


def _account_opened(event: AccountOpened, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "accounts_v1",
        {
            "account": event.account,
            "school": recorded.school,
            "holder": event.holder,
            "role": event.role.value,
            "user_code": event.code.value.user_code if event.code.value else None,
        },
    )


def _staff_account_opened(event: StaffAccountOpened, recorded: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    yield Put(
        "staff_v1",
        {
            "account": event.account,
            "school": recorded.school,
            "family_name": who.family_name if who else None,
            "given_name": who.given_name if who else None,
        },
    )


def _credentials_issued(event: CredentialsIssued, recorded: Recorded[Event]) -> Iterable[Row]:
    issued = {
        "credential": event.credential,
        "generation": event.generation,
        "policy_role": event.policy_role.value,
        "channel": event.channel.value,
        "exclusive": event.exclusive,
        "pin_issued": event.pin_issued,
        "must_change": event.must_change,
        "issued_at": recorded.time,
        "expires": event.expires,
        "activated_at": None,
        "changed_at": None,
    }
    yield Change("accounts_v1", {"account": event.account}, issued)
    secret = {"credential": event.credential, "account": event.account, "secret": "sealed"}
    yield Put("secrets_v1", secret)
    yield Remove("refusals_v1", {"holder": event.holder})
    yield from projections_hand_over.ended_by_new_credentials(event.account)


def _credentials_kept(event: CredentialsKept, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("accounts_v1", {"account": event.account}, {"kept_year": event.year})
    yield Remove("refusals_v1", {"holder": event.holder})


def _issuance_refused(event: IssuanceRefused, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "refusals_v1",
        {
            "holder": event.holder,
            "school": recorded.school,
            "year": event.year,
            "reason": event.reason.value,
        },
    )


def _slip_shredded(event: SlipShredded, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("secrets_v1", {"credential": event.credential}, {"secret": event.because.value})


def _first_access(event: FirstAccessCompleted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Change("accounts_v1", {"account": event.account}, {"activated_at": recorded.time})


def _password_changed(event: PasswordChanged, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Change("accounts_v1", {"account": event.account}, {"changed_at": recorded.time})


def _signed_in(event: SignInSucceeded, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Change("accounts_v1", {"account": event.account}, {"signed_in_at": recorded.time})


REDUCERS: dict[type[Event], Reducer] = {
    SchoolRegistered: _school_registered,
    CredentialPolicyAdopted: _policy_adopted,
    ClassFormed: _class_formed,
    StudentEnrolled: _student_enrolled,
    StudentDetailsCorrected: _student_corrected,
    StudentMovedClass: _student_moved,
    StudentWithdrawn: _student_withdrawn,
    GuardianLinked: _guardian_linked,
    GuardianshipCorrected: _guardianship_corrected,
    GuardianDetailsCorrected: _guardian_corrected,
    AccountOpened: _account_opened,
    StaffAccountOpened: _staff_account_opened,
    CredentialsIssued: _credentials_issued,
    CredentialsKept: _credentials_kept,
    IssuanceRefused: _issuance_refused,
    SlipShredded: _slip_shredded,
    FirstAccessCompleted: _first_access,
    PasswordChanged: _password_changed,
    SignInSucceeded: _signed_in,
}


def _then(first: Reducer, second: Reducer) -> Reducer:
    return lambda event, recorded: chain(first(event, recorded), second(event, recorded))


for _topic in (projections_deliveries, projections_campaigns, projections_hand_over, projections_notices):
    for _kind, _reducer in _topic.REDUCERS.items():
        REDUCERS[_kind] = _then(REDUCERS[_kind], _reducer) if _kind in REDUCERS else _reducer
