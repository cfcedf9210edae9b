"""The policies of schools by date: each service keeps every adoption, and asks for the one in force.

In force on a local day is, of the adoptions whose day has come, the one adopted last: a policy adopted later for an
earlier day, or for the same, so takes the place of one that was only planned. No event says that a planned policy
comes into force: the day does, wherever it is asked.
"""

from collections.abc import Collection
from datetime import date, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from shared.contracts.event import Recorded
from shared.contracts.policy import CredentialPolicy
from shared.contracts.registry import CredentialPolicyAdopted
from shared.database import Pool
from shared.sql import Statements

SQL = Statements(__file__)
ROME: Final = ZoneInfo("Europe/Rome")
VERSIONS: Final = "policy_versions_v1"
"""The projection table, alike in every service: school, position, in_force_from (local), policy."""


def local_day(moment: datetime) -> date:
    """The day in Italy."""
    return moment.astimezone(ROME).date()


def version_row(event: CredentialPolicyAdopted, recorded: Recorded[Any]) -> dict[str, Any]:
    """The row that every service keeps of an adoption."""
    return {
        "school": event.school,
        "position": recorded.position,
        "in_force_from": event.in_force_from or local_day(recorded.time),
        "policy": event.policy.model_dump_json(),
    }


async def policies_in_force(
    pool: Pool, schools: Collection[str], now: datetime
) -> dict[str, CredentialPolicy]:
    """By school, what holds today; a school whose first policy is still to come is left out."""
    rows = await pool.fetch(SQL("policies_in_force"), list(schools), local_day(now))
    return {row["school"]: CredentialPolicy.model_validate_json(row["policy"]) for row in rows}


async def policy_in_force(pool: Pool, school: str, now: datetime) -> CredentialPolicy | None:
    return (await policies_in_force(pool, [school], now)).get(school)
