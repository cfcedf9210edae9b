"""The processes beside a rebuild: what goes wrong in them comes out, and none outlives it, however it ends."""

import asyncio
import multiprocessing
import os
import signal
import sys
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import orjson
import pytest

from shared.contracts.event import Event, Recorded
from shared.database import DatabaseAway, open_pool
from shared.eventstore.projection import Project, Projector, Row
from shared.eventstore.rebuild import Rebuild
from shared.eventstore.rebuild_workers import WorkerEnded
from shared.eventstore.store import EventStore
from shared.ids import new_id
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from tests.conftest import Kernel
from tests.samples import moved, unit

_HERE = os.getpid()
_LONG = 60.0


def refusing(recorded: Recorded[Event]) -> Iterable[Row]:
    raise LookupError(f"no rows for {recorded.position}")


def dying(recorded: Recorded[Event]) -> Iterable[Row]:
    assert os.getpid() != _HERE
    os.kill(os.getpid(), signal.SIGKILL)
    return ()


def slow(recorded: Recorded[Event]) -> Iterable[Row]:
    time.sleep(_LONG)
    return ()


def telling(recorded: Recorded[Event]) -> Iterable[Row]:
    os.write(sys.stdout.fileno(), b"at work\n")
    time.sleep(0.2)
    return ()


async def nobody(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
    raise AssertionError(source)
    yield []


class Lived:
    def __init__(self, kernel: Kernel, database: str, store: EventStore) -> None:
        self.store = store
        self.owner = kernel.postgres.role_url("registry_owner", database)
        self.url = kernel.postgres.role_url("registry", database)
        self.keyring = kernel.postgres.urls("registry").keyring

    def rebuild(self, project: Project) -> Rebuild:
        return Rebuild(self.store, project, self.owner, self.keyring, nobody)


@pytest.fixture
async def lived(kernel: Kernel) -> Lived:
    database = await kernel.database("registry")
    store = await kernel.store("registry", None, database)
    for _ in range(3):
        student = new_id()
        await store.commit([unit(moved(student), stream=f"student/{student}")])
    return Lived(kernel, database, store)


async def test_what_a_projection_raises_comes_out_of_the_rebuild(lived: Lived) -> None:
    with pytest.raises(LookupError, match="no rows for 1"):
        await lived.rebuild(refusing).run(service_role="registry")
    assert multiprocessing.active_children() == []
    assert await lived.store.pool.fetchval("select to_regclass('projections.pupils')") is not None


async def test_a_worker_that_is_killed_ends_the_rebuild(lived: Lived) -> None:
    with pytest.raises(WorkerEnded):
        await lived.rebuild(dying).run(service_role="registry")
    assert multiprocessing.active_children() == []


async def test_keys_that_cannot_be_looked_up_are_told_as_such(lived: Lived) -> None:
    lived.keyring = "postgresql://nobody@127.0.0.1:1/keyring"
    with pytest.raises(DatabaseAway):
        await lived.rebuild(telling).run(service_role="registry")
    assert multiprocessing.active_children() == []


def looking(recorded: Recorded[Event]) -> Iterable[Row]:
    found = []
    for entry in Path("/proc/self/fd").iterdir():
        with suppress(OSError):  # the one that the look itself needed
            found.append(str(entry.readlink()))
    raise LookupError(" ".join(found))


async def test_a_worker_holds_no_connection_of_whom_it_works_for(lived: Lived) -> None:
    with pytest.raises(LookupError) as seen:
        await lived.rebuild(looking).run(service_role="registry")
    sockets = [name for name in str(seen.value).split() if name.startswith("socket:")]
    assert len(sockets) == 4, "to whom it works for, to the keyring, and the loop's own pair"


async def test_a_rebuild_that_is_cancelled_takes_its_workers_along(lived: Lived) -> None:
    running = asyncio.create_task(lived.rebuild(slow).run(service_role="registry"))
    while not multiprocessing.active_children():
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.2)
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(running, _LONG / 4)
    assert multiprocessing.active_children() == []


async def test_workers_end_when_the_process_that_rebuilds_is_ended(lived: Lived) -> None:
    """By SIGTERM, which nobody handles there; by SIGKILL it would be the same."""
    told = {"url": lived.url, "owner": lived.owner, "keyring": lived.keyring}
    program = "from tests.integration.test_rebuild_workers import rebuild_as_told; rebuild_as_told()"
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", program, stdin=PIPE, stdout=PIPE)
    assert process.stdin is not None and process.stdout is not None
    try:
        process.stdin.write(orjson.dumps(told))
        process.stdin.close()
        assert await process.stdout.readline() == b"at work\n"
        process.terminate()
        # Its other end is with the workers alone now: it ends when they do.
        await asyncio.wait_for(process.stdout.read(), _LONG / 4)
        assert await process.wait() == -signal.SIGTERM
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def rebuild_as_told() -> None:
    """For a process of its own, which is told on its standard input where the databases are."""
    told = orjson.loads(sys.stdin.buffer.read())

    async def run() -> None:
        pool = await open_pool(told["url"], name="rebuild")
        keys = await open_pool(told["keyring"], name="rebuild", most=1)
        kek = KeyEncryptionKey(os.urandom(32))
        store = EventStore("registry", pool, Keyring(keys, kek), Projector(telling))
        await Rebuild(store, telling, told["owner"], told["keyring"], nobody).run(service_role="registry")

    asyncio.run(run())
