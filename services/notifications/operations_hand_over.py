"""The register of hand-overs: slips given out in class by its teacher, or at the desk (P5)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from services.notifications.domain.hand_over import HAND_OVER, HandOver, UndoHandOver
from services.notifications.operations import ChangedMeanwhile, Desk
from services.notifications.slips import SlipOfHolder, slips
from shared.contracts.notifications import HandedTo, HandOverBy
from shared.decider import Refused
from shared.eventstore.commands import Workspace
from shared.eventstore.units import ConcurrencyConflict, Unit

_TRIES = 5


class NoSuchSlip(Exception):
    """One was named that is not on paper, is another school's, or is not handed over where it was said to be: for
    whoever asks, it does not exist."""


@dataclass(frozen=True, slots=True)
class Giving:
    """`class_id`: in which class, None at the desk. `delegate`: the name of whoever takes it for another."""

    school: str
    class_id: str | None
    to: HandedTo
    by: HandOverBy
    delegate: str | None = field(repr=False)
    actor: str
    traceparent: str | None


@dataclass(frozen=True, slots=True)
class Given:
    """`refused`: by delivery, why not (the slug of the refusal). Each delivery is in one of the three."""

    recorded: tuple[str, ...]
    already: tuple[str, ...]
    refused: Mapping[str, str]


async def hand_over(desk: Desk, deliveries: Collection[str], giving: Giving) -> Given:
    """One by one: a slip that cannot be given leaves the others alone. Repeated, it does nothing.

    Errors: NoSuchSlip, for all of them; ChangedMeanwhile.
    """
    store = desk.commands.store
    found = await slips(store.pool, deliveries, giving.school)
    if set(found) != set(deliveries):
        raise NoSuchSlip
    if giving.class_id is not None and any(giving.class_id not in slip.where() for slip in found.values()):
        raise NoSuchSlip
    for _ in range(_TRIES):
        workspace = Workspace(store)
        await workspace.load(HAND_OVER, found)
        units, given = _decided(desk, workspace, found, giving)
        try:
            await store.commit(units, atomic=True)
        except ConcurrencyConflict:
            continue
        return given
    raise ChangedMeanwhile


def _decided(
    desk: Desk, workspace: Workspace, found: Mapping[str, SlipOfHolder], giving: Giving
) -> tuple[Sequence[Unit], Given]:
    units: list[Unit] = []
    recorded, already, refused = [], [], {}
    for delivery, slip in found.items():
        command = HandOver(
            at=desk.now,
            class_id=giving.class_id,
            to=_to(slip, giving.to),
            by=giving.by,
            delegate=giving.delegate,
            current=slip.current,
        )
        try:
            events = workspace.decide(HAND_OVER, delivery, command)
        except Refused as refusal:
            refused[delivery] = refusal.reason
            continue
        if events:
            recorded.append(delivery)
            context = slip.context(giving.actor, giving.traceparent)
            units.append(Unit(giving.school, context, workspace.appends()))
        else:
            already.append(delivery)
    return units, Given(tuple(recorded), tuple(already), refused)


def _to(slip: SlipOfHolder, to: HandedTo) -> HandedTo:
    """Who takes their own slip is its holder, whatever the whole class was said to be."""
    own = {"pupil": HandedTo.pupil, "guardian": HandedTo.guardian}
    return HandedTo.holder if own.get(slip.role) is to else to


async def undo_hand_over(
    desk: Desk, delivery: str, reason: str, *, school: str, actor: str, traceparent: str | None
) -> None:
    """Errors: NoSuchSlip, Refused (not_handed_over, reason_needed), ConcurrencyConflict."""
    slip = (await slips(desk.commands.store.pool, [delivery], school)).get(delivery)
    if slip is None:
        raise NoSuchSlip
    context = slip.context(actor, traceparent)
    await desk.commands.execute(HAND_OVER, delivery, UndoHandOver(reason), school=school, context=context)
