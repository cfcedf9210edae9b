"""Identity as it runs: fed over the bus by the others, published on it, with its workers awake (S1, S2, E1)."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

import deploy.commands.staff as command
from deploy.engines import NatsEngine, PostgresEngine
from shared.contracts.identity import CredentialsIssued, StaffAccountOpened
from shared.contracts.policy import PAPER
from shared.database import AdvisoryLock
from shared.eventstore.store import EventStore
from shared.ids import new_id
from shared.messaging.bus import Bus
from shared.messaging.relay import Relay
from tests.integration.identity_fixtures import SCHOOL, World, enrolled, identity_world, linked


@asynccontextmanager
async def relayed(
    world: World, service: str, postgres: PostgresEngine, nats_server: NatsEngine
) -> AsyncIterator[EventStore]:
    """Another service's store, published as it would be."""
    store = world.sources[service]
    bus = Bus(nats_server.url, service, nats_server.seed_file(service))
    bus.start()
    relay = Relay(service, store, bus, AdvisoryLock(postgres.urls(service).runtime, f"relay:{new_id()}"))
    relay.start()
    yield store
    await relay.close()
    await bus.close()


@pytest.mark.requirement("S1", part="identity follows the registry over the bus")
async def test_what_the_others_publish_is_issued_and_published(
    postgres: PostgresEngine, folder: Path, nats_server: NatsEngine
) -> None:
    for stream in ("REGISTRY", "IDENTITY", "NOTIFICATIONS"):
        await nats_server.wipe(stream)
    seed = nats_server.seed_file("identity")
    async with AsyncExitStack() as stack:
        world = await stack.enter_async_context(
            identity_world(postgres, folder, nats_url=nats_server.url, seed=seed)
        )
        for service in ("registry", "notifications"):
            await stack.enter_async_context(relayed(world, service, postgres, nats_server))
        await world.parts.start()
        world.over_the_bus = True
        await world.school(PAPER, key=False)
        pupil, father = new_id(), new_id()
        await world.hear("registry", enrolled(pupil), linked(father, pupil))
        await until_waiting(world, 2)
        await world.publish_key()
        async with asyncio.timeout(10):
            while len(await world.events(CredentialsIssued)) < 2:
                await asyncio.sleep(0.05)
            while world.parts.runtime.relay.acknowledged < await world.store.head():
                await asyncio.sleep(0.05)
        problems = {name: await check() for name, check in world.parts.runtime.checks().items()}
        assert not {name: problem for name, problem in problems.items() if problem}


async def until_waiting(world: World, count: int) -> None:
    async with asyncio.timeout(10):
        while await world.pool.fetchval("select count(*) from private.issuance_queue") != count:
            await asyncio.sleep(0.05)


async def test_staff_are_added_and_listed_on_the_command_line(
    postgres: PostgresEngine, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with identity_world(postgres, folder) as world:
        await world.school(PAPER)
        monkeypatch.setattr(command, "told_as", world.told)
        words = ["staff", "add", "--school", SCHOOL, "--role", "secretary", "--given-name", "Ada"]
        words += ["--family-name", "Neri", "--password-stdin"]
        custode, runner = typer.Typer(), CliRunner()
        command.add_to(custode)
        added = await asyncio.to_thread(runner.invoke, custode, words, input="tre gatti verdi sul tetto\n")
        assert added.exit_code == 0, added.output
        code = added.stdout.split()[-1]
        twice = await asyncio.to_thread(runner.invoke, custode, words, input="tre gatti verdi sul tetto\n")
        assert twice.exit_code == 1 and "--again" in twice.stderr
        words += ["--again"]
        weak = await asyncio.to_thread(runner.invoke, custode, words, input="passwordpassword\n")
        assert weak.exit_code == 1 and "password" in weak.output and "passwordpassword" not in weak.output
        listed = await asyncio.to_thread(runner.invoke, custode, ["staff", "list", "--school", SCHOOL])
        assert listed.exit_code == 0 and code in listed.stdout and "Neri Ada" in listed.stdout
        (opened,) = await world.events(StaffAccountOpened)
        assert [role.value for role in opened.roles] == ["secretary"]
        signed = await world.parts.front.signing_in.sign_in(code, "tre gatti verdi sul tetto")
        assert signed is not None and signed.session.must_change
        namesake = await asyncio.to_thread(runner.invoke, custode, words, input="tre gatti blu sul tetto\n")
        assert namesake.exit_code == 0 and namesake.stdout.split()[-1] != code
        words = ["staff", "reset", "--school", SCHOOL, "--user-code", code, "--password-stdin"]
        anew = await asyncio.to_thread(runner.invoke, custode, words, input="quattro cani blu in cantina\n")
        assert anew.exit_code == 0 and "valid until 2" in anew.stdout, anew.output
        assert await world.parts.front.signing_in.sign_in(code, "quattro cani blu in cantina")
        words[5] = "ZZZZ9999"
        unknown = await asyncio.to_thread(
            runner.invoke, custode, words, input="quattro cani blu in cantina\n"
        )
        assert unknown.exit_code == 2 and "ZZZZ9999" not in unknown.output
