"""What a holder chose for themselves: how their PIN stands, in which language they read."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts import identity as own
from shared.contracts.event import Event, Recorded
from shared.eventstore.projection import Put, Remove, Row

ACTIVE, DISABLED = "active", "disabled"


def _issued(e: own.CredentialsIssued, _: Recorded[Event]) -> Iterable[Row]:
    yield _standing(e.account, ACTIVE) if e.pin_issued else _without(e.account)


def _changed(e: own.PinChanged, _: Recorded[Event]) -> Iterable[Row]:
    yield _standing(e.account, ACTIVE)


def _disabled(e: own.PinDisabled, _: Recorded[Event]) -> Iterable[Row]:
    yield _standing(e.account, DISABLED)


def _dead(e: Any, _: Recorded[Event]) -> Iterable[Row]:
    yield _without(e.account)


def _language(e: own.LanguageChosen, r: Recorded[Event]) -> Iterable[Row]:
    row = {"account": e.account, "school": r.school, "holder": e.holder, "language": e.language}
    yield Put("languages_v1", row)


def _standing(account: str, standing: str) -> Put:
    return Put("pins_v1", {"account": account, "standing": standing})


def _without(account: str) -> Remove:
    return Remove("pins_v1", {"account": account})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    own.CredentialsIssued: _issued,
    own.CredentialsRegenerated: _dead,
    own.AccountRevoked: _dead,
    own.LocalCredentialsRetired: _dead,
    own.PinChanged: _changed,
    own.PinDisabled: _disabled,
    own.LanguageChosen: _language,
}
