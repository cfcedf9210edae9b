"""An account as its history leaves it: its newest credential, and whether it stands."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from shared.contracts.identity import (
    AccountRole,
    RefusalReason,
    RevocationReason,
    StaffRole,
    SuspensionReason,
)
from shared.ids import derived_id


@dataclass(frozen=True, slots=True)
class Credential:
    """The newest credential. `slip`: its sealed copy still exists. `changed`: its password was replaced by a
    chosen one. `lost`: so it was reported. `returned`: its hand-over was undone, nobody has the slip."""

    id: str
    generation: int
    must_change: bool
    expires: datetime
    year: str | None = None
    slip: bool = True
    claims: int = 0
    accessed: bool = False
    changed: bool = False
    lost: bool = False
    returned: bool = False

    def live(self, now: datetime) -> bool:
        """Whether it opens, or can still be made to open, the account: an initial secret dies with its life,
        unless its holder was only advised to change it and had begun to use it (DESIGN 5, *recommended*)."""
        return self.changed or now < self.expires or (self.accessed and not self.must_change)


class Decided(NamedTuple):
    granted: bool


@dataclass(frozen=True, slots=True)
class Account:
    """`refused`: of each school year, the last word. `requests`: for regeneration, None while they are open.

    A suspended account is closed for a time, a revoked one until it is issued anew, a retired one because the school
    gives no local credentials any more; a locked one is open to known devices.
    """

    id: str = ""
    holder: str = ""
    role: AccountRole | None = None
    credential: Credential | None = None
    generations: int = 0
    staff_password_changed: bool = False
    staff_roles: frozenset[StaffRole] = frozenset()
    passkeys: frozenset[str] = frozenset()
    kept: frozenset[str] = frozenset()
    refused: frozenset[tuple[str, RefusalReason]] = frozenset()
    suspended: SuspensionReason | None = None
    revoked: RevocationReason | None = None
    retired: bool = False
    locked: bool = False
    requests: dict[str, Decided | None] = field(default_factory=dict)

    @property
    def opened(self) -> bool:
        return self.role is not None

    @property
    def closed(self) -> bool:
        """Whether no password opens it."""
        return self.suspended is not None or self.revoked is not None or self.retired

    def live(self, now: datetime) -> bool:
        """Whether its holder has access: who has it keeps it (P2). Of one who is suspended: would have it again."""
        if self.revoked is not None or self.retired:
            return False
        if self.role is AccountRole.staff:
            return True
        return self.credential is not None and self.credential.live(now)


def account_id(role: AccountRole, holder: str) -> str:
    """One account for a person in a role, however many children they have (M1)."""
    return derived_id("account", role.value, holder)


def role_of(account: str, holder: str) -> AccountRole:
    """Guardian or pupil: an account's id is derived from its role, the one that fits is it."""
    as_guardian = account == account_id(AccountRole.guardian, holder)
    return AccountRole.guardian if as_guardian else AccountRole.pupil
