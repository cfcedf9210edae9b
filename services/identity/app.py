"""The composition root: the only place that knows every part. `python -m services.identity.app`"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import uvloop
from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.identity.api import api_routes
from services.identity.api_life import life_api_routes
from services.identity.api_own import own_api_routes
from services.identity.api_passkeys import passkey_api_routes
from services.identity.api_staff import staff_api_routes
from services.identity.challenges import Challenges
from services.identity.confirmations import Confirmations
from services.identity.departures import SLIPS_IN_HANDS
from services.identity.desk import DeskQueries
from services.identity.devices import Devices
from services.identity.door import Door
from services.identity.due_dates import DueDates
from services.identity.housekeeping import Housekeeping
from services.identity.issuer import Issuer
from services.identity.issuing import Issuing
from services.identity.operations_life import CredentialLife
from services.identity.operations_staff import StaffDesk
from services.identity.own import OwnAccess
from services.identity.pages import page_routes
from services.identity.pages_desk import desk_routes
from services.identity.pages_lost import lost_routes
from services.identity.pages_own import own_routes
from services.identity.pages_requests import request_routes
from services.identity.pages_sessions import sessions_routes
from services.identity.pages_staff import staff_routes
from services.identity.passkeys import Passkeys, RelyingParty
from services.identity.passwords import Hasher, HasherBusy, Peppers
from services.identity.pins import Pins
from services.identity.projections import REDUCERS, project
from services.identity.queries import Queries
from services.identity.reactions import Reactions
from services.identity.refusals_staff import on_refused
from services.identity.sessions import Sessions
from services.identity.settings import IdentitySettings
from services.identity.showing import Showing
from services.identity.signing_in import SigningIn
from services.identity.slips import Slips
from services.identity.web import Front, on_busy
from shared.database import AdvisoryLock
from shared.decider import Refused
from shared.logging import configure_logging
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings
from shared.web.app import add_routes, create_web_app
from shared.web.settings import WebSettings
from shared.web.templating import Pages

HERE = Path(__file__).parent
MIGRATIONS = HERE / "migrations"


@dataclass(frozen=True)
class Parts:
    """Everything of identity, put together on one runtime."""

    runtime: Runtime
    metrics: CollectorRegistry
    hasher: Hasher
    reactions: Reactions
    issuer: Issuer
    slips: Slips
    housekeeping: Housekeeping
    due_dates: DueDates
    sessions: Sessions
    front: Front

    async def start(self) -> None:
        """Read the others, answer them, work in the background."""
        reactions = {"registry": self.reactions.react, "notifications": self.reactions.heed_notifications}
        await self.runtime.follow(reactions, heeds={"notifications": {*REDUCERS, *SLIPS_IN_HANDS}})
        await self.slips.serve(self.runtime.bus)
        await self.sessions.serve(self.runtime.bus)
        await self.front.own.confirmations.serve(self.runtime.bus)
        self.runtime.background("issuer", self.issuer.run)
        self.runtime.background("sessions", partial(self.sessions.tell_changes, self.runtime.bus))
        self.runtime.background("housekeeping", self.housekeeping.run)
        self.runtime.background("due-dates", self.due_dates.run)

    def web(self) -> FastAPI:
        app = create_web_app(
            "identity",
            settings=self.front.settings,
            pages=self.front.pages,
            introspector=self.sessions,
            confirmer=self.front.own.confirmations,
            checks=self.runtime.checks(),
            registry=self.metrics,
            openapi_url="/api/identity/openapi.json",
            description="Who may sign in, and as whom.",
        )
        app.add_exception_handler(HasherBusy, on_busy)
        app.add_exception_handler(Refused, on_refused)
        made = (
            page_routes,
            own_routes,
            sessions_routes,
            staff_routes,
            passkey_api_routes,
            staff_api_routes,
            lost_routes,
            own_api_routes,
            life_api_routes,
            desk_routes,
            request_routes,
            api_routes,
        )
        add_routes(app, *(routes(self.front) for routes in made))
        self.runtime.measure(self.metrics)
        return app


@cache
def _pages() -> Pages:
    return Pages("Accesso", [HERE / "templates"], [HERE / "locales"])


@asynccontextmanager
async def put_together(common: CommonSettings, settings: IdentitySettings) -> AsyncIterator[Parts]:
    """Open the runtime and build every part; nothing works in the background yet."""
    peppers = Peppers.from_files(settings.pepper_file, settings.previous_pepper_files)
    async with open_runtime("identity", common, settings, project, MIGRATIONS) as runtime:
        store, metrics = runtime.store, CollectorRegistry()
        hasher = Hasher(peppers, settings.cost, queue=settings.hash_queue)
        runtime.stack.callback(hasher.close)
        door = Door(settings.hash_queue_per_address)
        issuing = Issuing(hasher)
        runtime.stack.push_async_callback(issuing.close)
        url = settings.database_url.get_secret_value()
        slips = Slips(store, metrics)
        sessions = Sessions(runtime.commands)
        issuer_lock, keeper_lock = AdvisoryLock(url, "issuer"), AdvisoryLock(url, "housekeeping")
        runtime.stack.push_async_callback(issuer_lock.release)
        runtime.stack.push_async_callback(keeper_lock.release)
        due_lock = AdvisoryLock(url, "due-dates")
        runtime.stack.push_async_callback(due_lock.release)
        issuer = Issuer(store, issuing, issuer_lock)
        signing_in = SigningIn(runtime.commands, hasher, peppers, Devices(peppers), door)
        showing = Showing(runtime.commands, hasher, signing_in)
        own = OwnAccess(runtime.commands, Pins(store, hasher, showing), Confirmations(store, showing))
        web = WebSettings(site_url=common.site_url, instance=common.instance, extra_hosts=(settings.listen,))
        front = Front(
            settings=web,
            pages=_pages(),
            commands=runtime.commands,
            queries=Queries(runtime.pool),
            signing_in=signing_in,
            sessions=sessions,
            wake_issuer=issuer.wake,
            front_door=settings.front_door,
            own=own,
            staff=StaffDesk(runtime.commands, hasher),
            passkeys=Passkeys(
                runtime.commands,
                Challenges(runtime.pool, peppers),
                Devices(peppers),
                showing,
                RelyingParty.at(common.site_url),
            ),
            life=CredentialLife(runtime.commands, issuing),
            desk=DeskQueries(store),
        )
        yield Parts(
            runtime=runtime,
            metrics=metrics,
            hasher=hasher,
            reactions=Reactions(store, issuing, sessions.changing),
            issuer=issuer,
            slips=slips,
            housekeeping=Housekeeping(store, slips, keeper_lock, own),
            due_dates=DueDates(store, due_lock),
            sessions=sessions,
            front=front,
        )


async def main() -> None:
    common, settings = CommonSettings(), IdentitySettings()
    configure_logging("identity", common.environment, common.log_format)
    async with put_together(common, settings) as parts:
        await parts.start()
        await parts.runtime.serve(parts.web())


if __name__ == "__main__":
    uvloop.run(main())
