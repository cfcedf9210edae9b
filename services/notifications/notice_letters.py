"""What is written in a notice, from our projections: a circular or a reminder, and its one recipient."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from services.notifications.channels.email.message import Envelope
from services.notifications.channels.email.notices import CircularMail, Mail, ReminderMail
from services.notifications.channels.languages import Role, known_language
from services.notifications.channels.people import SchoolHead
from services.notifications.letters import last_day, words_in
from services.notifications.names import spoken_name
from services.notifications.post_office import PostOffice
from shared.contracts.event import Context
from shared.contracts.notifications import DeliveryProblem, NoticeKind
from shared.contracts.policy import CredentialPolicy, HolderRole, Regeneration
from shared.database import Pool
from shared.policies import ROME, local_day, policies_in_force
from shared.sql import Statements

SQL = Statements(__file__)
_ROLES: Final[Mapping[str, Role]] = {"guardian": "guardian", "pupil": "pupil", "staff": "staff"}
_LIVE: Final = ("sealed", "handed_over")


@dataclass(frozen=True, slots=True)
class NoticeLetter:
    """One notice. Names and addresses never show in a repr, and so in no log."""

    notice: str
    school: str
    kind: NoticeKind
    attempts: int
    correlation: str
    cause: str
    row: Mapping[str, Any] = field(repr=False)
    policy: CredentialPolicy | None = field(repr=False)

    @property
    def address(self) -> str:
        return self.row["address"] or ""

    def context(self, actor: str) -> Context:
        """A notice belongs to what it was asked for with: the circular's publication, or the day's reminders."""
        return Context(actor=actor, correlation=self.correlation, causation=self.cause)

    def hindrance(self, now: datetime) -> DeliveryProblem | None:
        """Why nothing is to be sent any more, or cannot be; None when all is well."""
        row = self.row
        gone = DeliveryProblem.no_longer_available
        if not row["here"] or not row["school_name"]:
            return gone
        if self.kind is NoticeKind.circular and (row["number"] is None or row["withdrawn_at"] is not None):
            return gone
        if self.kind is NoticeKind.reminder and not self._still_needed(now):
            return gone
        return None if self.address else DeliveryProblem.no_address

    def _still_needed(self, now: datetime) -> bool:
        row = self.row
        signed_in = row["activated_at"] is not None or (
            row["signed_in_at"] is not None and row["signed_in_at"] >= row["issued_at"]
        )
        live = row["credential"] == row["about"] and row["secret"] in _LIVE and row["expires"] > now
        return live and not signed_in and not row["barred"] and row["delivered_at"] is not None

    def mail(self, office: PostOffice, now: datetime) -> Mail:
        """The message. Its id makes the Message-ID, so that a repeat is known as one."""
        row = self.row
        language = known_language(row["language"])
        envelope = Envelope(
            id=self.notice,
            domain=office.message_id_domain,
            sender=office.sender,
            recipient=self.address,
            recipient_name=spoken_name(row["family_name"], row["given_name"]),
            school=SchoolHead(name=row["school_name"], code=self.school),
            language=language,
            sent_at=now.astimezone(ROME),
        )
        words = words_in(row["words"], language)
        if self.kind is NoticeKind.circular:
            return CircularMail(
                envelope=envelope,
                role=_ROLES[row["role"]],
                number=row["number"],
                day=row["day"],
                subject=row["subject"],
                signed_by=row["signed_by"],
                page_address=circular_address(office.site_url, row["customer_id"], row["about"]),
                words=words,
            )
        exceptional = (
            self.policy is not None
            and self.policy.of(HolderRole(row["policy_role"])).regeneration is Regeneration.exceptional
        )
        return ReminderMail(
            envelope=envelope,
            role=_ROLES[row["role"]],
            came_by="slip" if row["channel"] == "slip" else "mail",
            delivered_on=local_day(row["delivered_at"]),
            expires_on=last_day(row["expires"]),
            lost="exceptional" if exceptional else "desk",
            site_address=f"{office.site_url.rstrip('/')}/s/{row['customer_id']}",
            words=words,
        )


def circular_address(site_url: str, customer_id: str, circular: str) -> str:
    """Where a circular is read, by everybody whom it concerns."""
    return f"{site_url.rstrip('/')}/circolari/{customer_id}/{circular}"


async def notice_letters(pool: Pool, notices: Collection[str], now: datetime) -> list[NoticeLetter]:
    """The letters of these notices."""
    rows = [dict(row) for row in await pool.fetch(SQL("notice_letters"), list(notices))]
    policies = await policies_in_force(pool, {row["school"] for row in rows}, now)
    return [
        NoticeLetter(
            notice=row["notice"],
            school=row["school"],
            kind=NoticeKind(row["kind"]),
            attempts=row["attempts"],
            correlation=row["correlation"],
            cause=row["cause"],
            row=row,
            policy=policies.get(row["school"]),
        )
        for row in rows
    ]
