"""Real engines for the tests: started once, thrown away afterwards."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from types import SimpleNamespace

import asyncpg
import hypothesis
import pytest

from deploy.engines import NatsEngine, PostgresEngine, temporary_folder
from shared import migrations
from shared.eventstore.projection import Projector
from shared.eventstore.store import EventStore
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.runtime import KERNEL
from tests import databases, memory
from tests.browser_harness import chromium

memory.work_in_it()
os.environ |= {"CUSTODE_IDENTITY_ARGON2_MEMORY": "1024", "CUSTODE_IDENTITY_ARGON2_PASSES": "1"}
"""Hashes of the installations that tests start are cheap; the acceptance tests' are as they are shipped."""

pytest_plugins = ["tests.requirements_record", "tests.sharing"]

hypothesis.settings.register_profile("custode", deadline=None, print_blob=True)
hypothesis.settings.load_profile("custode")

OWN_TABLES = Path(__file__).parent / "integration" / "kernel_migrations"


def pytest_sessionfinish() -> None:
    chromium.stop()


@pytest.fixture(scope="session")
def folder() -> Iterator[Path]:
    with temporary_folder() as path:
        yield path


@pytest.fixture(scope="session")
def postgres(folder: Path) -> Iterator[PostgresEngine]:
    engine = PostgresEngine(folder / "postgres", durable=False)
    engine.start()
    asyncio.run(
        migrations.migrate(engine.keyring_migration_url, [("keyring", KERNEL / "keyring" / "migrations")])
    )
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def nats_server(folder: Path) -> Iterator[NatsEngine]:
    engine = NatsEngine(folder / "nats")
    engine.start()
    asyncio.run(engine.provision())
    yield engine
    engine.stop()


@pytest.fixture(scope="session")
def kek() -> KeyEncryptionKey:
    return KeyEncryptionKey(os.urandom(32))


class Kernel(SimpleNamespace):
    """Stores on databases of their own, for kernel tests."""

    postgres: PostgresEngine
    stack: list[asyncpg.Pool]
    made: list[str]
    kek: KeyEncryptionKey

    async def store(self, service: str, project: object = None, database: str | None = None) -> EventStore:
        database = database or await self.database(service)
        pool = await asyncpg.create_pool(self.postgres.role_url(service, database), min_size=1, max_size=12)
        keys = await asyncpg.create_pool(self.postgres.urls(service).keyring, min_size=1, max_size=2)
        self.stack += [pool, keys]
        nothing = Projector(project or (lambda recorded: ()))  # type: ignore[arg-type]
        return EventStore(service, pool, Keyring(keys, self.kek), nothing)

    async def database(self, service: str) -> str:
        name = await databases.create(self.postgres, service, ("test", OWN_TABLES))
        self.made.append(name)
        return name

    async def close(self) -> None:
        for pool in self.stack:
            await asyncio.wait_for(pool.close(), 10)
        for name in self.made:
            await databases.drop(self.postgres, name)


@pytest.fixture
async def kernel(postgres: PostgresEngine, kek: KeyEncryptionKey) -> AsyncIterator[Kernel]:
    made = Kernel(postgres=postgres, stack=[], made=[], kek=kek)
    yield made
    await made.close()
