"""The migrations are a step of their own: it alone is told the owners, and services wait for it."""

import asyncio
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import asyncpg
import pytest
from pydantic import SecretStr

from deploy.engines import PostgresEngine
from deploy.migrate import MigrationSettings, migrate
from services.registry.operations import HERE
from services.registry.projections import project
from services.registry.settings import RegistrySettings
from shared.ids import new_id
from shared.migrations import SchemaTooNew, SchemaTooOld
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings


@pytest.fixture
async def database(postgres: PostgresEngine) -> AsyncIterator[str]:
    """The name of an empty database for a registry."""
    name = f"migrated_{new_id().replace('-', '')}"
    admin = await asyncpg.connect(postgres.admin_url("postgres"))
    await admin.execute(f'create database "{name}" owner registry_owner')
    yield name
    await admin.execute(f'drop database "{name}" with (force)')
    await admin.close()


def owners(postgres: PostgresEngine, database: str) -> MigrationSettings:
    return MigrationSettings(
        keyring_migration_url=SecretStr(postgres.keyring_migration_url),
        registry_migration_url=SecretStr(postgres.role_url("registry_owner", database)),
    )


def service(
    postgres: PostgresEngine, database: str, folder: Path, *, relaying: bool = True
) -> AbstractAsyncContextManager[Runtime]:
    """A registry that is told its runtime role only."""
    kek = folder / "kek"
    kek.write_bytes(bytes(range(32)))
    settings = RegistrySettings(
        database_url=SecretStr(postgres.role_url("registry", database)),
        keyring_url=SecretStr(postgres.urls("registry").keyring),
    )
    common = CommonSettings(keyring_kek_file=kek, nats_url="nats://127.0.0.1:1")
    return open_runtime("registry", common, settings, project, HERE / "migrations", relaying=relaying)


async def test_what_is_missing_runs_once_however_often_it_is_asked_for(
    postgres: PostgresEngine, database: str
) -> None:
    settings = owners(postgres, database)
    ran = await asyncio.gather(*(migrate(settings) for _ in range(3)))
    counts = sorted(one["registry"] for one in ran)
    assert counts[:2] == [0, 0]
    assert counts[2] > 0
    assert await migrate(settings) == {"keyring": 0, "registry": 0}


async def test_a_service_waits_for_the_migrations_and_then_starts(
    postgres: PostgresEngine, database: str, tmp_path: Path
) -> None:
    async def starts() -> str | None:
        async with service(postgres, database, tmp_path) as runtime:
            return await runtime.checks()["migrations"]()

    starting = asyncio.create_task(starts())
    await asyncio.sleep(0.5)
    assert not starting.done()
    await migrate(owners(postgres, database))
    assert await asyncio.wait_for(starting, 10) is None


async def test_a_command_does_not_wait(postgres: PostgresEngine, database: str, tmp_path: Path) -> None:
    began = time.monotonic()
    with pytest.raises(SchemaTooOld, match=r"migration eventstore/\w+ has not run"):
        async with service(postgres, database, tmp_path, relaying=False):
            pytest.fail("it works on a schema that is not there")
    assert time.monotonic() - began < 5


async def test_a_newer_schema_is_refused_at_once_by_both(
    postgres: PostgresEngine, database: str, tmp_path: Path
) -> None:
    settings = owners(postgres, database)
    await migrate(settings)
    owner = await asyncpg.connect(postgres.role_url("registry_owner", database))
    await owner.execute("insert into public.migrations values ('registry', 99, 'from_tomorrow', 'x')")
    await owner.close()
    with pytest.raises(SchemaTooNew, match="start the newer release"):
        async with service(postgres, database, tmp_path):
            pytest.fail("it works on a schema that it does not know")
    step = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", "deploy.migrate"],
        env={"CUSTODE_REGISTRY_MIGRATION_URL": postgres.role_url("registry_owner", database)},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert step.returncode == 1
    assert "migration 99 of registry" in step.stderr
    assert "Traceback" not in step.stderr


async def test_a_server_that_does_not_answer_is_waited_for(postgres: PostgresEngine, database: str) -> None:
    nobody = MigrationSettings(registry_migration_url=SecretStr("postgresql://x:hidden@127.0.0.1:1/registry"))
    began = time.monotonic()
    with pytest.raises(OSError):
        await migrate(nobody, wait_seconds=1)
    assert 1 <= time.monotonic() - began < 10
