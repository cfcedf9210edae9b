"""The PIN, and what is confirmed with it (E2): six digits that confirm what has consequences, never a second factor.

It stands on the account's own history, which is read here for what concerns it: a regeneration, a revocation or new
credentials end the PIN with everything else of the old generation.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from shared.contracts.event import Event
from shared.contracts.identity import (
    AccountOpened,
    AccountReinstated,
    AccountRevoked,
    AccountSuspended,
    ActionConfirmed,
    ConfirmedBy,
    CredentialsIssued,
    CredentialsRegenerated,
    LocalCredentialsRetired,
    PasswordChanged,
    PinChanged,
    PinDisabled,
    SessionsRevoked,
    SignInFailuresCounted,
    SignInSucceeded,
    StaffAccountOpened,
)
from shared.decider import Decider, Refused

MOST_FAILURES = 10


class Standing(StrEnum):
    none = "none"
    active = "active"
    disabled = "disabled"


@dataclass(frozen=True, slots=True)
class PinState:
    """`closed`: nobody signs in to this account now, so that nothing is confirmed either."""

    account: str = ""
    standing: Standing = Standing.none
    closed: bool = False


@dataclass(frozen=True, slots=True)
class ChangePin:
    """The holder chose a PIN; that they may was proved before, with the old one or with the password."""


@dataclass(frozen=True, slots=True)
class DisablePin:
    failures: int


@dataclass(frozen=True, slots=True)
class ConfirmAction:
    """`by`: what the holder proved themselves with."""

    purpose: str
    subject: str
    by: ConfirmedBy


PinCommand = ChangePin | DisablePin | ConfirmAction


def decide(pin: PinState, command: PinCommand) -> Sequence[Event]:
    """Raises `Refused`: no_account, account_closed, pin_disabled, no_pin, pin_required."""
    if not pin.account:
        raise Refused("no_account", "there is no such account")
    match command:
        case DisablePin(failures):
            disabled = PinDisabled(account=pin.account, failures=failures)
            return (disabled,) if pin.standing is Standing.active else ()
        case _ if pin.closed:
            raise Refused("account_closed", "this account is closed at this moment")
        case ChangePin():
            return (PinChanged(account=pin.account, first=pin.standing is Standing.none),)
        case ConfirmAction(purpose, subject, by):
            _may_confirm(pin, by)
            return (ActionConfirmed(account=pin.account, purpose=purpose, subject=subject, by=by),)


def _may_confirm(pin: PinState, by: ConfirmedBy) -> None:
    """With the PIN, or with the password of an account that has none; a passkey is worth more than either."""
    if by is ConfirmedBy.passkey:
        return
    if pin.standing is Standing.disabled:
        raise Refused("pin_disabled", "the PIN is disabled: a new one must be chosen first")
    if by is ConfirmedBy.pin and pin.standing is Standing.none:
        raise Refused("no_pin", "this account has no PIN")
    if by is ConfirmedBy.password and pin.standing is Standing.active:
        raise Refused("pin_required", "this account confirms with its PIN")


def evolve(pin: PinState, event: Event) -> PinState:
    match event:
        case AccountOpened() | StaffAccountOpened():
            pin = PinState(account=event.account)
        case CredentialsIssued(pin_issued=issued):
            pin = replace(pin, standing=Standing.active if issued else Standing.none, closed=False)
        case CredentialsRegenerated():
            pin = replace(pin, standing=Standing.none)
        case AccountRevoked() | LocalCredentialsRetired():
            pin = replace(pin, standing=Standing.none, closed=True)
        case AccountSuspended() | AccountReinstated():
            pin = replace(pin, closed=isinstance(event, AccountSuspended))
        case PinChanged():
            pin = replace(pin, standing=Standing.active)
        case PinDisabled():
            pin = replace(pin, standing=Standing.disabled)
    return pin


PIN: Decider[PinState, PinCommand] = Decider(
    "account",
    PinState,
    decide,
    evolve,
    unmoved_by=frozenset(
        {SignInSucceeded, SignInFailuresCounted, SessionsRevoked, ActionConfirmed, PasswordChanged}
    ),
)
