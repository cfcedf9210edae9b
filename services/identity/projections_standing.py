"""Whether accounts stand, who asked for regeneration, who leaves: events -> rows."""

from collections.abc import Callable, Iterable
from typing import Any

from shared.contracts import identity as own
from shared.contracts import registry
from shared.contracts.event import Event, Personal, Recorded
from shared.eventstore.projection import Change, Put, Remove, Row

SUSPENSIONS, ENDINGS, LOSSES = "suspensions_v1", "endings_v1", "losses_v1"
REGENERATIONS, MAILBOXES, LIMITS = "regenerations_v1", "mailboxes_v1", "guardianship_limits_v1"


def _suspended(e: own.AccountSuspended, r: Recorded[Event]) -> Iterable[Row]:
    row = {"account": e.account, "school": r.school, "because": e.because.value, "since": r.time}
    yield Put(SUSPENSIONS, row)


def _reinstated(e: own.AccountReinstated, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(SUSPENSIONS, {"account": e.account})
    yield Remove(LOSSES, {"account": e.account})


def _revoked(e: own.AccountRevoked, r: Recorded[Event]) -> Iterable[Row]:
    yield Remove(SUSPENSIONS, {"account": e.account})
    yield Remove(LOSSES, {"account": e.account})
    yield _ending(e.account, r, "revoked", e.because.value, e.into)


def _retired(e: own.LocalCredentialsRetired, r: Recorded[Event]) -> Iterable[Row]:
    yield _ending(e.account, r, "retired", None, None)


def _ending(account: str, r: Recorded[Event], ending: str, because: str | None, into: str | None) -> Put:
    row = {"account": account, "school": r.school, "ending": ending, "because": because}
    return Put(ENDINGS, row | {"into_": into, "since": r.time})


def _issued(e: own.CredentialsIssued, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(ENDINGS, {"account": e.account})
    yield Remove(LOSSES, {"account": e.account})


def _lost(e: own.LossReported, r: Recorded[Event]) -> Iterable[Row]:
    row = {"account": e.account, "school": r.school, "reported_by": e.by.value, "reported_at": r.time}
    yield Put(LOSSES, row)


def _changed(e: own.PasswordChanged, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(LOSSES, {"account": e.account})


def _requested(e: own.RegenerationRequested, r: Recorded[Event]) -> Iterable[Row]:
    yield Put(
        REGENERATIONS,
        {
            "request": e.request,
            "account": e.account,
            "school": r.school,
            "holder": e.holder,
            "asked_by": e.by.value,
            "asked_at": r.time,
            "asker": r.actor,
            "asked_check": e.identity_check.value if e.identity_check else None,
            "motivation": _text(e.motivation),
            "state": "open",
            "decided_at": None,
            "decider": None,
            "decided_check": None,
            "reason": None,
        },
    )


def _granted(e: own.RegenerationGranted, r: Recorded[Event]) -> Iterable[Row]:
    yield _decided(e.request, r, "granted", e.identity_check.value, e.reason)


def _denied(e: own.RegenerationDenied, r: Recorded[Event]) -> Iterable[Row]:
    yield _decided(e.request, r, "denied", None, e.reason)


def _decided(
    request: str, r: Recorded[Event], state: str, check: str | None, reason: Personal[registry.Note]
) -> Change:
    to = {"state": state, "decided_at": r.time, "decider": r.actor}
    return Change(REGENERATIONS, {"request": request}, to | {"decided_check": check, "reason": _text(reason)})


def _regenerated(e: own.CredentialsRegenerated, _: Recorded[Event]) -> Iterable[Row]:
    if e.credential is not None:
        yield Change("credentials_v1", {"credential": e.credential}, {"state": "regenerated"})
    yield Remove(LOSSES, {"account": e.account})


def _text(note: Personal[registry.Note]) -> str | None:
    return note.value.text if note.value is not None else None


def _mailbox(e: registry.InstitutionalMailboxActivated, r: Recorded[Event]) -> Iterable[Row]:
    yield Put(MAILBOXES, {"student": e.student, "school": r.school})


def _restricted(e: registry.GuardianshipRestricted, r: Recorded[Event]) -> Iterable[Row]:
    yield _limit(e, r, ended=False)


def _lifted(e: registry.GuardianshipRestrictionLifted, _: Recorded[Event]) -> Iterable[Row]:
    yield Remove(LIMITS, {"guardian": e.guardian, "student": e.student, "ended": False})


def _ended(e: registry.GuardianshipEnded, r: Recorded[Event]) -> Iterable[Row]:
    yield _limit(e, r, ended=True)


def _linked(e: registry.GuardianLinked, _: Recorded[Event]) -> Iterable[Row]:
    """What had ended is made anew; what was restricted stays so."""
    yield Remove(LIMITS, {"guardian": e.guardian, "student": e.student, "ended": True})


def _limit(
    e: registry.GuardianshipRestricted | registry.GuardianshipEnded, r: Recorded[Event], *, ended: bool
) -> Put:
    row = {"guardian": e.guardian, "student": e.student, "school": r.school}
    return Put(LIMITS, row | {"starts": e.on, "ended": ended})


REDUCERS: dict[type[Event], Callable[[Any, Recorded[Event]], Iterable[Row]]] = {
    own.AccountSuspended: _suspended,
    own.AccountReinstated: _reinstated,
    own.AccountRevoked: _revoked,
    own.LocalCredentialsRetired: _retired,
    own.CredentialsIssued: _issued,
    own.LossReported: _lost,
    own.PasswordChanged: _changed,
    own.RegenerationRequested: _requested,
    own.RegenerationGranted: _granted,
    own.RegenerationDenied: _denied,
    own.CredentialsRegenerated: _regenerated,
    registry.InstitutionalMailboxActivated: _mailbox,
    registry.GuardianshipRestricted: _restricted,
    registry.GuardianshipRestrictionLifted: _lifted,
    registry.GuardianshipEnded: _ended,
    registry.GuardianLinked: _linked,
}
