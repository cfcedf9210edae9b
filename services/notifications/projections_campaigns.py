"""Campaigns and bounces -> rows; and what of the registry's history says whom a mail may still reach."""

import json
from collections.abc import Callable, Iterable
from datetime import date
from typing import Any

from services.notifications.channels.email.outcome import bounce_problem
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import CredentialsRegenerated
from shared.contracts.notifications import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignOpened,
    CampaignPaused,
    CampaignPlanned,
    CampaignResumed,
    EmailBounced,
    ResendRequested,
)
from shared.contracts.registry import (
    ContactAddressCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    InstitutionalMailboxActivated,
    WrongChildRejected,
    WrongChildReported,
)
from shared.eventstore.projection import Change, Put, Remove, Row
from shared.policies import local_day


def _planned(event: CampaignPlanned, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "campaigns_v1",
        {
            "campaign": event.campaign,
            "school": recorded.school,
            "title": event.title,
            "roles": json.dumps([role.value for role in event.roles]),
            "classes": json.dumps(event.classes),
            "opens": event.opens,
            "per_domain_a_minute": event.per_domain_a_minute,
            "state": "planned",
            "opened": False,
            "planned_at": recorded.time,
            "planned_by": recorded.actor,
        },
    )


def _opened(event: CampaignOpened, recorded: Recorded[Event]) -> Iterable[Row]:
    now = {"state": "open", "opened": True, "opened_at": recorded.time}
    yield Change("campaigns_v1", {"campaign": event.campaign}, now)


def _paused(event: CampaignPaused, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("campaigns_v1", {"campaign": event.campaign}, {"state": "paused", "reason": event.reason})


def _resumed(event: CampaignResumed, _: Recorded[Event]) -> Iterable[Row]:
    for opened, state in ((True, "open"), (False, "planned")):
        where = {"campaign": event.campaign, "opened": opened}
        yield Change("campaigns_v1", where, {"state": state, "reason": None})


def _completed(event: CampaignCompleted, recorded: Recorded[Event]) -> Iterable[Row]:
    now = {"state": "completed", "ended_at": recorded.time, "sent": event.sent, "failed": event.failed}
    yield Change("campaigns_v1", {"campaign": event.campaign}, now)


def _cancelled(event: CampaignCancelled, recorded: Recorded[Event]) -> Iterable[Row]:
    now = {"state": "cancelled", "ended_at": recorded.time, "reason": event.reason}
    yield Change("campaigns_v1", {"campaign": event.campaign}, now)


def _regenerated(event: CredentialsRegenerated, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("regenerated_v1", {"account": event.account, "generation": event.generation})


def _bounced(event: EmailBounced, recorded: Recorded[Event]) -> Iterable[Row]:
    problem = bounce_problem(event.status).value
    told = {"problem": problem, "code": None, "retry_at": None}
    moved = {"status": "bounced", "changed_at": recorded.time, "cause": recorded.id}
    yield Change("deliveries_v1", {"delivery": event.delivery}, told | moved)
    step = {"delivery": event.delivery, "kind": "mail", "number": event.attempt}
    ended = {"outcome": "bounced", "ended_at": recorded.time, "problem": problem}
    yield Change("delivery_steps_v1", step, ended)
    came = {"kind": event.kind.value, "status": event.status, "at": recorded.time}
    yield Put("bounces_v1", {"delivery": event.delivery, "attempt": event.attempt, **came})


def _resend(event: ResendRequested, recorded: Recorded[Event]) -> Iterable[Row]:
    fresh = {"problem": None, "code": None, "retry_at": None}
    moved = {"status": "requested", "changed_at": recorded.time, "cause": recorded.id}
    yield Change("deliveries_v1", {"delivery": event.delivery}, fresh | moved)
    again = {"number": event.number, "after": event.after, "reason": event.reason.value}
    yield Put("resends_v1", {"delivery": event.delivery, **again, "at": recorded.time})
    yield Put(
        "delivery_steps_v1",
        {
            "delivery": event.delivery,
            "kind": "resend",
            "number": event.number,
            "at": recorded.time,
            "actor": recorded.actor,
            "reason": event.reason.value,
        },
    )


def _address_corrected(event: ContactAddressCorrected, _: Recorded[Event]) -> Iterable[Row]:
    address = event.address.value
    if address is None:
        yield Remove("corrected_addresses_v1", {"guardian": event.guardian})
    else:
        yield Put("corrected_addresses_v1", {"guardian": event.guardian, "email": address.email})


def _mailbox_activated(event: InstitutionalMailboxActivated, _: Recorded[Event]) -> Iterable[Row]:
    mailbox = event.mailbox.value
    if mailbox is None:
        yield Remove("mailboxes_v1", {"student": event.student})
    else:
        yield Put("mailboxes_v1", {"student": event.student, "email": mailbox.email})


def _limit(guardian: str, student: str, kind: str, since: date) -> Put:
    row = {"guardian": guardian, "student": student, "kind": kind, "since": since}
    return Put("guardianship_limits_v1", row)


def _lifted(guardian: str, student: str, kind: str) -> Remove:
    return Remove("guardianship_limits_v1", {"guardian": guardian, "student": student, "kind": kind})


def _restricted(event: GuardianshipRestricted, _: Recorded[Event]) -> Iterable[Row]:
    yield _limit(event.guardian, event.student, "restricted", event.on)


def _restriction_lifted(event: GuardianshipRestrictionLifted, _: Recorded[Event]) -> Iterable[Row]:
    yield _lifted(event.guardian, event.student, "restricted")


def _ended(event: GuardianshipEnded, _: Recorded[Event]) -> Iterable[Row]:
    yield _limit(event.guardian, event.student, "ended", event.on)
    yield _lifted(event.guardian, event.student, "reported")


def _reported(event: WrongChildReported, recorded: Recorded[Event]) -> Iterable[Row]:
    yield _limit(event.guardian, event.student, "reported", local_day(recorded.time))


def _report_rejected(event: WrongChildRejected, _: Recorded[Event]) -> Iterable[Row]:
    yield _lifted(event.guardian, event.student, "reported")


def link_again(guardian: str, student: str) -> Iterable[Row]:
    """A link that is made after it had ended holds: only the desk makes one."""
    yield _lifted(guardian, student, "ended")


def birth(student: str, born: date | None) -> Iterable[Row]:
    """By which a pupil is of age or not, on the day that it matters (M4)."""
    yield Put("births_v1", {"student": student, "born": born})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    CampaignPlanned: _planned,
    CampaignOpened: _opened,
    CampaignPaused: _paused,
    CampaignResumed: _resumed,
    CampaignCompleted: _completed,
    CampaignCancelled: _cancelled,
    CredentialsRegenerated: _regenerated,
    EmailBounced: _bounced,
    ResendRequested: _resend,
    ContactAddressCorrected: _address_corrected,
    InstitutionalMailboxActivated: _mailbox_activated,
    GuardianshipRestricted: _restricted,
    GuardianshipRestrictionLifted: _restriction_lifted,
    GuardianshipEnded: _ended,
    WrongChildReported: _reported,
    WrongChildRejected: _report_rejected,
}
