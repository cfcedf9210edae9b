"""The web front of the registry: the signed-in home and the JSON API."""

from functools import cache
from pathlib import Path

from fastapi import FastAPI
from prometheus_client import CollectorRegistry

from services.registry.act_pages import router as act_pages_router
from services.registry.api import router as api_router
from services.registry.desk_imports import DeskImports
from services.registry.family_pages import router as family_pages_router
from services.registry.import_pages import IMPORTS
from services.registry.import_pages import router as import_pages_router
from services.registry.mailbox_api import router as mailbox_api_router
from services.registry.mailbox_pages import router as mailbox_pages_router
from services.registry.operations import Registry
from services.registry.pages import router as pages_router
from services.registry.people_api import router as people_api_router
from services.registry.people_pages import router as people_pages_router
from services.registry.policy_api import router as policy_api_router
from services.registry.policy_pages import router as policy_pages_router
from services.registry.staff_pages import router as staff_pages_router
from services.registry.uploads import Uploads
from shared.web.app import add_routes, create_web_app
from shared.web.confirmation import BusConfirmer
from shared.web.reference import add_reference
from shared.web.sessions import Introspector
from shared.web.settings import WebSettings
from shared.web.templating import Pages

HERE = Path(__file__).parent
_MB = 1024 * 1024
OPENAPI = "/api/registry/openapi.json"
UPLOAD_LIMIT = 64 * _MB
LIST_LIMIT = 8 * _MB
PEOPLE = (
    people_api_router,
    mailbox_api_router,
    people_pages_router,
    act_pages_router,
    mailbox_pages_router,
    staff_pages_router,
    family_pages_router,
)


@cache
def _pages() -> Pages:
    return Pages("Registro", template_folders=[HERE / "templates"], translations=[HERE / "locales"])


def build_web(registry: Registry, introspector: Introspector) -> FastAPI:
    runtime = registry.runtime
    settings = WebSettings(
        site_url=runtime.common.site_url,
        instance=runtime.common.instance,
        extra_hosts=(runtime.settings.listen,),
        body_limits={
            "/api/registry/imports": UPLOAD_LIMIT,
            IMPORTS: UPLOAD_LIMIT,
            "/api/registry/mailboxes": LIST_LIMIT,
            "/registro/sportello/caselle": LIST_LIMIT,
            "/registro/sportello/incarichi/elenco": LIST_LIMIT,
        },
    )
    metrics = CollectorRegistry()
    runtime.measure(metrics)
    app = create_web_app(
        "registry",
        settings=settings,
        pages=_pages(),
        introspector=introspector,
        confirmer=BusConfirmer(runtime.bus),
        checks=runtime.checks(),
        registry=metrics,
        openapi_url=OPENAPI,
        description="Who belongs to the school: enrolments, classes, imports.",
    )
    app.state.registry_service = registry
    app.state.uploads = Uploads()
    app.state.desk_imports = DeskImports(registry, app.state.uploads)
    add_routes(
        app, api_router, pages_router, *PEOPLE, policy_api_router, policy_pages_router, import_pages_router
    )
    add_reference(app, OPENAPI)
    return app
