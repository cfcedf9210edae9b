"""`custode rebuild`: projections anew from history, beside the live ones; or only compared with them."""

import asyncio
from collections.abc import AsyncIterator
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from deploy.attach import told_as
from deploy.commands.common import Exit, fail, note, print_json
from services.identity.projections import project as project_identity
from services.identity.settings import IdentitySettings
from services.notifications.projections import project as project_notifications
from services.notifications.settings import NotificationsSettings
from services.registry.projections import project as project_registry
from services.registry.settings import RegistrySettings
from shared.contracts.event import Event, Recorded
from shared.eventstore.projection import Project
from shared.eventstore.rebuild import Rebuild, Rebuilt
from shared.eventstore.store import EventStore
from shared.messaging.bus import Bus
from shared.messaging.streams import Stream
from shared.runtime import open_runtime
from shared.settings import CommonSettings, ServiceSettings

_BATCH = 500
_MAX_BYTES = 1 << 20
_ROOT = Path(__file__).parents[2] / "services"
_SERVICES: dict[str, tuple[type[ServiceSettings], Project]] = {
    "registry": (RegistrySettings, project_registry),
    "identity": (IdentitySettings, project_identity),
    "notifications": (NotificationsSettings, project_notifications),
}


class Service(StrEnum):
    registry = "registry"
    identity = "identity"
    notifications = "notifications"


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(rebuild)


def rebuild(
    service: Service,
    compare: Annotated[
        bool, typer.Option("--compare", help="Only say where live and rebuilt differ; change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Make a service's projections anew from the histories. It goes on working meanwhile.

    Exit code 1 when live and rebuilt differed: without `--compare` the rebuilt ones stand now.
    """
    report = asyncio.run(_rebuild(service.value, switch=not compare))
    if as_json:
        print_json(
            {"service": service.value, "events": report.events, "differences": dict(report.differences)}
        )
    else:
        note(f"{report.events} events read; " + ("switched" if report.switched else "nothing was changed"))
        for table, rows in report.differences.items():
            note(f"   {table}: {rows} rows differed")
    if report.differences:
        raise typer.Exit(Exit.failed)


async def _rebuild(service: str, *, switch: bool) -> Rebuilt:
    settings_class, project = _SERVICES[service]
    with told_as(service, owner=True):
        common, settings = CommonSettings(), settings_class()
    owner, settings = settings.migration_url, settings.model_copy(update={"migration_url": None})
    if owner is None:
        fail(f"CUSTODE_{service.upper()}_MIGRATION_URL is needed: a rebuild makes tables")
    migrations = _ROOT / service / "migrations"
    async with open_runtime(service, common, settings, project, migrations, relaying=False) as runtime:
        bus = Bus(common.nats_url, service, settings.nats_seed_file)
        bus.start()
        try:
            await asyncio.wait_for(bus.connected(), 10)
            others = _Others(bus, runtime.store)
            url = owner.get_secret_value()
            return await Rebuild(runtime.store, project, url, others.read).run(
                service_role=service, switch=switch
            )
        except TimeoutError:
            fail("the message bus does not answer: see `custode status`")
        finally:
            await bus.close()


class _Others:
    """The other services' streams, as far as this one has read them."""

    def __init__(self, bus: Bus, store: EventStore) -> None:
        self._bus = bus
        self._store = store

    async def read(self, source: str, after: int, upto: int) -> AsyncIterator[list[Recorded[Event]]]:
        stream = Stream(source.upper(), foreign=True)
        while after < upto:
            most = min(_BATCH, upto - after)
            messages = (await stream.fetch(self._bus.client, after, most, _MAX_BYTES)).messages
            if [m.sequence for m in messages] != list(
                range(after + 1, after + 1 + len(messages))
            ) or not messages:
                fail(
                    f"the stream {stream.name} ends at {after}, but {upto} was read: let it heal, then try again"
                )
            events = await self._store.decode([message.data for message in messages])
            yield events
            after = events[-1].position
