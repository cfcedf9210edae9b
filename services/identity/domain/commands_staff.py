"""What is asked of the account of somebody who works at the school: roles, passkeys."""

from dataclasses import dataclass

from shared.contracts.identity import StaffRole


@dataclass(frozen=True, slots=True)
class ChangeRoles:
    roles: frozenset[StaffRole]


@dataclass(frozen=True, slots=True)
class RegisterPasskey:
    passkey: str


@dataclass(frozen=True, slots=True)
class RemovePasskey:
    """`keep_last`: refused for the only one that there is."""

    passkey: str
    keep_last: bool


@dataclass(frozen=True, slots=True)
class RemovePasskeys:
    """All of them: they were lost."""


StaffCommand = ChangeRoles | RegisterPasskey | RemovePasskey | RemovePasskeys
