"""`create_web_app`: a FastAPI app with everything of this package installed."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AbstractAsyncContextManager

import structlog
from fastapi import APIRouter, FastAPI
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.responses import JSONResponse, Response

from shared.web.confirmation import Confirmer
from shared.web.description import describe
from shared.web.errors import install_errors
from shared.web.guard import CatchAllMiddleware, LanguageMiddleware
from shared.web.reference import add_reference
from shared.web.security import (
    BodyRefused,
    RequestGuardMiddleware,
    SecurityHeadersMiddleware,
    on_body_refused,
)
from shared.web.sessions import Introspector
from shared.web.settings import WebSettings
from shared.web.state import WebState
from shared.web.statics import STATIC, ImmutableStatic
from shared.web.telemetry import HttpMetrics, TelemetryMiddleware
from shared.web.templating import Pages

CHECK_SECONDS = 3.0

Check = Callable[[], Awaitable[str | None]]
"""A readiness check: None when all is well, else the reason in one line (no personal data, no secrets)."""

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]

log = structlog.get_logger("custode.web")


def add_routes(app: FastAPI, *routers: APIRouter) -> None:
    """The routes of these routers, as `include_router` without a prefix: these very ones, not a second set that is built
    at the first request."""
    for router in routers:
        app.router.routes.extend(router.routes)


def create_web_app(
    title: str,
    *,
    settings: WebSettings,
    pages: Pages,
    introspector: Introspector | None = None,
    checks: Mapping[str, Check] | None = None,
    registry: CollectorRegistry | None = None,
    lifespan: Lifespan | None = None,
    openapi_url: str | None = None,
    confirmer: Confirmer | None = None,
    version: str = "1",
    description: str = "",
) -> FastAPI:
    """A web front: request protection, errors, languages, static files, probes and metrics.

    title: the service's name. checks: what `/readyz` asks, by name. registry: where metrics are kept
    (a new one when None; found again as `app.state.metrics`). openapi_url: where the API describes itself,
    with a page for people beside it.
    """
    app = FastAPI(
        title=title,
        version=version,
        description=description,
        lifespan=lifespan,
        openapi_url=openapi_url,
        docs_url=None,
        redoc_url=None,
    )
    metrics = registry if registry is not None else CollectorRegistry()
    app.state.web = WebState(settings=settings, pages=pages, introspector=introspector, confirmer=confirmer)
    app.state.metrics = metrics
    install(app, settings, metrics)
    app.mount("/static", ImmutableStatic(directory=STATIC), name="static")
    _add_probes(app, dict(checks or {}), metrics)
    if openapi_url is not None:
        describe(app, settings)
        add_reference(app, openapi_url)
    return app


def install(app: FastAPI, settings: WebSettings, metrics: CollectorRegistry) -> None:
    """Add errors and middleware; the last one added is the outermost."""
    install_errors(app)
    app.add_exception_handler(BodyRefused, on_body_refused)
    app.add_middleware(RequestGuardMiddleware, settings=settings)
    app.add_middleware(CatchAllMiddleware)
    app.add_middleware(LanguageMiddleware)
    app.add_middleware(SecurityHeadersMiddleware, settings=settings)
    app.add_middleware(TelemetryMiddleware, metrics=HttpMetrics(metrics))


async def _ask(name: str, check: Check) -> tuple[str, str | None]:
    try:
        return name, await asyncio.wait_for(check(), CHECK_SECONDS)
    except TimeoutError:
        return name, f"no answer within {CHECK_SECONDS:g} seconds"
    except Exception as error:
        log.warning("readiness check failed", check=name, error=type(error).__name__)
        return name, f"check failed: {type(error).__name__}"


def _add_probes(app: FastAPI, checks: Mapping[str, Check], metrics: CollectorRegistry) -> None:
    async def healthz() -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz() -> Response:
        answers = await asyncio.gather(*(_ask(name, check) for name, check in checks.items()))
        reasons = {name: reason for name, reason in answers if reason is not None}
        body = {
            "status": "not ready" if reasons else "ready",
            "checks": {name: {"ok": reason is None, "reason": reason} for name, reason in answers},
        }
        return JSONResponse(body, status_code=503 if reasons else 200)

    async def metrics_page() -> Response:
        return Response(generate_latest(metrics), media_type=CONTENT_TYPE_LATEST)

    app.add_api_route("/healthz", healthz, include_in_schema=False)
    app.add_api_route("/readyz", readyz, include_in_schema=False)
    app.add_api_route("/metrics", metrics_page, include_in_schema=False)
