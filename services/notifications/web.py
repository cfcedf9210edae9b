"""The web front of notifications: the desk's pages and the JSON API, on the shared house style."""

from functools import cache
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.notifications.api import router as api_router
from services.notifications.api_campaigns import router as api_campaigns_router
from services.notifications.api_circulars import router as api_circulars_router
from services.notifications.api_hand_over import router as api_hand_over_router
from services.notifications.api_texts import router as api_texts_router
from services.notifications.bounces_api import BounceIntake
from services.notifications.bounces_api import router as bounces_router
from services.notifications.operations import Desk
from services.notifications.operations_circulars import Board
from services.notifications.pages import router as pages_router
from services.notifications.pages_alerts import router as alerts_router
from services.notifications.pages_board import router as board_router
from services.notifications.pages_campaigns import router as campaigns_router
from services.notifications.pages_circulars import router as circulars_router
from services.notifications.pages_drafts import router as drafts_router
from services.notifications.pages_hand_over import router as hand_over_router
from services.notifications.pages_holder import router as holder_router
from services.notifications.pages_reminders import api_router as api_reminders_router
from services.notifications.pages_reminders import router as reminders_router
from services.notifications.pages_resend import api_router as api_resend_router
from services.notifications.pages_resend import router as resend_router
from services.notifications.pages_resend_class import router as resend_class_router
from services.notifications.pages_texts import router as texts_router
from shared.runtime import Check, Runtime
from shared.settings import CommonSettings
from shared.web.app import add_routes, create_web_app
from shared.web.confirmation import BusConfirmer
from shared.web.sessions import Introspector
from shared.web.settings import WebSettings
from shared.web.templating import Pages

HERE = Path(__file__).parent


@cache
def _pages() -> Pages:
    return Pages("Consegne", template_folders=[HERE / "templates"], translations=[HERE / "locales"])


def build_web(
    common: CommonSettings,
    runtime: Runtime,
    desk: Desk,
    introspector: Introspector,
    checks: dict[str, Check],
    bounces: BounceIntake | None = None,
) -> FastAPI:
    """`checks` are the service's own, beside the kernel's, for `/readyz`; `bounces`: None where no mail server may hand
    in what came back."""
    settings = WebSettings(
        site_url=common.site_url, instance=common.instance, extra_hosts=(runtime.settings.listen,)
    )
    pages = _pages()
    metrics = CollectorRegistry()
    runtime.measure(metrics)
    app = create_web_app(
        "notifications",
        settings=settings,
        pages=pages,
        introspector=introspector,
        confirmer=BusConfirmer(runtime.bus),
        checks=runtime.checks() | checks,
        registry=metrics,
        openapi_url="/api/notifications/openapi.json",
        description="What reached whom, and how: classes, states of credentials, deliveries; circulars, for all.",
    )
    app.state.desk = desk
    app.state.board = Board(runtime.commands, common.site_url)
    app.state.bounces = bounces
    add_routes(
        app,
        pages_router,
        hand_over_router,
        holder_router,
        alerts_router,
        api_router,
        api_hand_over_router,
        campaigns_router,
        api_campaigns_router,
        bounces_router,
        resend_router,
        resend_class_router,
        api_resend_router,
        drafts_router,
        circulars_router,
        texts_router,
        reminders_router,
        board_router,
        api_circulars_router,
        api_texts_router,
        api_reminders_router,
    )
    return app
