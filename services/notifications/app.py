"""The composition root of notifications: the only place that knows every part.

`python -m services.notifications.app`
"""

from datetime import timedelta
from functools import partial
from pathlib import Path

import structlog
import uvloop

from services.notifications.bounce_mailbox import BounceReader, bounce_place
from services.notifications.bounces import Bounces
from services.notifications.bounces_api import BounceIntake
from services.notifications.channels.email.pace import Pace
from services.notifications.channels.email.send import SmtpSender
from services.notifications.channels.email.server import mail_server
from services.notifications.conductor import Conductor
from services.notifications.epoch_keys import EpochKeys, tend
from services.notifications.notices import NoticePostman
from services.notifications.operations import Desk
from services.notifications.policies import follow_identity
from services.notifications.post_office import PostOffice
from services.notifications.postman import Postman
from services.notifications.projections import REDUCERS, project
from services.notifications.reminders import Reminders
from services.notifications.resending import follow_registry
from services.notifications.sending import Sending
from services.notifications.settings import NotificationsSettings
from services.notifications.web import build_web
from shared.database import AdvisoryLock
from shared.logging import configure_logging
from shared.runtime import Check, Runtime, open_runtime
from shared.settings import CommonSettings, Environment
from shared.web.introspection import BusIntrospector

HERE = Path(__file__).parent
log = structlog.get_logger()


async def run(common: CommonSettings, settings: NotificationsSettings) -> None:
    """Serves until SIGINT or SIGTERM. Works as far as it can without the bus and the other services."""
    async with (
        SmtpSender(
            settings.smtp_url.get_secret_value(), connections=settings.connections, signer=settings.signer
        ) as sender,
        open_runtime("notifications", common, settings, project, HERE / "migrations") as runtime,
    ):
        keys = EpochKeys(settings.epoch_keys_file)
        sessions = BusIntrospector(runtime.bus)
        await sessions.start()
        identity = follow_identity(runtime.store, sessions.heed)
        await runtime.follow(
            {"registry": follow_registry(runtime.store), "identity": identity}, heeds={"registry": REDUCERS}
        )
        tending = partial(tend, keys, runtime.commands, _lock(runtime, "epoch-keys"), runtime.store.clock)
        runtime.background("epoch-keys", tending)
        office, pace = make_office(common, settings), Pace(settings.pace)
        postman = make_postman(
            runtime, settings, keys, office, Sending(sender, office, pace, runtime.store.clock)
        )
        runtime.background("postman", postman.work)
        notices = make_notice_postman(runtime, office, Sending(sender, office, pace, runtime.store.clock))
        runtime.background("notices", notices.work)
        reminders = Reminders(runtime.store, _lock(runtime, "reminders"), runtime.store.clock)
        runtime.background("reminders", reminders.work)
        conductor = Conductor(runtime.commands, _lock(runtime, "conductor"), runtime.store.clock)
        runtime.background("conductor", conductor.work)
        checks = {"epoch-keys": _keys_fit(postman)}
        intake = None
        if office.returns is not None:
            bounces = Bounces(runtime.commands, office.returns)
            checks |= read_bounces(runtime, settings, bounces)
            intake = intake_of(settings, bounces)
        desk = Desk(runtime.commands, runtime.bus, keys, common.site_url)
        app = build_web(common, runtime, desk, sessions, checks, intake)
        log.info("service.starts", listen=settings.listen)
        await runtime.serve(app)


def make_office(common: CommonSettings, settings: NotificationsSettings) -> PostOffice:
    """What is the same for every mail of the installation."""
    return PostOffice(
        site_url=common.site_url,
        sender=settings.sender,
        message_id_domain=settings.message_id_domain,
        pace=settings.pace,
        concurrency=settings.connections,
        first_retry=timedelta(seconds=settings.first_retry_seconds),
        returns=settings.returns,
    )


def make_postman(
    runtime: Runtime, settings: NotificationsSettings, keys: EpochKeys, office: PostOffice, sending: Sending
) -> Postman:
    lock = _lock(runtime, "postman")
    return Postman(runtime.commands, runtime.bus, keys, sending, lock, office, runtime.store.clock)


def make_notice_postman(runtime: Runtime, office: PostOffice, sending: Sending) -> NoticePostman:
    return NoticePostman(runtime.commands, sending, _lock(runtime, "notices"), office, runtime.store.clock)


def read_bounces(runtime: Runtime, settings: NotificationsSettings, bounces: Bounces) -> dict[str, Check]:
    """Reads the mailbox of bounces, where there is one."""
    if settings.bounce_mailbox is None:
        return {}
    place = bounce_place(settings.bounce_mailbox.get_secret_value())
    reader = BounceReader(place, bounces.take, settings.bounce_poll_seconds)
    runtime.background("bounces", reader.work)

    async def readable() -> str | None:
        return reader.problem

    return {"bounces": readable}


def intake_of(settings: NotificationsSettings, bounces: Bounces) -> BounceIntake | None:
    if settings.bounce_intake_key_file is None:
        return None
    return BounceIntake.from_file(bounces, settings.bounce_intake_key_file)


def _keys_fit(postman: Postman) -> Check:
    async def fit() -> str | None:
        if postman.key_missing:
            return "initial secrets are sealed to keys that are not in the file of epoch keys"
        return None

    return fit


def _lock(runtime: Runtime, name: str) -> AdvisoryLock:
    return AdvisoryLock(runtime.settings.database_url.get_secret_value(), name)


def main() -> None:
    """Settings from the environment alone."""
    common = CommonSettings()
    configure_logging("notifications", common.environment, common.log_format)
    settings = NotificationsSettings()
    in_the_clear = mail_server(settings.smtp_url.get_secret_value()).in_the_clear
    if common.environment is Environment.production and in_the_clear:
        log.warning("mail.may_go_in_the_clear", remedy="leave out ?starttls=offered, or use smtps://")
    uvloop.run(run(common, settings))


if __name__ == "__main__":
    main()
