"""A service's projections rebuilt from the histories, or only compared with them, from outside the service."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from deploy.attach import told_as
from deploy.environment import Wiring
from services.identity.projections import project as project_identity
from services.identity.settings import IdentitySettings
from services.notifications.projections import project as project_notifications
from services.notifications.settings import NotificationsSettings
from services.registry.projections import project as project_registry
from services.registry.settings import RegistrySettings
from shared.eventstore.projection import Project
from shared.eventstore.rebuild import Rebuild, Rebuilt
from shared.eventstore.rebuild_workers import WorkerEnded
from shared.messaging.bus import Bus
from shared.messaging.streams import Stream
from shared.runtime import open_runtime
from shared.settings import CommonSettings, ServiceSettings

_BATCH = 500
_MAX_BYTES = 1 << 20
_ROOT = Path(__file__).parents[1] / "services"
_SERVICES: dict[str, tuple[type[ServiceSettings], Project]] = {
    "registry": (RegistrySettings, project_registry),
    "identity": (IdentitySettings, project_identity),
    "notifications": (NotificationsSettings, project_notifications),
}


class CannotRebuild(Exception):
    """The message says what is missing."""


async def rebuild(service: str, *, switch: bool, wiring: Wiring | None = None) -> Rebuilt:
    """Rebuild; with `switch` the rebuilt tables take the place of the live ones. Errors: CannotRebuild."""
    settings_class, project = _SERVICES[service]
    with told_as(service, wiring, owner=True):
        common, settings = CommonSettings(), settings_class()
    owner, settings = settings.migration_url, settings.model_copy(update={"migration_url": None})
    if owner is None:
        raise CannotRebuild(f"CUSTODE_{service.upper()}_MIGRATION_URL is needed: a rebuild makes tables")
    migrations = _ROOT / service / "migrations"
    async with open_runtime(service, common, settings, project, migrations, relaying=False) as runtime:
        bus = Bus(common.nats_url, service, settings.nats_seed_file)
        bus.start()
        try:
            await asyncio.wait_for(bus.connected(), 10)
            others = _Others(bus)
            rebuild = Rebuild(
                runtime.store,
                project,
                owner.get_secret_value(),
                settings.keyring_url.get_secret_value(),
                others.read,
            )
            return await rebuild.run(service_role=service, switch=switch)
        except WorkerEnded as ended:
            raise CannotRebuild(str(ended)) from None
        except TimeoutError:
            raise CannotRebuild("the message bus does not answer: see `custode status`") from None
        finally:
            await bus.close()


class _Others:
    """The other services' streams, as far as this one has read them."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    async def read(self, source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        stream = Stream(source.upper(), foreign=True)
        while after < upto:
            most = min(_BATCH, upto - after)
            messages = (await stream.fetch(self._bus.client, after, most, _MAX_BYTES)).messages
            if [m.sequence for m in messages] != list(
                range(after + 1, after + 1 + len(messages))
            ) or not messages:
                raise CannotRebuild(
                    f"the stream {stream.name} ends at {after}, but {upto} was read: let it heal, then try again"
                )
            yield [message.data for message in messages]
            after = messages[-1].sequence
