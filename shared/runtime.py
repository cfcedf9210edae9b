"""What every service stands on, opened in order and closed in reverse: the part of a composition root that is
the same for all three. A service's `app.py` adds what is its own."""

import asyncio
import gc
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TypeVar

import asyncpg
import structlog
import uvicorn
from fastapi import FastAPI
from prometheus_client import CollectorRegistry, Gauge

from shared import faults, migrations
from shared.contracts.event import Event
from shared.database import DATABASE_TROUBLES, AdvisoryLock, Pool, open_pool
from shared.eventstore.commands import Commands
from shared.eventstore.projection import Project, Projector
from shared.eventstore.store import EventStore
from shared.keyring.keyring import KeyEncryptionKey, Keyring
from shared.messaging.bus import Bus
from shared.messaging.ingress import Handle, Ingress
from shared.messaging.reader import React, Reader
from shared.messaging.relay import Relay
from shared.settings import CommonSettings, ServiceSettings, refuse_root
from shared.tasks import end

log = structlog.get_logger()
KERNEL = Path(__file__).parent
_WAIT_FOR_DATABASE = 60
_SILENCE = 2.0
COLLECT_AFTER = (100_000, 20, 20)
"""Events and rows are trees, which end without the collector: at its usual pace it costs a third of an import."""
Check = Callable[[], Awaitable[str | None]]
T = TypeVar("T")


