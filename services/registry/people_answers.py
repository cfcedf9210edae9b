"""What the API says of people and of what stands between them."""

from datetime import date, datetime

from pydantic import BaseModel

from services.registry.domain.access import Closed, pupil_may_justify
from services.registry.people_queries import Relation
from shared.contracts.policy import CredentialPolicy


class LinkAnswer(BaseModel):
    """A guardianship as it stands today. `closed` says why the guardian sees nothing, null where they do."""

    guardian: str
    guardian_name: str
    student: str
    student_name: str
    relationship: str
    closed: Closed | None
    may_justify: bool
    justification_service: str | None
    restricted_on: date | None
    ended_on: date | None
    reported_at: datetime | None


class PersonAnswer(BaseModel):
    """`merged_into`: this was a second record of that guardian; the rest is then empty."""

    id: str
    kind: str
    name: str
    email: str | None
    mailbox: str | None
    merged_into: str | None
    links: list[LinkAnswer]


class FoundAnswer(BaseModel):
    id: str
    kind: str
    name: str
    about: str | None


class ChildAnswer(BaseModel):
    """`name` and class are null where the child is closed to the parent, except to ask the pupil's consent."""

    student: str
    name: str | None
    school_year: str | None
    class_title: str | None
    closed: Closed | None
    may_justify: bool
    justification_service: str | None
    child_may_justify: bool


def link_answer(relation: Relation, policy: CredentialPolicy | None, on: date) -> LinkAnswer:
    return LinkAnswer(
        guardian=relation.guardian,
        guardian_name=relation.guardian_name,
        student=relation.student,
        student_name=relation.student_name,
        relationship=relation.relationship,
        closed=relation.closed(policy, on),
        may_justify=relation.may_justify(policy, on),
        justification_service=relation.service,
        restricted_on=relation.standing.restricted_on,
        ended_on=relation.standing.ended_on,
        reported_at=relation.reported_at,
    )


def child_answer(relation: Relation, policy: CredentialPolicy | None, on: date) -> ChildAnswer:
    closed = relation.closed(policy, on)
    named = closed in (None, Closed.consent_missing)
    return ChildAnswer(
        student=relation.student,
        name=relation.student_name if named else None,
        school_year=relation.year if closed is None else None,
        class_title=relation.class_title if closed is None and not relation.pupil_ended else None,
        closed=closed,
        may_justify=relation.may_justify(policy, on),
        justification_service=relation.service,
        child_may_justify=closed is None and pupil_may_justify(relation.standing.birth_date, policy, on),
    )
