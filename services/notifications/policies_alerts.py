"""What identity's facts give cause to look at (P11)."""

from collections.abc import Sequence

from services.notifications.domain.alert import ALERT, Raise, alert_id
from shared.contracts.event import Event, Recorded, because_of
from shared.contracts.identity import FirstAccessCompleted, SlipClaimed
from shared.contracts.notifications import AlertKind
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit
from shared.sealing import ALERT_ABOVE_CLAIMS
from shared.sql import Statements

SQL = Statements(__file__)
ACTOR = "service:notifications"


async def watch(store: EventStore, events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
    """A parent's slip that was used before anybody handed it over; a sealed slip that is asked for too often."""
    causes = [r for r in events if isinstance(r.event, FirstAccessCompleted) or _too_often(r.event)]
    if not causes:
        return ()
    about = {r.event.credential: r for r in causes if isinstance(r.event, FirstAccessCompleted | SlipClaimed)}
    rows = await store.pool.fetch(SQL("slips_of_credentials"), list(about))
    holders = {row["credential"]: row["holder"] for row in rows}
    never_given = {row["credential"] for row in rows if row["never_given"]}
    workspace = Workspace(store)
    wanted: list[tuple[Recorded[Event], Raise]] = []
    for recorded in causes:
        match recorded.event:
            case FirstAccessCompleted(credential=credential) if credential in never_given:
                kind = AlertKind.access_before_hand_over
                wanted.append((recorded, Raise(kind, credential, holders[credential])))
            case SlipClaimed(credential=credential):
                kind = AlertKind.claims_over_limit
                wanted.append((recorded, Raise(kind, credential, holders.get(credential))))
    await workspace.load(ALERT, {alert_id(raise_.kind, raise_.about) for _, raise_ in wanted})
    units = []
    for recorded, raise_ in wanted:
        workspace.decide(ALERT, alert_id(raise_.kind, raise_.about), raise_)
        if appends := workspace.appends():
            units.append(Unit(recorded.school, because_of(recorded, actor=ACTOR), appends))
    return units


def _too_often(event: Event) -> bool:
    return isinstance(event, SlipClaimed) and event.claims > ALERT_ABOVE_CLAIMS