@dataclass
class Runtime:
    """The open kernel of one service. `components` are its schema: the kernel's migrations, then its own."""

    service: str
    common: CommonSettings
    settings: ServiceSettings
    components: Sequence[tuple[str, Path]]
    pool: Pool
    keyring: Keyring
    kek: KeyEncryptionKey
    store: EventStore
    commands: Commands
    bus: Bus
    relay: Relay
    stack: AsyncExitStack
    readers: list[Reader] = field(default_factory=list)
    ingress: Ingress | None = None

    async def follow(
        self, reactions: Mapping[str, React], heeds: Mapping[str, Collection[type[Event]]] | None = None
    ) -> None:
        """Follow the histories of other services from our cursors: all of them at once, since an event waits for
        what its writer had seen of a service that we follow too.

        `heeds`: of which sources the reaction and the projection look at these events only; others are not opened.
        """
        url = self.settings.database_url.get_secret_value()
        for source, react in reactions.items():
            lock = AdvisoryLock(url, f"reader:{source}")
            reader = Reader(
                source,
                self.store,
                self.bus,
                lock,
                react,
                frozenset(reactions),
                _names((heeds or {}).get(source)),
            )
            self.readers.append(reader)
        for reader in self.readers:
            await reader.start()
            self.stack.push_async_callback(reader.close)

    def take_commands(self, handle: Handle) -> None:
        """Carry out what school systems publish."""
        self.ingress = Ingress(self.store, self.bus, self.kek, handle)
        self.ingress.start()
        self.stack.push_async_callback(self.ingress.close)

    def background(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """A worker that runs as long as the service; a fault is logged, and it starts again."""

        async def forever() -> None:
            while True:
                try:
                    await work()
                except asyncio.CancelledError:
                    raise
                except Exception as fault:
                    log.error("worker.failed", worker=name, error=type(fault).__name__)
                    await asyncio.sleep(1.0)

        task = asyncio.create_task(forever(), name=name)

        async def stop() -> None:
            await end(task)

        self.stack.push_async_callback(stop)

    def checks(self) -> dict[str, Check]:
        """For `/readyz`: what is wrong, by name, or None. Work goes on as far as it can meanwhile."""

        async def bus() -> str | None:
            return self.bus.problem()

        async def relay() -> str | None:
            return self.relay.stopped

        async def ingress() -> str | None:
            return self.ingress.stopped if self.ingress is not None else None

        found: dict[str, Check] = {"database": self._database, "migrations": self._schema}
        found |= {"bus": bus, "relay": relay, "ingress": ingress}
        if self.ingress is None:
            del found["ingress"]
        for reader in self.readers:

            async def reading(reader: Reader = reader) -> str | None:
                return reader.problem()

            found[f"reader:{reader.source}"] = reading
        return found

    async def _database(self) -> str | None:
        try:
            await asyncio.wait_for(self.pool.fetchval("select 1"), _SILENCE)
        except Exception as fault:
            return f"the database does not answer ({type(fault).__name__})"
        return self.store.writing.problem()

    async def _schema(self) -> str | None:
        try:
            await asyncio.wait_for(migrations.check(self.pool, self.components), _SILENCE)
        except (asyncpg.PostgresError, *DATABASE_TROUBLES, OSError, TimeoutError) as fault:
            return type(fault).__name__
        except Exception as wrong:
            return str(wrong)
        return None

    def measure(self, registry: CollectorRegistry) -> None:
        """Positions for `/metrics`: lag is a difference of two of them."""
        head = Gauge("custode_store_position", "Last position of the store", registry=registry)
        head.set_function(lambda: max(self.store.position, self.relay.head))
        relayed = Gauge(
            "custode_relay_position", "Last position acknowledged by the stream", registry=registry
        )
        relayed.set_function(lambda: self.relay.acknowledged)
        read = Gauge("custode_reader_position", "Last position read", ["source"], registry=registry)
        for reader in self.readers:
            read.labels(reader.source).set_function(partial(getattr, reader, "position"))

    async def serve(self, app: FastAPI) -> None:
        """HTTP until SIGINT or SIGTERM."""
        config = uvicorn.Config(
            app,
            http="httptools",
            host=self.settings.host,
            port=self.settings.port,
            access_log=False,
            log_config=None,
            server_header=False,
            date_header=True,
            proxy_headers=False,
            timeout_graceful_shutdown=5,
            timeout_keep_alive=30,
        )
        await uvicorn.Server(config).serve()


@asynccontextmanager
async def open_runtime(
    service: str,
    common: CommonSettings,
    settings: ServiceSettings,
    project: Project,
    service_migrations: Path,
    *,
    relaying: bool = True,
) -> AsyncIterator[Runtime]:
    """Open on a schema that is this release's, start the relay. `relaying=False` for a command line that only appends.

    Waits a minute for the database and the migrations. Errors: SchemaTooOld, SchemaTooNew, MigrationChanged;
    RunsAsRoot in production.
    """
    gc.freeze()
    gc.set_threshold(*COLLECT_AFTER)
    if relaying:
        refuse_root(common.environment)
        if common.faults_folder is not None:
            faults.arm(common.faults_folder, service)
            log.warning("faults.armed")
    components = [("eventstore", KERNEL / "eventstore" / "migrations"), (service, service_migrations)]
    url = settings.database_url.get_secret_value()
    kek = KeyEncryptionKey.from_file(common.keyring_kek_file)
    keyring_url = settings.keyring_url.get_secret_value()
    await _patiently(partial(_migrate, service, common, settings, components))
    async with AsyncExitStack() as stack:
        pool = await _patiently(partial(open_pool, url, name=service))
        stack.push_async_callback(pool.close)
        # A service may start beside the migrations; a command works on what is there.
        await _patiently(partial(_check, pool, components), *([migrations.SchemaTooOld] if relaying else []))
        keyring_pool = await _patiently(partial(open_pool, keyring_url, name=service, most=4))
        stack.push_async_callback(keyring_pool.close)
        keyring = Keyring(keyring_pool, kek)
        store = EventStore(service, pool, keyring, Projector(project))
        bus = Bus(common.nats_url, service, settings.nats_seed_file)
        relay = Relay(service, store, bus, AdvisoryLock(url, "relay"))
        if relaying:
            bus.start()
            stack.push_async_callback(bus.close)
            relay.start()
            stack.push_async_callback(relay.close)
        yield Runtime(
            service,
            common,
            settings,
            components,
            pool,
            keyring,
            kek,
            store,
            Commands(store),
            bus,
            relay,
            stack,
        )


def _names(event_classes: Collection[type[Event]] | None) -> frozenset[str] | None:
    return None if event_classes is None else frozenset(each.contract_name() for each in event_classes)


async def _migrate(
    service: str, common: CommonSettings, settings: ServiceSettings, components: Sequence[tuple[str, Path]]
) -> None:
    """Where the owners are told. A service is not: its migrations are a step before it."""
    if common.keyring_migration_url is not None:
        url = common.keyring_migration_url.get_secret_value()
        await migrations.migrate(url, [("keyring", KERNEL / "keyring" / "migrations")])
    if settings.migration_url is not None:
        url = settings.migration_url.get_secret_value()
        if ran := await migrations.migrate(url, components, service_role=service):
            log.info("migrations.ran", count=len(ran))


async def _check(pool: Pool, components: Sequence[tuple[str, Path]]) -> None:
    try:
        await migrations.check(pool, components)
    except (asyncpg.UndefinedTableError, asyncpg.InsufficientPrivilegeError):
        component, folder = components[0]
        first = migrations.read_migrations(component, folder)[0]
        raise migrations.SchemaTooOld(component, first.name) from None


async def _patiently(work: Callable[[], Awaitable[T]], *also: type[Exception]) -> T:
    """Repeat what fails because the server is not up yet (or with one of `also`), for a minute."""
    not_up = (OSError, asyncpg.PostgresConnectionError, asyncpg.CannotConnectNowError)
    not_yet: tuple[type[Exception], ...] = (*not_up, *also)
    for tries_left in reversed(range(_WAIT_FOR_DATABASE)):
        try:
            return await work()
        except not_yet as reason:
            if not tries_left:
                raise
            if tries_left == _WAIT_FOR_DATABASE - 1:
                log.info("database.awaited", error=type(reason).__name__)
            await asyncio.sleep(1.0)
    raise AssertionError("unreachable")
