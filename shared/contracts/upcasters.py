"""Older versions of a contract, brought up to the newest: pure functions over the event (DESIGN 3)."""

from collections.abc import Callable
from datetime import date
from typing import Any

from shared.contracts.event import Event
from shared.contracts.identity import ShredReason, SlipShredded, SlipShreddedV1
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import (
    CredentialPolicyAdopted,
    CredentialPolicyAdoptedV1,
    SchoolYearOpened,
    SchoolYearOpenedV1,
)


def _school_year_opened(old: Event) -> Event:
    """A label alone meant the Italian school year: 1 September to 31 August (d.lgs. 297/1994, art. 74)."""
    assert isinstance(old, SchoolYearOpenedV1)
    first, last = (int(part) for part in old.year.split("/"))
    return SchoolYearOpened(
        school=old.school, year=old.year, starts=date(first, 9, 1), ends=date(last, 8, 31)
    )


def _policy_adopted(old: Event) -> Event:
    """What the first version did not speak of stays as it was then: no reminders, and no passkeys yet."""
    assert isinstance(old, CredentialPolicyAdoptedV1)
    policy = CredentialPolicy(
        **old.policy.model_dump(), reminder_days=None, staff_password_only_until=date.max
    )
    return CredentialPolicyAdopted(school=old.school, policy=policy, reason=old.reason)


def _slip_shredded(old: Event) -> Event:
    assert isinstance(old, SlipShreddedV1)
    because = ShredReason(old.because.value)
    return SlipShredded(account=old.account, credential=old.credential, because=because)


_STEPS: dict[type[Event], Callable[[Any], Event]] = {
    SchoolYearOpenedV1: _school_year_opened,
    CredentialPolicyAdoptedV1: _policy_adopted,
    SlipShreddedV1: _slip_shredded,
}


def upcast(event: Event) -> Event:
    """The event in its newest version. The recorded bytes stay what they are."""
    while (step := _STEPS.get(type(event))) is not None:
        event = step(event)
    return event


def superseded() -> frozenset[type[Event]]:
    """Contracts that are still read and never written."""
    return frozenset(_STEPS)
