"""Another's event -> a command of ours (P2, P3, M1, M6, M12). Pure: what must be known is handed in.

Who has a live account keeps it; else first year and new arrivals are issued one; else issuance is refused.
A guardian's kind is the kind of that child's enrolment.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from services.identity.domain.account import Account, account_id
from services.identity.domain.commands import Issue, Keep, Refuse
from shared.contracts.event import Event, Recorded
from shared.contracts.identity import AccountRole, RefusalReason
from shared.contracts.policy import Channel, CredentialPolicy, FirstChange, HolderRole, PinRule
from shared.contracts.registry import (
    CredentialPolicyAdopted,
    EnrolmentKind,
    GuardianLinked,
    GuardianshipCorrected,
    GuardianshipEnded,
    GuardianshipRestricted,
    GuardianshipRestrictionLifted,
    InstitutionalMailboxActivated,
    StudentEnrolled,
    StudentWithdrawn,
)
from shared.policies import local_day

_OF_AGE = 18


def today_in_rome(now: datetime) -> date:
    return local_day(now)


@dataclass(frozen=True, slots=True)
class SealingKey:
    id: str
    public_key: str
    retires: datetime


@dataclass(frozen=True, slots=True)
class Case:
    """One holder whose access an event brings into question. `year` is None where no school year concerns them.
    `data_access`: a pupil, or guardian of one whose data they may see. `corrected`: their rights were other before.
    `mailbox`: a pupil whose institutional mailbox receives. `owed`: what they had was regenerated, so that no campaign
    holds back what takes its place.
    """

    holder: str
    role: AccountRole
    school: str
    year: str | None
    policy: CredentialPolicy | None
    birth_date: date | None = None
    kind: EnrolmentKind | None = None
    data_access: bool = True
    corrected: bool = False
    mailbox: bool = False
    owed: bool = False

    @property
    def account(self) -> str:
        return account_id(self.role, self.holder)


@dataclass
class Knowledge:
    """What was known before a batch of events, and learns from each in turn. `policies`: those in force `today`.

    `kinds`: of the enrolments that stand, by (pupil, year). `guardians`: by pupil, who of them may see their data, unless
    that guardianship is among the `restricted` or the `ended` of today: the one is lifted, or linked again, without the
    other. `mailboxes`: pupils whose own receives.
    """

    today: date
    policies: dict[str, CredentialPolicy] = field(default_factory=dict)
    kinds: dict[tuple[str, str], EnrolmentKind] = field(default_factory=dict)
    guardians: dict[str, dict[str, bool]] = field(default_factory=dict)
    restricted: set[tuple[str, str]] = field(default_factory=set)
    ended: set[tuple[str, str]] = field(default_factory=set)
    mailboxes: set[str] = field(default_factory=set)

    def cases(self, recorded: Recorded[Event]) -> list[Case]:
        """Learn from the event, and say whose access it brings into question."""
        school = recorded.school
        cases: list[Case] = []
        match recorded.event:
            case CredentialPolicyAdopted() as e:
                if e.in_force_from is None or e.in_force_from <= self.today:
                    self.policies[e.school] = e.policy
            case StudentEnrolled() as e:
                self.kinds[e.student, e.year] = e.kind
                cases = self._enrolled(e, school)
            case StudentWithdrawn() as e:
                self.kinds.pop((e.student, e.year), None)
            case InstitutionalMailboxActivated() as e:
                self.mailboxes.add(e.student)
            case GuardianLinked() as e:
                self.guardians.setdefault(e.student, {})[e.guardian] = e.data_access
                self.ended.discard((e.guardian, e.student))
                if e.details.value is not None:
                    cases = list(self._guardian(e.guardian, e.student, school, e.year))
            case GuardianshipCorrected() as e:
                before = self._sees(e.guardian, e.student)
                self.guardians.setdefault(e.student, {})[e.guardian] = e.data_access
                cases = self._if_changed(before, e.guardian, e.student, school)
            case GuardianshipRestricted() | GuardianshipEnded() as e if e.on <= self.today:
                before = self._sees(e.guardian, e.student)
                limits = self.ended if isinstance(e, GuardianshipEnded) else self.restricted
                limits.add((e.guardian, e.student))
                cases = self._if_changed(before, e.guardian, e.student, school)
            case GuardianshipRestrictionLifted() as e:
                before = self._sees(e.guardian, e.student)
                self.restricted.discard((e.guardian, e.student))
                cases = self._if_changed(before, e.guardian, e.student, school)
        return cases

    def _enrolled(self, e: StudentEnrolled, school: str) -> list[Case]:
        if e.details.value is None:
            return []
        pupil = Case(
            e.student,
            AccountRole.pupil,
            school,
            e.year,
            self.policies.get(school),
            e.details.value.birth_date,
            e.kind,
            mailbox=e.student in self.mailboxes,
        )
        guardians = self.guardians.get(e.student, {})
        return [pupil, *(case for g in guardians for case in self._guardian(g, e.student, school, e.year))]

    def _sees(self, guardian: str, student: str) -> bool | None:
        """None: there is no such guardianship."""
        sees = self.guardians.get(student, {}).get(guardian)
        return sees and (guardian, student) not in self.restricted | self.ended

    def _if_changed(self, before: bool | None, guardian: str, student: str, school: str) -> list[Case]:
        years = [year for whose, year in self.kinds if whose == student]
        if before is self._sees(guardian, student) or not years:
            return []
        return list(self._guardian(guardian, student, school, max(years), corrected=True))

    def _guardian(
        self, guardian: str, student: str, school: str, year: str, *, corrected: bool = False
    ) -> Iterable[Case]:
        """Nothing to settle where this child is barred from them and another's data is open: that one decides."""
        kind, sees = self.kinds.get((student, year)), self._sees(guardian, student) or False
        if kind is None or (not sees and self._sees_any(guardian, year)):
            return
        policy = self.policies.get(school)
        yield Case(
            guardian,
            AccountRole.guardian,
            school,
            year,
            policy,
            None,
            kind,
            data_access=sees,
            corrected=corrected,
        )

    def _sees_any(self, guardian: str, year: str) -> bool:
        return any(self._sees(guardian, student) for student, of in self.kinds if of == year)


