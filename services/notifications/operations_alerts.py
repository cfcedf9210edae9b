"""Alerts at the desk: what is to be looked at, and what was done about it (P11)."""

from dataclasses import dataclass, field
from datetime import datetime

from services.notifications.domain.alert import ALERT, Settle
from services.notifications.names import full_name
from services.notifications.operations import Desk
from shared.contracts.event import Context
from shared.contracts.notifications import AlertKind
from shared.database import Pool
from shared.ids import new_id
from shared.sql import Statements

SQL = Statements(__file__)


class NoSuchAlert(Exception):
    """It does not exist, or is another school's."""


@dataclass(frozen=True, slots=True)
class AlertRow:
    """`name`: of the holder; `account`: of the holder's credential; `class_id`: where to find them."""

    alert: str
    kind: AlertKind
    about: str
    holder: str | None
    account: str | None
    name: str = field(repr=False)
    raised_at: datetime
    settled_at: datetime | None
    settled_by: str = field(repr=False)
    note: str = field(repr=False)


async def alerts(pool: Pool, school: str, *, most_settled: int = 50) -> list[AlertRow]:
    """All that are open, the oldest first, then those settled last."""
    rows = [dict(row) for row in await pool.fetch(SQL("alerts"), school, most_settled)]
    return [
        AlertRow(
            alert=row["alert"],
            kind=AlertKind(row["kind"]),
            about=row["about"],
            holder=row["holder"],
            account=row["account"],
            name=full_name(row["family_name"], row["given_name"]),
            raised_at=row["raised_at"],
            settled_at=row["settled_at"],
            settled_by=full_name(row["by_family_name"], row["by_given_name"]),
            note=row["note"] or "",
        )
        for row in rows
    ]


async def open_alerts(pool: Pool, school: str) -> int:
    return int(await pool.fetchval(SQL("open_alerts"), school))


async def settle(
    desk: Desk, alert: str, note: str, *, school: str, actor: str, person: str, traceparent: str | None
) -> None:
    """`person`: who writes; the note is part of what is known about the holder, if the alert is about one. Settled
    again, nothing happens. Errors: NoSuchAlert, Refused (note_needed), ConcurrencyConflict."""
    row = await desk.commands.store.pool.fetchrow(SQL("alert"), alert, school)
    if row is None:
        raise NoSuchAlert
    context = Context(actor=actor, correlation=new_id(), traceparent=traceparent)
    command = Settle(note, row["holder"] or person)
    await desk.commands.execute(ALERT, alert, command, school=school, context=context)
