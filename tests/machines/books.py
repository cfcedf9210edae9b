"""What must be true of the three histories, kept as sets and dictionaries: written from DESIGN and the requirements,
not from the deciders."""

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from shared.contracts import identity as acc
from shared.contracts import notifications as mail
from shared.contracts import registry as reg
from shared.contracts.event import Event, Recorded
from shared.contracts.policy import Channel

SETTLED = (mail.EmailAccepted, mail.DeliveryFailed, mail.DeliveryRefused, mail.DeliverySuperseded)


@dataclass
class Register:
    """The registry's facts by their position, so that one can ask what was true when somebody had read so far."""

    links: dict[tuple[str, str], list[tuple[int, bool]]] = field(default_factory=lambda: defaultdict(list))
    enrolled: dict[tuple[str, str], str | None] = field(default_factory=dict)
    kinds: dict[tuple[str, str], reg.EnrolmentKind] = field(default_factory=dict)
    policy: reg.CredentialPolicyAdopted | None = None

    def enter(self, recorded: Recorded[Event]) -> None:
        match recorded.event:
            case reg.StudentEnrolled() as e:
                assert self.enrolled.get((e.student, e.year)) is None, "enrolled twice in a year"
                self.enrolled[e.student, e.year] = e.class_id
                self.kinds[e.student, e.year] = e.kind
            case reg.StudentMovedClass() as e:
                assert self.enrolled[e.student, e.year] == e.from_class != e.to_class
                self.enrolled[e.student, e.year] = e.to_class
            case reg.StudentWithdrawn() as e:
                assert self.enrolled[e.student, e.year] is not None, "left without being there"
                self.enrolled[e.student, e.year] = None
            case reg.GuardianLinked() as e:
                assert (e.guardian, e.student) not in self.links, "linked twice"
                self.links[e.guardian, e.student].append((recorded.position, e.data_access))
            case reg.GuardianshipCorrected() as e:
                assert (e.guardian, e.student) in self.links
                self.links[e.guardian, e.student].append((recorded.position, e.data_access))
            case reg.CredentialPolicyAdopted() as e:
                self.policy = e

    def may_see(self, guardian: str, upto: int) -> bool:
        """Whether some child's data was open to this guardian, as far as the first `upto` facts tell."""
        for (who, _), said in self.links.items():
            known = [access for position, access in said if position <= upto]
            if who == guardian and known and known[-1]:
                return True
        return False


@dataclass
class Slip:
    """A credential."""

    account: str
    generation: int
    issued: acc.CredentialsIssued
    sealed: bool = True
    claims: int = 0
    accessed: bool = False
    changed: bool = False
    ended: bool = False
    returned: bool = False

    def opens(self, now: datetime) -> bool:
        """DESIGN 5: one life; *recommended change* lets the initial password serve on until it is changed."""
        if self.ended:
            return False
        return self.changed or now < self.issued.expires or (self.accessed and not self.issued.must_change)


@dataclass
class Credentials:
    """Identity's history: one live credential a holder, generations one after the other."""

    accounts: dict[str, tuple[str, acc.AccountRole]] = field(default_factory=dict)
    newest: dict[str, Slip] = field(default_factory=dict)
    all: dict[str, Slip] = field(default_factory=dict)
    years: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    codes: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)

    def enter(self, recorded: Recorded[Event], now: datetime) -> None:
        match recorded.event:
            case acc.AccountOpened() as e:
                assert e.account not in self.accounts and (e.holder, e.role) not in self.accounts.values()
                assert e.code.value is not None and e.code.value.user_code not in self.codes
                self.accounts[e.account] = e.holder, e.role
                self.codes.add(e.code.value.user_code)
            case acc.CredentialsIssued() as e:
                self._issue(e, now)
            case acc.SlipShredded() as e:
                slip = self.newest[e.account]
                again = slip.returned and e.because is acc.ShredReason.handed_over
                assert slip is self.all[e.credential] and (slip.sealed or again), "shredded twice"
                slip.sealed = False
                slip.returned = slip.returned and not again
            case acc.SlipClaimed() as e:
                slip = self.newest[e.account]
                assert slip is self.all[e.credential] and slip.sealed and now < slip.issued.expires
                slip.claims += 1
                assert e.claims == slip.claims <= 20
            case acc.FirstAccessCompleted() as e:
                slip = self.newest[e.account]
                assert slip is self.all[e.credential] and not slip.accessed
                slip.accessed = True
            case acc.PasswordChanged() as e:
                assert e.first is not self.newest[e.account].changed
                self.newest[e.account].changed = True
            case acc.SlipReturned() as e:
                assert not self.all[e.credential].accessed
                self.all[e.credential].returned = True
            case acc.CredentialsRegenerated() | acc.AccountRevoked() | acc.LocalCredentialsRetired() as e:
                if e.account in self.newest:
                    assert not self.newest[e.account].sealed, "a sealed copy of what is dead"
                    self.newest[e.account].ended = True
            case acc.IssuanceRefused() as e:
                self.refused.add(e.account)
            case acc.CredentialsKept() as e:
                assert self.newest[e.account].opens(now)
                assert e.year not in self.years[e.account], "one year, one word"
                self.years[e.account].add(e.year)

    def _issue(self, e: acc.CredentialsIssued, now: datetime) -> None:
        assert self.accounts[e.account][0] == e.holder
        before = self.newest.get(e.account)
        assert e.credential not in self.all and e.expires > now
        assert e.generation == (before.generation if before else 0) + 1
        if before is not None:
            assert not before.sealed, "two sealed copies of one holder"
            held = before.claims > 0 and not before.returned
            used = before.accessed or before.changed or held
            assert not (used and before.opens(now)), "credentials that stand were replaced"
        self.newest[e.account] = self.all[e.credential] = Slip(e.account, e.generation, e)
        if e.year is not None:
            self.years[e.account].add(e.year)


@dataclass
class Delivered:
    requested: mail.DeliveryRequested
    attempts: int = 0
    printings: int = 0
    settled: Event | None = None


@dataclass
class Deliveries:
    """Notifications' history: each delivery ends at most once, and nothing is tried after its end."""

    all: dict[str, Delivered] = field(default_factory=dict)

    def enter(self, event: Event, now: datetime, credentials: Credentials) -> None:
        if isinstance(event, mail.SealingKeyPublished):
            return
        if isinstance(event, mail.DeliveryRequested):
            slip = credentials.all[event.credential].issued
            assert event.delivery not in self.all
            assert (event.account, event.holder, event.generation, event.expires) == (
                slip.account, slip.holder, slip.generation, slip.expires,
            )  # fmt: skip
            assert not (slip.exclusive and event.channel is not slip.channel), (
                "another channel than the only one"
            )
            self.all[event.delivery] = Delivered(event)
            return
        one = self.all[str(getattr(event, "delivery"))]  # noqa: B009
        match event:
            case mail.SlipPrinted(printing=printing):
                assert one.requested.channel is Channel.slip and one.requested.expires > now
                assert not isinstance(one.settled, mail.DeliverySuperseded)
                one.printings += 1
                assert printing == one.printings
                return
            case mail.DeliveryAttempted(attempt=attempt):
                one.attempts += 1
                assert attempt == one.attempts and one.requested.expires > now
            case mail.EmailAccepted(attempt=attempt) | mail.EmailDeferred(attempt=attempt):
                assert attempt == one.attempts > 0
        assert one.settled is None, f"{type(event).__name__} after {one.settled!r}"
        if isinstance(event, SETTLED):
            one.settled = event

    def of(self, credential: str) -> list[Delivered]:
        return [one for one in self.all.values() if one.requested.credential == credential]
