"""What is written to a holder, from our projections: everything on a mail or a slip but the secret."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

from services.notifications.channels.languages import known_language
from services.notifications.domain.school_texts import Words
from services.notifications.names import collation_key, full_name, spoken_name
from shared.contracts.event import Context
from shared.contracts.policy import Channel
from shared.database import Pool
from shared.policies import ROME
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class ChildOf:
    name: str
    spoken_name: str
    class_id: str
    class_title: str


@dataclass(frozen=True, slots=True)
class Letter:
    """One holder's delivery. Names and addresses never show in a repr, and so in no log.

    `children` are those whose data the holder may see, no other is named; a pupil's only one is the pupil.

    `resends`: how often it was sent anew, and `resent_after` how many attempts. `pace`: messages a minute to one mail
    domain at most, where a campaign says so.

    `complete` is false when the person was erased, or when facts are missing that the letter needs.
    """

    delivery: str
    school: str
    school_name: str
    customer_id: str
    account: str
    credential: str
    generation: int
    channel: Channel
    exclusive: bool
    expires: datetime
    attempts: int
    printings: int
    resends: int
    resent_after: int
    pace: int | None
    role: str
    must_change: bool
    secret: str
    correlation: str
    cause: str
    language: str | None
    words: Words
    user_code: str = field(repr=False)
    name: str = field(repr=False)
    spoken_name: str = field(repr=False)
    address: str = field(repr=False)
    children: tuple[ChildOf, ...] = field(repr=False)

    @property
    def complete(self) -> bool:
        return bool(self.school_name and self.user_code and self.name)

    @property
    def no_data_access(self) -> bool:
        """A guardian who may see no child's data: nothing is to be sent to them, or printed for them."""
        return self.role == "guardian" and not self.children

    @property
    def message_name(self) -> str:
        """What makes the Message-ID: that of a repeat is the same, that of a resend another (M8)."""
        return f"{self.delivery}.{self.resends}" if self.resends else self.delivery

    @property
    def domain(self) -> str:
        """The mail domain that it goes to, for its pace."""
        return self.address.rpartition("@")[2].strip().lower()

    def context(self, actor: str, traceparent: str | None = None) -> Context:
        """What is done for this delivery belongs to the correlation of the enrolment that began it."""
        return Context(
            actor=actor, correlation=self.correlation, causation=self.cause, traceparent=traceparent
        )

    def site_address(self, site_url: str) -> str:
        """The school's own address, which stays for ever (E4, P6)."""
        return f"{site_url.rstrip('/')}/s/{self.customer_id}"


async def letters(pool: Pool, deliveries: Collection[str]) -> dict[str, Letter]:
    """The letters of these deliveries, by delivery."""
    rows = await pool.fetch(SQL("letters"), list(deliveries))
    return {row["delivery"]: _letter(dict(row)) for row in rows}


def _letter(row: Mapping[str, Any]) -> Letter:
    children = sorted(
        json.loads(row["children"]), key=lambda c: collation_key(c["family_name"], c["given_name"])
    )
    return Letter(
        delivery=row["delivery"],
        school=row["school"],
        school_name=row["school_name"] or "",
        customer_id=row["customer_id"] or "",
        account=row["account"],
        credential=row["credential"],
        generation=row["generation"],
        channel=Channel(row["channel"]),
        exclusive=row["exclusive"],
        expires=row["expires"],
        attempts=row["attempts"],
        printings=row["printings"],
        resends=row["resends"],
        resent_after=row["resent_after"],
        pace=row["pace"],
        role=row["role"],
        must_change=bool(row["must_change"]),
        secret=row["secret"] or "",
        correlation=row["correlation"],
        cause=row["cause"],
        language=row["language"],
        words=words_in(row["words"], known_language(row["language"])),
        user_code=row["user_code"] or "",
        name=full_name(row["family_name"], row["given_name"]),
        spoken_name=spoken_name(row["family_name"], row["given_name"]),
        address=row["address"] or "",
        children=tuple(
            ChildOf(
                name=full_name(c["family_name"], c["given_name"]),
                spoken_name=spoken_name(c["family_name"], c["given_name"]),
                class_id=c["class_id"] or "",
                class_title=c["class"] or "",
            )
            for c in children
        ),
    )


def words_in(found: str | None, language: str) -> Words:
    """A school's own words of one message in this language, of all that it has for it (JSON, by language)."""
    own = json.loads(found).get(language) if found else None
    return Words(*own) if own else Words()


def last_day(expires: datetime) -> date:
    """The last whole day on which the secret serves, as people in Italy count: never a day too many."""
    return (expires.astimezone(ROME) - timedelta(seconds=1)).date()
