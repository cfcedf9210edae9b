"""Events -> rows that pages and decisions read. One function for the commit and for the rebuild."""

from collections.abc import Callable, Iterable
from typing import Any

from services.identity import projections_campaigns, projections_own, projections_staff, projections_standing
from services.identity.domain.account import role_of
from shared.contracts import identity as own
from shared.contracts import notifications as mail
from shared.contracts import registry
from shared.contracts.event import Event, Recorded
from shared.eventstore.projection import Change, Put, Remove, Row
from shared.policies import VERSIONS, version_row

Reducer = Callable[[Any, Recorded[Event]], Iterable[Row]]
REDUCERS: dict[type[Event], Reducer] = {}


def project(recorded: Recorded[Event]) -> Iterable[Row]:
    """Own and foreign events; one that says nothing to us makes no rows."""
    reducer = REDUCERS.get(type(recorded.event))
    return reducer(recorded.event, recorded) if reducer is not None else ()


def _of(
    event_class: type[Event],
) -> Callable[[Callable[[Any, Recorded[Event]], Iterable[Row]]], Callable[..., Iterable[Row]]]:
    def register(reducer: Callable[[Any, Recorded[Event]], Iterable[Row]]) -> Callable[..., Iterable[Row]]:
        REDUCERS[event_class] = reducer
        return reducer

    return register


@_of(registry.SchoolRegistered)
def _school(e: registry.SchoolRegistered, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("schools_v1", {"school": e.school, "name": e.name, "customer_id": e.customer_id})


@_of(registry.CredentialPolicyAdopted)
def _policy(e: registry.CredentialPolicyAdopted, r: Recorded[Event]) -> Iterable[Row]:
    yield Put(VERSIONS, version_row(e, r))


@_of(registry.SchoolYearOpened)
def _year(e: registry.SchoolYearOpened, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("school_years_v1", {"school": e.school, "year": e.year})


@_of(registry.StudentEnrolled)
def _enrolled(e: registry.StudentEnrolled, r: Recorded[Event]) -> Iterable[Row]:
    yield _pupil(r.school, e.student, e.details.value)
    yield Put(
        "enrolments_v1",
        {"student": e.student, "year": e.year, "school": r.school, "kind": e.kind.value, "ended": False},
    )


@_of(registry.StudentDetailsCorrected)
def _pupil_corrected(e: registry.StudentDetailsCorrected, r: Recorded[Event]) -> Iterable[Row]:
    yield _pupil(r.school, e.student, e.details.value)


@_of(registry.StudentWithdrawn)
def _withdrawn(e: registry.StudentWithdrawn, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("enrolments_v1", {"student": e.student, "year": e.year}, {"ended": True})


@_of(registry.GuardianLinked)
def _linked(e: registry.GuardianLinked, r: Recorded[Event]) -> Iterable[Row]:
    yield _guardian(r.school, e.guardian, e.details.value)
    yield Put(
        "guardianships_v1",
        {
            "guardian": e.guardian,
            "student": e.student,
            "school": r.school,
            "data_access": e.data_access,
        },
    )


@_of(registry.GuardianshipCorrected)
def _guardianship(e: registry.GuardianshipCorrected, _: Recorded[Event]) -> Iterable[Row]:
    named = {"guardian": e.guardian, "student": e.student}
    yield Change("guardianships_v1", named, {"data_access": e.data_access})


@_of(registry.GuardianDetailsCorrected)
def _guardian_corrected(e: registry.GuardianDetailsCorrected, r: Recorded[Event]) -> Iterable[Row]:
    yield _guardian(r.school, e.guardian, e.details.value)


@_of(mail.SealingKeyPublished)
def _key(e: mail.SealingKeyPublished, r: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "sealing_keys_v1",
        {"key": e.key, "public_key": e.public_key, "retires": e.retires, "published": r.position},
    )


@_of(own.AccountOpened)
def _opened(e: own.AccountOpened, r: Recorded[Event]) -> Iterable[Row]:
    code = e.code.value.user_code if e.code.value else None
    yield _account(r.school, e.account, e.holder, e.role, (e.role.value,), code)


@_of(own.StaffAccountOpened)
def _staff(e: own.StaffAccountOpened, r: Recorded[Event]) -> Iterable[Row]:
    details = e.details.value
    code = details.user_code if details else None
    names = (details.family_name, details.given_name) if details else (None, None)
    yield _person(r.school, e.holder, *names)
    yield _account(r.school, e.account, e.holder, own.AccountRole.staff, [x.value for x in e.roles], code)


@_of(own.CredentialsIssued)
def _issued(e: own.CredentialsIssued, r: Recorded[Event]) -> Iterable[Row]:
    yield Remove("refusals_v1", {"account": e.account})
    yield Put(
        "credentials_v1",
        {
            "credential": e.credential,
            "account": e.account,
            "school": r.school,
            "generation": e.generation,
            "policy_role": e.policy_role.value,
            "channel": e.channel.value,
            "must_change": e.must_change,
            "expires": e.expires,
            "state": "issued",
        },
    )


@_of(own.FirstAccessCompleted)
def _accessed(e: own.FirstAccessCompleted, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("credentials_v1", {"credential": e.credential}, {"state": "accessed"})


@_of(own.SlipShredded)
def _shredded(e: own.SlipShredded, _: Recorded[Event]) -> Iterable[Row]:
    if e.because is not own.ShredReason.first_access:
        yield Change("credentials_v1", {"credential": e.credential}, {"state": e.because.value})


@_of(own.IssuanceRefused)
def _refused(e: own.IssuanceRefused, r: Recorded[Event]) -> Iterable[Row]:
    row = {"school": r.school, "holder": e.holder, "year": e.year, "reason": e.reason.value}
    yield Put("refusals_v1", {"account": e.account, "role": role_of(e.account, e.holder).value, **row})


def _pupil(school: str, person: str, details: registry.PupilDetails | None) -> Put:
    if details is None:
        return _person(school, person, None, None)
    return _person(school, person, details.family_name, details.given_name, birth_date=details.birth_date)


def _guardian(school: str, person: str, details: registry.GuardianDetails | None) -> Put:
    if details is None:
        return _person(school, person, None, None)
    return _person(school, person, details.family_name, details.given_name, language=details.language)


def _person(school: str, person: str, family: str | None, given: str | None, **more: object) -> Put:
    row = {"person": person, "school": school, "family_name": family, "given_name": given}
    return Put("people_v1", row | {"birth_date": more.get("birth_date"), "language": more.get("language")})


def _account(
    school: str, account: str, holder: str, role: own.AccountRole, roles: Iterable[str], code: str | None
) -> Put:
    row = {"account": account, "school": school, "holder": holder, "role": role.value}
    return Put("accounts_v1", row | {"roles": ",".join(roles), "user_code": code})


def _both(first: Reducer, second: Reducer) -> Reducer:
    return lambda e, r: (*first(e, r), *second(e, r))


# An event may say something to several topics.
for _topic in (
    projections_own.REDUCERS,
    projections_standing.REDUCERS,
    projections_staff.REDUCERS,
    projections_campaigns.REDUCERS,
):
    for _event, _reducer in _topic.items():
        REDUCERS[_event] = _both(REDUCERS[_event], _reducer) if _event in REDUCERS else _reducer
