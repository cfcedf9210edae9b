"""Events -> where each notice stands, what was published, who has read it, and what a school says in its own words."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import LanguageChosen
from shared.contracts.notifications import (
    CircularPublished,
    CircularRead,
    CircularWithdrawn,
    LetterheadAdopted,
    MailTemplateAdapted,
    NoticeAccepted,
    NoticeAttempted,
    NoticeBounced,
    NoticeDeferred,
    NoticeFailed,
    NoticeRequested,
)
from shared.contracts.registry import StaffMemberAppointed, StaffMemberLeft
from shared.eventstore.projection import Change, Put, Row


def _now(notice: str, recorded: Recorded[Event], status: str, **more: Any) -> Change:
    """The notice's new status; problem, code and retry are those of this event or none."""
    fresh: dict[str, Any] = {"problem": None, "code": None, "retry_at": None}
    moved = {"status": status, "changed_at": recorded.time, "cause": recorded.id}
    return Change("notices_v1", {"notice": notice}, fresh | moved | more)


def _requested(event: NoticeRequested, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "notices_v1",
        {
            "notice": event.notice,
            "school": recorded.school,
            "kind": event.kind.value,
            "holder": event.holder,
            "about": event.about,
            "account": event.account,
            "number": event.number,
            "status": "requested",
            "problem": None,
            "code": None,
            "attempts": 0,
            "retry_at": None,
            "requested_at": recorded.time,
            "changed_at": recorded.time,
            "correlation": recorded.correlation,
            "cause": recorded.id,
        },
    )


def _attempted(event: NoticeAttempted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.notice, recorded, "attempting", attempts=event.attempt)


def _accepted(event: NoticeAccepted, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.notice, recorded, "accepted", code=event.code)


def _deferred(event: NoticeDeferred, recorded: Recorded[Event]) -> Iterable[Row]:
    told = {"problem": event.problem.value, "code": event.code, "retry_at": event.retry_at}
    yield _now(event.notice, recorded, "deferred", **told)


def _failed(event: NoticeFailed, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.notice, recorded, "failed", problem=event.problem.value, code=event.code)


def _bounced(event: NoticeBounced, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _now(event.notice, recorded, "bounced", problem=f"bounce_{event.kind.value}")


def _published(event: CircularPublished, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "circulars_v1",
        {
            "circular": event.circular,
            "school": event.school,
            "year": event.year,
            "number": event.number,
            "day": event.day,
            "subject": event.subject,
            "text": event.text,
            "signed_by": event.signed_by,
            "audiences": json.dumps(event.audience.audiences),
            "classes": json.dumps(event.audience.classes),
            "sizes": json.dumps([size.model_dump(mode="json") for size in event.sizes]),
            "published_at": recorded.time,
            "withdrawn_at": None,
            "withdrawn_for": None,
        },
    )


def _withdrawn(event: CircularWithdrawn, recorded: Recorded[Event]) -> Iterable[Row]:
    now = {"withdrawn_at": recorded.time, "withdrawn_for": event.reason}
    yield Change("circulars_v1", {"circular": event.circular}, now)


def _read(event: CircularRead, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "circular_reads_v1",
        {
            "circular": event.circular,
            "holder": event.holder,
            "audience": event.audience.value,
            "read_at": recorded.time,
        },
    )


def _letterhead(event: LetterheadAdopted, _: Recorded[Event]) -> Iterable[Row]:
    lines = {"head": json.dumps(event.head), "foot": json.dumps(event.foot)}
    yield Put("letterheads_v1", {"school": event.school, **lines})


def _adapted(event: MailTemplateAdapted, _: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "mail_words_v1",
        {
            "school": event.school,
            "template": event.template,
            "language": event.language,
            "subject": event.subject,
            "opening": event.opening,
            "closing": event.closing,
        },
    )


def _language_chosen(event: LanguageChosen, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("chosen_languages_v1", {"holder": event.holder, "language": event.language})


def _appointed(event: StaffMemberAppointed, recorded: Recorded[Event]) -> Iterable[Row]:
    who = event.details.value
    yield Put(
        "staff_members_v1",
        {
            "person": event.person,
            "school": recorded.school,
            "kind": event.kind.value,
            "family_name": who.family_name if who else None,
            "given_name": who.given_name if who else None,
            "email": who.email if who else None,
            "left_at": None,
        },
    )


def _left(event: StaffMemberLeft, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Change("staff_members_v1", {"person": event.person}, {"left_at": recorded.time})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    NoticeRequested: _requested,
    NoticeAttempted: _attempted,
    NoticeAccepted: _accepted,
    NoticeDeferred: _deferred,
    NoticeFailed: _failed,
    NoticeBounced: _bounced,
    CircularPublished: _published,
    CircularWithdrawn: _withdrawn,
    CircularRead: _read,
    LetterheadAdopted: _letterhead,
    MailTemplateAdapted: _adapted,
    LanguageChosen: _language_chosen,
    StaffMemberAppointed: _appointed,
    StaffMemberLeft: _left,
}
