"""An administrator puts a message into a stream that only a service may fill: the relay stops and shouts."""

import asyncio
from collections.abc import Callable

import orjson

from deploy.engines.nats_streams import connect
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
    await _foreign(report, busy=False)


@scenario("foreign-message-busy")
async def foreign_message_busy(report: Report) -> None:
    await _foreign(report, busy=True)


async def _foreign(report: Report, *, busy: bool) -> None:
    async with house(report) as here:
        await here.families(3)
        await here.settles()
        forgeries: list[Forge] = [nonsense, repeated, renumbered] if report.long else [nonsense]
        for service in ("registry", "identity", "notifications") if report.long else ("registry",):
            for forge in forgeries:
                if busy:
                    async with here.arriving():
                        await asyncio.sleep(0.5)
                        await _put_and_look(here, service, forge)
                else:
                    await _put_and_look(here, service, forge)
                await here.families(2)
                await here.settles()


async def _put_and_look(here: House, service: str, forge: Forge) -> None:
    client = await connect(here.running.nats_url, here.bus.seeds, f"{service}_admin")
    try:
        stream = Stream(service.upper(), foreign=False)
        last = await stream.message_at(client, await stream.last_sequence(client))
        assert last is not None
        await client.jetstream().publish(f"{service}.evt.X.student.Forged", forge(last))
    finally:
        await client.close()
    log = here.running.logs / f"{service}.log"
    before = log.stat().st_size
    await here.red(service, f"the stream {service.upper()} ")
    if not await until(lambda: b"relay.stopped" in log.read_bytes()[before:], 10.0):
        here.report.violation("shouts", f"{service} stopped without an error in its log")
    await _repaired(here, service)
    await here.green()


async def _repaired(here: House, service: str) -> None:
    await here.bus.wipe(service.upper())
