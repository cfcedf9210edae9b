"""Streams equal to their stores, and every cursor at or behind its stream (DESIGN 4)."""

from collections.abc import Mapping

from deploy.inspection.comparison import Comparison, compare
from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import Look, Snapshot


async def streams(look: Look) -> list[Finding]:
    """Every message of every stream; then how far each service had read them when its snapshot was taken."""
    compared = {}
    for service in look.snapshots:
        store, client = await look.live(service), await look.client(service)
        compared[service] = await compare(store, client, service)
    return [
        *(_equal(one) for one in compared.values()),
        *(_cursors(snapshot, compared) for snapshot in look.snapshots.values()),
    ]


def _equal(one: Comparison) -> Finding:
    wrong = Wrong()
    if one.first is not None and one.first <= one.head:
        wrong.add(
            f"the stream {one.name} differs from the store at {one.differing} positions, first at {one.first}"
        )
    if one.ahead:
        wrong.add(f"the stream {one.name} is ahead of the store: {one.last} against {one.head}")
    if one.behind:
        wrong.add(f"the stream {one.name} stands still at {one.last}, the store at {one.head}")
    return found(Invariant.streams, one.service, wrong, {"messages": one.last})


def _cursors(snapshot: Snapshot, compared: Mapping[str, Comparison]) -> Finding:
    wrong, counts = Wrong(), {}
    for source, position in sorted(snapshot.cursors.items()):
        if (stream := compared.get(source)) is None:
            continue
        counts[f"{source}-to-read"] = max(0, stream.head - position)
        if position > stream.head:
            wrong.add(f"{source} was read up to {position}, but its history ends at {stream.head}")
        elif position > stream.last:
            wrong.add(f"{source} was read up to {position}, but its stream stands at {stream.last}")
        if stream.first is not None and stream.first <= position:
            wrong.add(
                f"{source} was read past position {stream.first}, where its stream differs from its store"
            )
    return found(Invariant.cursors, snapshot.service, wrong, counts)
