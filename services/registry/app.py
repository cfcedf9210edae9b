"""The composition root of the registry: the only place that knows every part. `python -m services.registry.app`."""

from functools import partial

import structlog
import uvloop

from services.registry import projections_policy
from services.registry.desk_imports import sweep
from services.registry.operations import HERE, Registry
from services.registry.policies import follow_identity
from services.registry.projections import REDUCERS, project
from services.registry.settings import RegistrySettings
from services.registry.web import build_web
from shared.contracts.event import Event
from shared.logging import configure_logging
from shared.runtime import open_runtime
from shared.settings import CommonSettings
from shared.web.introspection import HEEDED, BusIntrospector

log = structlog.get_logger()


async def run(common: CommonSettings, settings: RegistrySettings) -> None:
    """Serves until SIGINT or SIGTERM. Starts, and works as far as it can, without the bus and the other services."""
    async with open_runtime("registry", common, settings, project, HERE / "migrations") as runtime:
        registry = Registry(runtime)
        sessions = BusIntrospector(runtime.bus)
        await sessions.start()
        heeded: set[type[Event]] = {*HEEDED, *REDUCERS, *projections_policy.REDUCERS}
        await runtime.follow({"identity": follow_identity(sessions)}, {"identity": heeded})
        runtime.take_commands(registry.commands.handle)
        runtime.background("uploads.sweep", partial(sweep, runtime.pool, runtime.store.clock))
        log.info("service.starts", service="registry", listen=settings.listen)
        await runtime.serve(build_web(registry, sessions))


def main() -> None:
    common = CommonSettings()
    configure_logging("registry", common.environment, common.log_format)
    uvloop.run(run(common, RegistrySettings()))


if __name__ == "__main__":
    main()
