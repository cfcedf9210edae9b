"""Another's event -> a command of ours (P2, P3, M1, M6, M12). Pure: what must be known is handed in.

Who has a live account keeps it; else first year and new arrivals are issued one; else issuance is refused.
A guardian's kind is the kind of that child's enrolment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from services.identity.domain.account import Account, account_id
from services.identity.domain.commands import Issue, Keep, Refuse
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import AccountRole, RefusalReason
from shared.contracts.policy import Channel, CredentialPolicy, FirstChange, HolderRole, PinRule
from shared.contracts.registry import (
    CredentialPolicyAdopted,
    EnrolmentKind,
    GuardianLinked,
    StudentEnrolled,
)

ROME = ZoneInfo("Europe/Rome")
_OF_AGE = 18


def today_in_rome(now: datetime) -> date:
    return now.astimezone(ROME).date()


@dataclass(frozen=True, slots=True)
class SealingKey:
    id: str
    public_key: str
    retires: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One holder whose access an event brings into question. `year` is None where no school year concerns them."""

    holder: str
    role: AccountRole
    school: str
    year: str | None
    policy: CredentialPolicy | None
    birth_date: date | None = None
    kind: EnrolmentKind | None = None
    data_access: bool = True

    @property
    def account(self) -> str:
        return account_id(self.role, self.holder)


@dataclass
class Knowledge:
    """What was known before a batch of events, and learns from each in turn."""

    policies: dict[str, CredentialPolicy] = field(default_factory=dict)
    kinds: dict[tuple[str, str], EnrolmentKind] = field(default_factory=dict)
    guardians: dict[str, dict[str, bool]] = field(default_factory=dict)

    def cases(self, recorded: Recorded[Event]) -> list[Case]:
        """Learn from the event, and say whose access it brings into question."""
        school = recorded.school
        match recorded.event:
            case CredentialPolicyAdopted() as e:
                self.policies[e.school] = e.policy
            case StudentEnrolled() as e:
                self.kinds[e.student, e.year] = e.kind
                if e.details.value is None:
                    return []
                policy = self.policies.get(school)
                born = e.details.value.birth_date
                pupil = Case(e.student, AccountRole.pupil, school, e.year, policy, born, e.kind)
                return [pupil, *self._guardians_of(e.student, school, e.year, e.kind)]
            case GuardianLinked() as e:
                linked = self.guardians.setdefault(e.student, {})
                linked[e.guardian] = e.data_access
                kind = self.kinds.get((e.student, e.year))
                if kind is not None and e.details.value is not None:
                    return [self._guardian(e.guardian, e.data_access, school, e.year, kind)]
        return []

    def _guardians_of(self, student: str, school: str, year: str, kind: EnrolmentKind) -> Iterable[Case]:
        linked = self.guardians.get(student, {})
        return (self._guardian(guardian, sees, school, year, kind) for guardian, sees in linked.items())

    def _guardian(self, guardian: str, sees: bool, school: str, year: str, kind: EnrolmentKind) -> Case:
        policy = self.policies.get(school)
        return Case(guardian, AccountRole.guardian, school, year, policy, kind=kind, data_access=sees)


@dataclass(frozen=True, slots=True)
class Admit:
    """Open an account where there is none, and issue credentials as soon as their channel is open."""


def access(account: Account, case: Case, now: datetime) -> Keep | Refuse | Admit | None:
    """What an enrolment means for a holder's access; None: what was begun goes on waiting for its channel."""
    assert case.year is not None
    if account.live(now):
        return Keep(case.year, now)
    if not case.data_access:
        return Refuse(case.account, case.holder, case.year, RefusalReason.no_data_access)
    if (reason := forbidden(case, now)) is not None:
        return Refuse(case.account, case.holder, case.year, reason)
    if case.kind is not EnrolmentKind.continuing:
        return Admit()
    if account.opened and account.credential is None:
        return None
    return Refuse(case.account, case.holder, case.year, RefusalReason.no_account)


def forbidden(case: Case, now: datetime) -> RefusalReason | None:
    """Why the school's policy gives this holder no credentials at all (M12), if it does not."""
    policy = case.policy
    if policy is None:
        return None
    until = policy.local_credentials_until
    if until is not None and today_in_rome(now) >= until:
        return RefusalReason.local_credentials_ended
    if policy.of(policy_role(case, now)).channel is Channel.none:
        return RefusalReason.role_without_credentials
    return None


def policy_role(case: Case, now: datetime) -> HolderRole:
    """As the policy sees the holder on this day; an unknown birth date means under age (M4)."""
    if case.role is AccountRole.guardian:
        return HolderRole.guardian
    if case.role is AccountRole.staff:
        return HolderRole.staff
    if case.birth_date is not None and _age(case.birth_date, today_in_rome(now)) >= _OF_AGE:
        return HolderRole.pupil_of_age
    return HolderRole.pupil_under_age


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def campaign_open(policy: CredentialPolicy | None, now: datetime) -> bool:
    if policy is None:
        return False
    return policy.campaign_opens is None or policy.campaign_opens <= today_in_rome(now)


def can_be_settled(role: AccountRole, policy: CredentialPolicy) -> bool:
    """Whether anybody of this role could be issued credentials, or be refused them, as things stand; if not, those
    who wait need not be looked at one by one."""
    pupils = (policy.pupil_under_age, policy.pupil_of_age)
    terms = pupils if role is AccountRole.pupil else (policy.guardian,)
    opens = any(each.channel is not Channel.institutional_mailbox for each in terms)
    return opens or policy.local_credentials_until is not None


def issue(case: Case, credential: str, key: SealingKey | None, now: datetime) -> Issue | None:
    """The terms of new credentials, or None while their channel is not open (E1, E8).

    An institutional mailbox opens with its activation, which no event tells of yet: its pupils wait. The address
    planned at enrolment is not enough.
    """
    policy = case.policy
    if policy is None or key is None or key.retires <= now or not campaign_open(policy, now):
        return None
    role = policy_role(case, now)
    terms = policy.of(role)
    if terms.channel in (Channel.none, Channel.institutional_mailbox):
        return None
    return Issue(
        credential=credential,
        policy_role=role,
        channel=terms.channel,
        exclusive=terms.exclusive,
        # Slips are handed over in class: a pupil carries them, and no pupil carries a PIN (DESIGN 5).
        pin_issued=terms.pin is PinRule.issued and terms.channel is not Channel.slip,
        must_change=terms.first_change is FirstChange.forced,
        expires=now + timedelta(days=terms.initial_secret_days),
        year=case.year,
        now=now,
    )
