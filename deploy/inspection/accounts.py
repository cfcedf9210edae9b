"""An account as its history tells it, independently of the domain that wrote it (DESIGN 5, 7)."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from deploy.inspection.aggregates import UNREADABLE, Aggregate, Fact
from services.identity.domain.account import account_id
from shared.contracts.identity import AccountRole


@dataclass(slots=True)
class Issued:
    """A credential, and what became of it. `slip`: its sealed copy should be there. `returned`: its hand-over was undone,
    so that it may be handed over once more."""

    credential: str
    generation: int
    channel: str
    pin: bool
    must_change: bool
    expires: datetime
    position: int
    school: str
    slip: bool = True
    claims: int = 0
    accessed: bool = False
    changed: bool = False
    returned: bool = False

    def in_use(self, at: datetime) -> bool:
        """Whether only a regeneration might replace it."""
        return self.changed or (self.accessed and (at < self.expires or not self.must_change))

    def opens(self, at: datetime) -> bool:
        """Whether a password for it must be there."""
        return self.changed or at < self.expires or (self.accessed and not self.must_change)


@dataclass(slots=True)
class Account:
    """`reset`: until when a staff member's temporary password lives; None once they chose one. `pin`: there should be one.
    `closed`: no password opens it, for a time or for good; `revoked`: for good, unless issued anew."""

    id: str
    school: str = ""
    holder: str = ""
    role: str = ""
    opened: datetime | None = None
    credential: Issued | None = None
    issued: list[Issued] = field(default_factory=list)
    reset: datetime | None = None
    chosen: bool = False
    pin: bool = False
    closed: bool = False
    revoked: bool = False
    wrong: list[str] = field(default_factory=list)

    @property
    def staff(self) -> bool:
        return self.role == AccountRole.staff

    def says(self, what: str) -> None:
        self.wrong.append(f"account {self.id}: {what}")


def told(aggregate: Aggregate) -> Account:
    """The account after all its facts; what should never have been written is in `wrong`."""
    account = Account(aggregate.id)
    for fact in aggregate.facts:
        account.school = account.school or fact.school
        if fact.school != account.school:
            account.says("is of two schools")
        try:
            if (heed := _HEED.get(fact.name)) is not None:
                heed(account, fact)
        except UNREADABLE:
            account.says(f"{fact.name} at position {fact.position} cannot be read")
    return account


def _opened(account: Account, fact: Fact) -> None:
    again = fact.name == "StaffAccountOpened" and account.staff and account.revoked
    if account.opened is not None and not again:
        account.says("was opened twice")
    if again:
        account.revoked = account.closed = account.chosen = account.pin = False
        account.reset = None
    account.opened, account.holder = fact.time, fact.data["holder"]
    account.role = fact.data.get("role", AccountRole.staff.value)
    if fact.data["account"] != account.id or account.id != account_id(
        AccountRole(account.role), account.holder
    ):
        account.says("is not the one account of its holder in that role")


def _issued(account: Account, fact: Fact) -> None:
    data, before = fact.data, account.credential
    expires = datetime.fromisoformat(data["expires"])
    new = Issued(
        data["credential"],
        data["generation"],
        data["channel"],
        data["pin_issued"],
        data["must_change"],
        expires,
        fact.position,
        fact.school,
    )
    if account.opened is None or data["account"] != account.id or data["holder"] != account.holder:
        account.says(f"credential {new.credential} was issued to another, or before the account was opened")
    if new.generation != len(account.issued) + 1:
        account.says(f"generation {new.generation} was issued after {len(account.issued)}")
    if before is not None and before.slip:
        account.says(f"credential {before.credential} was replaced with its sealed slip left")
    if before is not None and before.in_use(fact.time):
        account.says(f"credential {before.credential} was replaced while in use")
    account.issued.append(new)
    account.credential, account.pin = new, new.pin
    account.revoked = account.closed = False


def _of_credential(work: Callable[[Account, Issued, Fact], None]) -> Callable[[Account, Fact], None]:
    def heed(account: Account, fact: Fact) -> None:
        current = account.credential
        if current is None or fact.data["credential"] != current.credential:
            account.says(f"{fact.name} of a credential that is not its newest")
            return
        work(account, current, fact)

    return heed


def _claimed(account: Account, credential: Issued, fact: Fact) -> None:
    if not credential.slip or fact.data["claims"] != credential.claims + 1:
        account.says(f"claim {fact.data['claims']} of {credential.credential} came after {credential.claims}")
    credential.claims += 1


def _shredded(account: Account, credential: Issued, fact: Fact) -> None:
    again = credential.returned and fact.data["because"] == "handed_over"
    if not (credential.slip or again):
        account.says(f"the slip of {credential.credential} was shredded twice")
    credential.slip = False
    credential.returned = credential.returned and not again


def _returned(account: Account, credential: Issued, _: Fact) -> None:
    if credential.accessed or credential.changed:
        account.says(f"the slip of {credential.credential} came back though it was used")
    credential.returned = True


def _accessed(account: Account, credential: Issued, _: Fact) -> None:
    if credential.accessed:
        account.says(f"{credential.credential} had two first accesses")
    credential.accessed = True


def _changed(account: Account, _: Fact) -> None:
    if account.credential is not None:
        account.credential.changed = True
    account.reset, account.chosen = None, True


def _ended(account: Account, fact: Fact) -> None:
    """Regenerated, revoked or retired: nothing of the old credential is left."""
    if account.credential is not None and account.credential.slip:
        account.says(f"{fact.name} left the sealed slip of {account.credential.credential}")
    account.credential, account.pin = None, False
    if fact.name != "CredentialsRegenerated":
        account.revoked = account.closed = True


def _suspended(account: Account, _: Fact) -> None:
    account.closed = True


def _reinstated(account: Account, _: Fact) -> None:
    account.closed = account.revoked


def _pin(account: Account, fact: Fact) -> None:
    account.pin = fact.name == "PinChanged"


def _used(account: Account, fact: Fact) -> None:
    if account.closed:
        account.says(f"{fact.name} at position {fact.position} though nobody gets in")


def _reset(account: Account, fact: Fact) -> None:
    if not account.staff:
        account.says("is no staff account, but its password was reset")
    account.reset, account.chosen = datetime.fromisoformat(fact.data["expires"]), False


_HEED: dict[str, Callable[[Account, Fact], Any]] = {
    "AccountOpened": _opened,
    "StaffAccountOpened": _opened,
    "CredentialsIssued": _issued,
    "SlipClaimed": _of_credential(_claimed),
    "SlipShredded": _of_credential(_shredded),
    "SlipReturned": _of_credential(_returned),
    "FirstAccessCompleted": _of_credential(_accessed),
    "PasswordChanged": _changed,
    "SignInSucceeded": _used,
    "PinChanged": _pin,
    "PinDisabled": _pin,
    "CredentialsRegenerated": _ended,
    "AccountRevoked": _ended,
    "LocalCredentialsRetired": _ended,
    "AccountSuspended": _suspended,
    "AccountReinstated": _reinstated,
    "StaffPasswordReset": _reset,
}
