"""An administrator puts a message into a stream that only a service may fill: the relay stops and shouts."""

import asyncio
from collections.abc import Callable

import orjson

from deploy.engines.nats_streams import connect
from deploy.environment import SERVICES
from deploy.inspection import Invariant
from deploy.inspection.repair import damages, repair
from shared.messaging.streams import Stream
from tests.faults.engines.house import House, house, until
from tests.faults.scenario import Report, scenario

Forge = Callable[[bytes], bytes]


def nonsense(_: bytes) -> bytes:
    return b"not an entry"


def repeated(last: bytes) -> bytes:
    """The service's own last words, once more."""
    return last


def renumbered(last: bytes) -> bytes:
    """A true entry under the next number: nothing but the store tells it from a real one."""
    entry = orjson.loads(last)
    entry["sequence"] = str(int(entry["sequence"]) + 1)
    return orjson.dumps(entry)


@scenario("foreign-message-idle")
async def foreign_message_idle(report: Report) -> None:
    await _refused(report, busy=False)


@scenario("foreign-message-busy")
async def foreign_message_busy(report: Report) -> None:
    await _refused(report, busy=True)


@scenario("foreign-message-forged")
async def foreign_message_forged(report: Report) -> None:
    """What no reader can tell from a true entry: the relay can. What it leaves is told, and nobody gets anything twice."""
    async with house(report) as here:
        await here.families(3)
        await here.settles()
        await put_and_look(here, "registry", renumbered)
        await here.families(2)
        await here.settles(leaving_aside={Invariant.seen, Invariant.causes, Invariant.projections})


async def _refused(report: Report, *, busy: bool) -> None:
    async with house(report) as here:
        await here.families(3)
        await here.settles()
        for service in SERVICES if report.long else ("registry",):
            for forge in (nonsense, repeated) if report.long else (nonsense,):
                if busy:
                    async with here.arriving(at_once=2):
                        await asyncio.sleep(0.5)
                        await put_and_look(here, service, forge)
                else:
                    await put_and_look(here, service, forge)
                await here.families(2)
        await here.settles()


async def put_and_look(here: House, service: str, forge: Forge) -> None:
    """Puts a foreign message at the end of a service's stream; the relay stops and shouts; the stream is repaired."""
    log = here.running.logs / f"{service}.log"
    before = log.stat().st_size
    client = await connect(here.running.nats_url, here.bus.seeds, f"{service}_admin")
    try:
        stream = Stream(service.upper(), foreign=False)
        last = await stream.message_at(client, await stream.last_sequence(client))
        await client.jetstream().publish(f"{service}.evt.X.student.Forged", forge(last))
    finally:
        await client.close()
    await here.red(service, f"the stream {service.upper()} ")
    if not await until(lambda: b"relay.stopped" in log.read_bytes()[before:], 10.0):
        here.report.violation("shouts", f"{service} stopped without an error in its log")
    found = await damages(here.running.parts.wiring)
    if [damage.comparison.service for damage in found] != [service]:
        here.report.violation("streams", f"the foreign message was found in {len(found)} streams")
    for damage in found:
        if damage.passed and forge is not renumbered:
            here.report.violation("readers", f"{', '.join(damage.passed)} read what is no entry")
        await repair(here.running.parts.wiring, damage, lambda _: None)
    await here.green()
