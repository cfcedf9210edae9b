"""The composition root of notifications: the only place that knows every part. `python -m services.notifications.app`."""

import asyncio
from functools import partial
from pathlib import Path

import structlog

from services.notifications.channels.email.send import SmtpSender
from services.notifications.epoch_keys import EpochKeys, tend
from services.notifications.policies import follow_identity, nothing
from services.notifications.postman import Postman, PostOffice
from services.notifications.projections import project
from services.notifications.settings import NotificationsSettings
from services.notifications.web import build_web
from shared.database import AdvisoryLock
from shared.logging import configure_logging
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings
from shared.web.introspection import BusIntrospector

HERE = Path(__file__).parent
log = structlog.get_logger()


async def run(common: CommonSettings, settings: NotificationsSettings) -> None:
    """Serves until SIGINT or SIGTERM. Starts, and works as far as it can, without the bus and the other services."""
    async with (
        open_runtime("notifications", common, settings, project, HERE / "migrations") as runtime,
        SmtpSender(settings.smtp_url.get_secret_value(), connections=settings.connections) as sender,
    ):
        keys = EpochKeys(settings.epoch_keys_file)
        sessions = BusIntrospector(runtime.bus)
        await runtime.read("registry", nothing)
        await runtime.read("identity", follow_identity(runtime.store, sessions.forget))
        runtime.background(
            "epoch-keys",
            partial(tend, keys, runtime.commands, _lock(runtime, "epoch-keys"), runtime.store.clock),
        )
        postman = make_postman(runtime, common, settings, keys, sender)
        runtime.background("postman", postman.work)
        log.info("service.starts", service="notifications", listen=settings.listen)
        await runtime.serve(build_web(runtime, common, settings, keys, sessions, postman))


def make_postman(
    runtime: Runtime,
    common: CommonSettings,
    settings: NotificationsSettings,
    keys: EpochKeys,
    sender: SmtpSender,
) -> Postman:
    office = PostOffice(
        site_url=common.site_url,
        sender=settings.sender,
        message_id_domain=settings.message_id_domain,
        pace=settings.pace,
        concurrency=settings.connections,
    )
    lock = _lock(runtime, "postman")
    return Postman(runtime.commands, runtime.bus, keys, sender, lock, office, runtime.store.clock)


def _lock(runtime: Runtime, name: str) -> AdvisoryLock:
    return AdvisoryLock(runtime.settings.database_url.get_secret_value(), name)


def main() -> None:
    common = CommonSettings()
    configure_logging("notifications", common.environment, common.log_format)
    asyncio.run(run(common, NotificationsSettings()))


if __name__ == "__main__":
    main()
