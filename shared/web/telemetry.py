"""Every request has a name: W3C traceparent taken or made, a request id, one log line, two metrics.

The log line carries the route's template, never the path or the query of the request.
"""

import re
import secrets
import time
from collections.abc import MutableMapping
from typing import Any

import structlog
from prometheus_client import CollectorRegistry, Counter, Histogram
from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

_TRACEPARENT = re.compile(r"00-(?!0{32})([0-9a-f]{32})-(?!0{16})([0-9a-f]{16})-[0-9a-f]{2}")
_QUIET = frozenset({"/healthz", "/readyz", "/metrics"})

log = structlog.get_logger("custode.http")


def trace_of(header: str | None) -> str:
    """The trace id (32 hex digits) of a `traceparent` header; a new one when it is missing or malformed."""
    match = _TRACEPARENT.fullmatch(header or "")
    return match[1] if match else secrets.token_hex(16)


def route_of(scope: MutableMapping[str, Any]) -> str:
    """The template of the route that answered, e.g. `/registro/classi/{class_id}`; `-` when none did."""
    route = scope.get("route")
    return str(getattr(route, "path", "-"))


class HttpMetrics:
    """Requests counted and timed, by method, route and status class."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.requests = Counter(
            "custode_http_requests_total",
            "Requests answered",
            ["method", "route", "status"],
            registry=registry,
        )
        self.seconds = Histogram(
            "custode_http_request_seconds", "Time to the end of the answer", ["route"], registry=registry
        )


class TelemetryMiddleware:
    """Outermost: names the request, and tells of it when it is answered."""

    def __init__(self, app: ASGIApp, metrics: HttpMetrics) -> None:
        self.app = app
        self.metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI: one request."""
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        trace_id = trace_of(Headers(scope=scope).get("traceparent"))
        request_id = secrets.token_hex(8)
        state = scope.setdefault("state", {})
        state["request_id"] = request_id
        state["traceparent"] = f"00-{trace_id}-{request_id}-01"
        structlog.contextvars.clear_contextvars()
        structlog.contextvars.bind_contextvars(trace_id=trace_id, request_id=request_id)
        status = 500
        started = time.perf_counter()

        async def named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                MutableHeaders(scope=message)["X-Request-ID"] = request_id
            await send(message)

        try:
            await self.app(scope, receive, named)
        finally:
            self._tell(scope, status, time.perf_counter() - started)

    def _tell(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "other"
        route = route_of(scope)
        self.metrics.requests.labels(method, route, str(status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        if scope["path"] not in _QUIET and not scope["path"].startswith("/static/"):
            log.info("request", method=method, route=route, status=status, ms=round(seconds * 1000, 1))


_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
