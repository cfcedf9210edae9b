"""Those who work at the school: which roles they have, and which passkeys (DESIGN 7)."""

from collections.abc import Sequence
from dataclasses import replace

from services.identity.domain.commands import OpenStaff
from services.identity.domain.commands_staff import (
    ChangeRoles,
    RegisterPasskey,
    RemovePasskey,
    RemovePasskeys,
    StaffCommand,
)
from services.identity.domain.state import Account
from shared.contracts.event import Event, Personal
from shared.contracts.identity import (
    AccountRevoked,
    AccountRole,
    PasskeyRegistered,
    PasskeyRemoved,
    PasswordChanged,
    StaffAccountOpened,
    StaffDetails,
    StaffPasswordReset,
    StaffRole,
    StaffRolesChanged,
)
from shared.decider import Refused

MOST_PASSKEYS = 20


def open_(account: Account, command: OpenStaff) -> StaffAccountOpened:
    """Who left and comes back has the same account opened again."""
    if account.opened and account.revoked is None:
        raise Refused("already_open", "this person has a staff account already")
    return StaffAccountOpened(
        account=command.account,
        holder=command.holder,
        roles=_in_order(command.roles),
        details=Personal[StaffDetails](person=command.holder, value=command.details),
    )


def decide(account: Account, command: StaffCommand) -> Sequence[Event]:
    if account.role is not AccountRole.staff:
        raise Refused("not_staff", "this is no account of somebody who works at the school")
    if account.closed:
        raise Refused("closed", "the account is suspended or was closed")
    match command:
        case ChangeRoles(roles):
            return _change_roles(account, roles)
        case RegisterPasskey(passkey):
            if len(account.passkeys) >= MOST_PASSKEYS:
                raise Refused("too_many_passkeys", "an account has 20 passkeys at most: remove one first")
            return (PasskeyRegistered(account=account.id, passkey=passkey),)
        case RemovePasskey(passkey, keep_last):
            if passkey not in account.passkeys:
                raise Refused("unknown_passkey", "this account has no such passkey")
            if keep_last and len(account.passkeys) == 1:
                raise Refused("last_passkey", "it is the only one: register another first")
            return (PasskeyRemoved(account=account.id, passkey=passkey),)
        case RemovePasskeys():
            return tuple(
                PasskeyRemoved(account=account.id, passkey=each) for each in sorted(account.passkeys)
            )


def _change_roles(account: Account, roles: frozenset[StaffRole]) -> Sequence[Event]:
    if not roles:
        raise Refused("no_role", "who works at the school has one role at least; who has left is closed")
    if roles == account.staff_roles:
        return ()
    return (StaffRolesChanged(account=account.id, roles=_in_order(roles)),)


def _in_order(roles: Sequence[StaffRole] | frozenset[StaffRole]) -> tuple[StaffRole, ...]:
    return tuple(role for role in StaffRole if role in roles)


def evolve(account: Account, event: Event) -> Account:
    match event:
        case StaffAccountOpened():
            account = Account(
                id=event.account,
                holder=event.holder,
                role=AccountRole.staff,
                staff_roles=frozenset(event.roles),
            )
        case StaffRolesChanged():
            account = replace(account, staff_roles=frozenset(event.roles))
        case PasskeyRegistered():
            account = replace(account, passkeys=account.passkeys | {event.passkey})
        case PasskeyRemoved():
            account = replace(account, passkeys=account.passkeys - {event.passkey})
        case AccountRevoked():
            account = replace(account, passkeys=frozenset())
        case StaffPasswordReset():
            account = replace(account, staff_password_changed=False)
        case PasswordChanged() if account.role is AccountRole.staff:
            account = replace(account, staff_password_changed=True)
    return account
