"""Databases for benchmarks: each as its service would have it, made for one benchmark."""

import itertools
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

import asyncpg

from services.registry.projections import project
from shared import migrations
from shared.database import open_pool
from shared.eventstore.projection import Project, Projector
from shared.eventstore.store import EventStore
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.runtime import KERNEL
from tests.benchmarks.figure import Bench

_REGISTRY = KERNEL.parent / "services" / "registry" / "migrations"
_numbers = itertools.count(1)


async def new_database(bench: Bench, role: str = "registry_owner") -> str:
    """The name of an empty database of that role."""
    name = f"bench_{next(_numbers)}"
    admin = await asyncpg.connect(bench.postgres.admin_url())
    try:
        await admin.execute(f'create database "{name}" owner "{role}"')
    finally:
        await admin.close()
    return name


@asynccontextmanager
async def registry_store(bench: Bench, project: Project = project) -> AsyncIterator[EventStore]:
    """A store on a fresh database with registry's schema and projections, and a key-encryption key of its own."""
    keyring = bench.postgres.keyring_migration_url
    await migrations.migrate(keyring, [("keyring", KERNEL / "keyring" / "migrations")])
    name = await new_database(bench)
    components = [("eventstore", KERNEL / "eventstore" / "migrations"), ("registry", _REGISTRY)]
    await migrations.migrate(
        bench.postgres.role_url("registry_owner", name), components, service_role="registry"
    )
    async with AsyncExitStack() as stack:
        pool = await open_pool(bench.postgres.role_url("registry", name), name="registry")
        stack.push_async_callback(pool.close)
        keys = await open_pool(bench.postgres.urls("registry").keyring, name="registry", most=4)
        stack.push_async_callback(keys.close)
        ring = Keyring(keys, KeyEncryptionKey(os.urandom(32)))
        yield EventStore("registry", pool, ring, Projector(project))
