"""Another service's event -> a command of ours: credentials are issued, so they are to be delivered (E3)."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from services.notifications.domain.delivery import DELIVERY, MAIL_CHANNELS, delivery_id, fallback_id
from services.notifications.domain.delivery_commands import RequestDelivery, Supersede
from services.notifications.policies_alerts import watch
from shared.contracts.event import Event, Recorded, because_of
from shared.contracts.identity import CredentialsIssued, SlipShredded
from shared.eventstore.commands import Workspace
from shared.eventstore.store import EventStore
from shared.eventstore.units import Unit
from shared.messaging.reader import React
from shared.sql import Statements

SQL = Statements(__file__)
ACTOR = "service:notifications"


@dataclass(slots=True)
class _Known:
    """Which deliveries there are for an account, those of the batch under way included."""

    by_account: dict[str, dict[str, tuple[str, int]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, account: str, delivery: str, credential: str, generation: int) -> None:
        self.by_account[account].setdefault(delivery, (credential, generation))

    def others(self, event: CredentialsIssued) -> list[str]:
        """Deliveries of the account that these newer credentials replace."""
        mine = {
            delivery_id(event.credential, event.generation),
            fallback_id(event.credential, event.generation),
        }
        return [d for d in self.by_account[event.account] if d not in mine]

    def of_credential(self, account: str, credential: str) -> list[str]:
        return [d for d, (known, _) in self.by_account[account].items() if known == credential]


def follow_identity(
    store: EventStore, heed: Callable[[Sequence[Recorded[Event]]], None] | None = None
) -> React:
    """The reaction to identity's history. `heed(events)` learns first what they end: sessions that we remember."""

    async def react(events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
        if heed is not None:
            heed(events)
        wanted = [r for r in events if isinstance(r.event, CredentialsIssued | SlipShredded)]
        followed = await _follow(store, wanted) if wanted else ()
        return [*followed, *await watch(store, events)]

    return react


async def _follow(store: EventStore, events: Sequence[Recorded[Event]]) -> Sequence[Unit]:
    known = await _known(store, events)
    issued = [r.event for r in events if isinstance(r.event, CredentialsIssued)]
    reachable = await _reachable(store, issued)
    workspace = Workspace(store)
    ids = {delivery_id(e.credential, e.generation) for e in issued}
    ids.update(delivery for of_account in known.by_account.values() for delivery in of_account)
    await workspace.load(DELIVERY, ids)
    units = []
    for recorded in events:
        match recorded.event:
            case CredentialsIssued() as event:
                _issued(workspace, known, reachable, event)
            case SlipShredded(account=account, credential=credential):
                for delivery in known.of_credential(account, credential):
                    workspace.decide(DELIVERY, delivery, Supersede())
        appends = workspace.appends()
        if appends:
            units.append(Unit(recorded.school, because_of(recorded, actor=ACTOR), appends))
    return units


def _issued(
    workspace: Workspace, known: _Known, reachable: set[tuple[str, str]], event: CredentialsIssued
) -> None:
    for older in known.others(event):
        workspace.decide(DELIVERY, older, Supersede())
    delivery = delivery_id(event.credential, event.generation)
    known.add(event.account, delivery, event.credential, event.generation)
    command = RequestDelivery(
        delivery=delivery,
        account=event.account,
        holder=event.holder,
        credential=event.credential,
        generation=event.generation,
        channel=event.channel,
        exclusive=event.exclusive,
        expires=event.expires,
        reachable=(event.holder, event.channel.value) in reachable,
    )
    workspace.decide(DELIVERY, delivery, command)


async def _known(store: EventStore, events: Sequence[Recorded[Event]]) -> _Known:
    accounts = {r.event.account for r in events if isinstance(r.event, CredentialsIssued | SlipShredded)}
    known = _Known()
    for row in await store.pool.fetch(SQL("deliveries_of_accounts"), list(accounts)):
        known.add(row["account"], row["delivery"], row["credential"], row["generation"])
    return known


async def _reachable(store: EventStore, issued: Sequence[CredentialsIssued]) -> set[tuple[str, str]]:
    """(holder, channel) of those who gave an address; an address is never borrowed from another channel (E8)."""
    holders = [e.holder for e in issued if e.channel in MAIL_CHANNELS]
    rows = await store.pool.fetch(SQL("reachable_holders"), holders) if holders else ()
    return {(row["holder"], row["channel"]) for row in rows}
