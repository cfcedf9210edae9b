"""Those who work at the school, and whoever was guessed at too often: events -> rows."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts import identity as own
from shared.contracts import registry
from shared.contracts.event import Event, Recorded
from shared.eventstore.projection import Change, Put, Remove, Row

LOCKED, APPOINTED = "locked_accounts_v1", "appointed_staff_v1"


def _roles(e: own.StaffRolesChanged, _: Recorded[Event]) -> Iterable[Row]:
    yield Change("accounts_v1", {"account": e.account}, {"roles": ",".join(role.value for role in e.roles)})


def _reopened(e: own.StaffAccountOpened, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove("endings_v1", {"account": e.account})


def _locked(e: own.AccountLocked, r: Recorded[Event]) -> Iterable[Row]:
    yield Put(LOCKED, {"account": e.account, "school": r.school, "since": r.time})


def _unlocked(e: own.AccountUnlocked | own.AccountRevoked, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(LOCKED, {"account": e.account})


def _appointed(e: registry.StaffMemberAppointed, r: Recorded[Event]) -> Iterable[Row]:
    details = e.details.value
    row = {"person": e.person, "school": r.school, "kind": e.kind.value}
    names = {
        "family_name": details.family_name if details else None,
        "given_name": details.given_name if details else None,
    }
    yield Put(APPOINTED, row | names)


def _left(e: registry.StaffMemberLeft, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(APPOINTED, {"person": e.person})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    own.StaffRolesChanged: _roles,
    own.StaffAccountOpened: _reopened,
    own.AccountLocked: _locked,
    own.AccountUnlocked: _unlocked,
    own.AccountRevoked: _unlocked,
    registry.StaffMemberAppointed: _appointed,
    registry.StaffMemberLeft: _left,
}