@dataclass(frozen=True, slots=True)
class Admit:
    """Open an account where there is none, and issue credentials as soon as their channel is open."""


def access(account: Account, case: Case, now: datetime) -> Keep | Refuse | Admit:
    """What an enrolment, or a guardian's rights, mean for a holder's access. What was begun goes on."""
    assert case.year is not None
    if account.live(now):
        return Keep(case.year, now)
    reason = forbidden(case, now)
    if reason is None:
        begun = account.opened and account.credential is None
        if begun or case.kind is not EnrolmentKind.continuing:
            return Admit()
        reason = RefusalReason.no_account
    return Refuse(case.account, case.holder, case.year, reason, anew=case.corrected)


def forbidden(case: Case, now: datetime) -> RefusalReason | None:
    """Why this holder is given no credentials at all, if so: they may see no child's data, or the school's policy
    has none for them (M12)."""
    if not case.data_access:
        return RefusalReason.no_data_access
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


def waits_for_mailboxes(role: AccountRole, policy: CredentialPolicy) -> bool:
    """Whether of this role only those whose institutional mailbox receives could be issued credentials, or be refused
    them, as things stand: then the others need not be looked at one by one (E8)."""
    pupils = (policy.pupil_under_age, policy.pupil_of_age)
    terms = pupils if role is AccountRole.pupil else (policy.guardian,)
    only = all(each.channel is Channel.institutional_mailbox for each in terms)
    return only and policy.local_credentials_until is None


def issue(case: Case, credential: str, key: SealingKey | None, now: datetime) -> Issue | None:
    """The terms of new credentials, or None while their channel is not open (E1, E8).

    An institutional mailbox opens with its activation: the address planned at enrolment is not enough.
    """
    policy = case.policy
    if policy is None or key is None or key.retires <= now:
        return None
    if not (case.owed or campaign_open(policy, now)):
        return None
    role = policy_role(case, now)
    terms = policy.of(role)
    if terms.channel is Channel.none:
        return None
    if terms.channel is Channel.institutional_mailbox and not case.mailbox:
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
