"""A school's policies: the one in force, those planned, every one that ever was; and what another would change."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum

from services.registry.domain.credential_rules import contradictions, wrong_day
from services.registry.domain.school import SCHOOL, School
from services.registry.policy_terms import Numbers, Preview, differences
from shared.contracts.policy import CredentialPolicy
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.policies import local_day
from shared.sql import Statements

SQL = Statements(__file__)


class Standing(StrEnum):
    """Replaced: another was adopted before its day came."""

    in_force = "in_force"
    planned = "planned"
    past = "past"
    replaced = "replaced"


@dataclass(frozen=True, slots=True)
class Version:
    """An adoption. `by` is an opaque id, `author` the name where it is a member of staff's."""

    number: int
    in_force_from: date
    policy: CredentialPolicy
    reason: str
    by: str
    author: str | None
    adopted_at: datetime
    standing: Standing


@dataclass(frozen=True, slots=True)
class Book:
    """A school's adoptions in the order in which they were made, as they stand today."""

    today: date
    versions: Sequence[Version]

    @property
    def in_force(self) -> Version | None:
        return next((v for v in self.versions if v.standing is Standing.in_force), None)

    @property
    def planned(self) -> Sequence[Version]:
        """In the order of their days."""
        found = [v for v in self.versions if v.standing is Standing.planned]
        return sorted(found, key=lambda version: version.in_force_from)


class Policies:
    """What pages, the API and the command line ask."""

    def __init__(self, store: EventStore) -> None:
        self._store = store

    async def book(self, school: str) -> Book:
        rows = await self._store.pool.fetch(SQL("policy_history"), school)
        today = local_day(self._store.clock())
        days = [row["in_force_from"] for row in rows]
        adopted = [local_day(row["adopted_at"]) for row in rows]
        versions = [
            Version(
                number=number,
                in_force_from=row["in_force_from"],
                policy=CredentialPolicy.model_validate_json(row["policy"]),
                reason=row["reason"],
                by=row["adopted_by"],
                author=None if row["family_name"] is None else f"{row['given_name']} {row['family_name']}",
                adopted_at=row["adopted_at"],
                standing=standing(number - 1, days, adopted, today),
            )
            for number, row in enumerate(rows, 1)
        ]
        return Book(today, versions)

    async def on(self, school: str, day: date | None = None) -> CredentialPolicy | None:
        """What holds, or is to hold, on that local day (None: today)."""
        state = await self._school(school)
        return state.policy_on(day or local_day(self._store.clock()))

    async def starting_from(
        self, school: str, preset: CredentialPolicy, day: date | None = None
    ) -> CredentialPolicy:
        """A circular's rules, as this school would adopt them: until when staff need no passkey is in no circular, and
        stays as it is on that day; else the whole desk would be locked out."""
        stands = await self.on(school, day)
        kept = None if stands is None else stands.staff_password_only_until
        return preset.model_copy(update={"staff_password_only_until": kept})

    async def preview(self, school: str, new: CredentialPolicy, day: date | None = None) -> Preview:
        """What adopting it from that local day (None: from now) would change, for whom."""
        today = local_day(self._store.clock())
        state = await self._school(school)
        begins = day or today
        old = state.policy_on(today if begins <= today else begins - timedelta(days=1))
        stands = state.policy_on(begins), *(planned.policy for planned in state.planned(begins))
        row = await self._store.pool.fetchrow(SQL("policy_numbers"), school, today, begins)
        return Preview(
            day=begins,
            today=begins == today,
            old=old,
            new=new,
            differences=differences(old, new),
            numbers=Numbers(**dict(row or {})),
            replaces=[a for a in state.planned(today) if a.in_force_from >= begins],
            changes_nothing=all(policy == new for policy in stands),
            contradictions=contradictions(new),
            wrong_day=wrong_day(begins, today),
            seen=state.adopted,
        )

    async def _school(self, school: str) -> School:
        workspace = Workspace(self._store)
        await workspace.load(SCHOOL, [school])
        return workspace.state(SCHOOL, school)


def standing(index: int, days: Sequence[date], adopted: Sequence[date], today: date) -> Standing:
    """Of the adoption at `index`, by the days they come into force and the days they were adopted on."""
    day, later = days[index], range(index + 1, len(days))
    if any(days[other] <= day and adopted[other] < day for other in later):
        return Standing.replaced
    if any(days[other] <= today for other in later):
        return Standing.past
    return Standing.planned if day > today else Standing.in_force
