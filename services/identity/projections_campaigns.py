"""Campaigns -> whom they hold back (E1): in which class a pupil is, and what was delivered of what was issued."""

import json
from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.contracts.identity import SlipClaimed
from shared.contracts.notifications import (
    CampaignCancelled,
    CampaignCompleted,
    CampaignOpened,
    CampaignPaused,
    CampaignPlanned,
    CampaignResumed,
)
from shared.contracts.registry import StudentEnrolled, StudentMovedClass
from shared.eventstore.projection import Change, Put, Row


def _planned(event: CampaignPlanned, recorded: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        "campaigns_v1",
        {
            "campaign": event.campaign,
            "school": recorded.school,
            "roles": json.dumps([role.value for role in event.roles]),
            "classes": json.dumps(event.classes),
            "opened": False,
            "holds": True,
        },
    )


def _opened(event: CampaignOpened, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("campaigns_v1", {"campaign": event.campaign}, {"opened": True, "holds": False})


def _paused(event: CampaignPaused, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("campaigns_v1", {"campaign": event.campaign}, {"holds": True})


def _resumed(event: CampaignResumed, _: Recorded[Event]) -> Iterable[Row]:
    """One that was paused before its date waits for that."""
    yield Change("campaigns_v1", {"campaign": event.campaign, "opened": True}, {"holds": False})


def _ended(event: CampaignCompleted | CampaignCancelled, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("campaigns_v1", {"campaign": event.campaign}, {"holds": False})


def _enrolled(event: StudentEnrolled, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("places_v1", {"student": event.student, "year": event.year, "class_id": event.class_id})


def _moved(event: StudentMovedClass, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("places_v1", {"student": event.student, "year": event.year}, {"class_id": event.to_class})


def _claimed(event: SlipClaimed, _: Recorded[Event]) -> Iterable[Row]:
    yield Put("claimed_v1", {"credential": event.credential})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    CampaignPlanned: _planned,
    CampaignOpened: _opened,
    CampaignPaused: _paused,
    CampaignResumed: _resumed,
    CampaignCompleted: _ended,
    CampaignCancelled: _ended,
    StudentEnrolled: _enrolled,
    StudentMovedClass: _moved,
    SlipClaimed: _claimed,
}
