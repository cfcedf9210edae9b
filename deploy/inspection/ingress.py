"""What school systems handed in: taken by registry, or in quarantine with its reason (S3)."""

import asyncio
import json

from nats.aio.client import Client

from deploy.engines.nats_streams import INGRESS, INGRESS_CONSUMER
from deploy.inspection.finding import Finding, Invariant, Wrong, found
from deploy.inspection.snapshots import SQL, Look
from shared.messaging.streams import StreamMissing

_POLL = 0.25
PATIENCE = 5.0
_MISSING = 404


async def ingress(look: Look) -> list[Finding]:
    """A command leaves the queue when it was acknowledged, after registry's commit: what waits is only counted, unless
    nothing moves."""
    if (snapshot := look.snapshots.get("registry")) is None:
        return []
    client, wrong = await look.client("registry"), Wrong()
    waiting, taken = await _standing(client)
    before = taken
    for _ in range(int(PATIENCE / _POLL)):
        if not waiting:
            break
        await asyncio.sleep(_POLL)
        waiting, taken = await _standing(client)
        if taken != before:
            break
    else:
        if waiting:
            wrong.add(f"{waiting} commands wait, and none was taken for {PATIENCE:.0f} seconds")
    row = await snapshot.connection.fetchrow(SQL("quarantine"))
    assert row is not None
    counts = {"taken": taken, "waiting": waiting, "quarantined": row["waiting"], "settled": row["total"]}
    counts["settled"] -= row["waiting"]
    return [found(Invariant.ingress, "registry", wrong, counts)]


async def _standing(client: Client) -> tuple[int, int]:
    """(how many wait, the number of the last one up to which all were taken)."""
    subject = f"$JS.API.CONSUMER.INFO.{INGRESS}.{INGRESS_CONSUMER}"
    told = json.loads((await client.request(subject, b"", timeout=5)).data)
    if told.get("error", {}).get("code") == _MISSING:
        raise StreamMissing(INGRESS)
    return int(told["num_pending"]) + int(told["num_ack_pending"]), int(told["ack_floor"]["stream_seq"])
