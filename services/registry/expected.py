"""What an import would mean for credentials: how many would be mailed, printed, or have to wait, as the policy says.

An estimate of the registry's own: whether somebody has a live account is identity's to know. Who is new here and
comes as a newcomer is issued some (P3), whom the registry knows keeps theirs (P2), and of those who are new here but
not to the school the desk decides.
"""

from collections.abc import Iterable
from datetime import date

from pydantic import BaseModel

from services.registry.steps import Planned
from shared.contracts.policy import Channel, CredentialPolicy
from shared.contracts.registry import EnrolmentKind, GuardianLinked, StudentEnrolled

_OF_AGE = 18


class Expected(BaseModel):
    """Holders by what becomes of them. `for_the_desk`: new here, but not new to the school: nothing goes out alone."""

    by_mail: int = 0
    on_slips: int = 0
    wait_for_policy: int = 0
    wait_for_campaign: int = 0
    wait_for_address: int = 0
    wait_for_mailbox: int = 0
    not_foreseen: int = 0
    for_the_desk: int = 0
    campaign_opens: date | None = None

    def add(self, other: "Expected") -> None:
        """Of another school of the same file."""
        for name in type(self).model_fields:
            if name != "campaign_opens":
                setattr(self, name, getattr(self, name) + getattr(other, name))
        self.campaign_opens = self.campaign_opens or other.campaign_opens


class Newcomers:
    """Who of one school's file is new, gathered plan by plan."""

    def __init__(self, today: date) -> None:
        self._today = today
        self._seen: set[str] = set()
        self._under_age = self._of_age = 0
        self._guardians: dict[str, bool] = {}
        self._for_the_desk: set[str] = set()

    def take(self, plans: Iterable[Planned]) -> None:
        for planned in plans:
            self._seen |= planned.newcomers
            enrolled = next((e for e in planned.events if type(e) is StudentEnrolled), None)
            comes = enrolled is not None and enrolled.kind is not EnrolmentKind.continuing
            if enrolled is not None and enrolled.student in planned.newcomers:
                self._pupil(enrolled, comes=comes)
            for event in planned.events:
                if type(event) is GuardianLinked and event.guardian in self._seen and event.data_access:
                    self._guardian(event, comes=comes)

    def _pupil(self, enrolled: StudentEnrolled, *, comes: bool) -> None:
        if not comes:
            self._for_the_desk.add(enrolled.student)
            return
        details = enrolled.details.value
        born = None if details is None else details.birth_date
        if born is not None and _age(born, self._today) >= _OF_AGE:
            self._of_age += 1
        else:
            self._under_age += 1

    def _guardian(self, link: GuardianLinked, *, comes: bool) -> None:
        if not comes:
            self._for_the_desk.add(link.guardian)
            return
        details = link.details.value
        self._guardians[link.guardian] = details is not None and bool(details.email)

    def under(self, policy: CredentialPolicy | None) -> Expected:
        """What the policy in force makes of them today."""
        found = Expected(for_the_desk=len(self._for_the_desk - self._guardians.keys()))
        everyone = len(self._guardians) + self._under_age + self._of_age
        if policy is None:
            found.wait_for_policy = everyone
            return found
        ends, opens = policy.local_credentials_until, policy.campaign_opens
        if ends is not None and ends <= self._today:
            found.not_foreseen = everyone
            return found
        later = opens is not None and self._today < opens
        found.campaign_opens = opens if later else None
        reachable = sum(self._guardians.values())
        _count(found, policy.guardian.channel, reachable, len(self._guardians) - reachable, later=later)
        _count(found, policy.pupil_under_age.channel, 0, self._under_age, later=later)
        _count(found, policy.pupil_of_age.channel, 0, self._of_age, later=later)
        return found


def _count(found: Expected, channel: Channel, reachable: int, other: int, *, later: bool) -> None:
    """`reachable`: those with an address of their own."""
    match channel:
        case Channel.none:
            found.not_foreseen += reachable + other
        case Channel.institutional_mailbox:
            found.wait_for_mailbox += reachable + other
        case Channel.email | Channel.activation_link:
            found.wait_for_address += other
            if later:
                found.wait_for_campaign += reachable
            else:
                found.by_mail += reachable
        case Channel.slip:
            if later:
                found.wait_for_campaign += reachable + other
            else:
                found.on_slips += reachable + other


def _age(born: date, today: date) -> int:
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))
