"""Databases of one test: copies of a template that was migrated once in this process, dropped when the test ends."""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from deploy.engines import PostgresEngine
from shared import migrations
from shared.runtime import KERNEL

Component = tuple[str, Path]
EVENTSTORE: Component = ("eventstore", KERNEL / "eventstore" / "migrations")

_numbers = itertools.count(1)
_templates: dict[tuple[PostgresEngine, str, tuple[Component, ...]], str] = {}


async def _told(postgres: PostgresEngine, command: str) -> None:
    admin = await asyncpg.connect(postgres.admin_url("postgres"))
    try:
        await admin.execute(command)
    finally:
        await admin.close()


async def _template(postgres: PostgresEngine, service: str, components: tuple[Component, ...]) -> str:
    key = postgres, service, components
    if key not in _templates:
        name = f"template_{service}_{next(_numbers)}"
        await _told(postgres, f'create database "{name}" owner "{service}_owner"')
        url = postgres.role_url(f"{service}_owner", name)
        await migrations.migrate(url, [EVENTSTORE, *components], service_role=service)
        _templates[key] = name
    return _templates[key]


async def create(postgres: PostgresEngine, service: str, *components: Component) -> str:
    """The name of a new database of `service`: the event store's tables, and those of `components`."""
    template = await _template(postgres, service, components)
    name = f"test_{service}_{os.getpid()}_{next(_numbers)}"
    owned = f'template "{template}" owner "{service}_owner" strategy file_copy'
    await _told(postgres, f'create database "{name}" {owned}')
    return name


async def drop(postgres: PostgresEngine, name: str) -> None:
    """Its memory back, whoever is still connected."""
    await asyncio.wait_for(_told(postgres, f'drop database "{name}" with (force)'), 30)


@asynccontextmanager
async def fresh(postgres: PostgresEngine, service: str, *components: Component) -> AsyncIterator[str]:
    name = await create(postgres, service, *components)
    try:
        yield name
    finally:
        await drop(postgres, name)
