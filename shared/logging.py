"""Logs: JSON in production, readable on a terminal. Never a secret, never personal data (B1)."""

import logging
import sys
from typing import Any

import structlog
from structlog.typing import EventDict, WrappedLogger

from shared.settings import Environment, LogFormat

_FORBIDDEN = frozenset(
    {"password", "pin", "secret", "token", "cookie", "authorization", "email", "address", "name", "user_code"}
)


def configure_logging(service: str, environment: Environment, log_format: LogFormat) -> None:
    as_json = log_format is LogFormat.json or (
        log_format is LogFormat.auto and (environment is Environment.production or not sys.stderr.isatty())
    )
    shared_steps: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _withhold,
        _without_texts,
    ]
    renderer: Any = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[*shared_steps, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
            foreign_pre_chain=shared_steps,
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    for noisy in ("uvicorn.access", "httpx", "httpcore", "nats"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    structlog.contextvars.bind_contextvars(service=service)


def _withhold(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    for key in event:
        if key in _FORBIDDEN:
            event[key] = "withheld"
    return event


def _without_texts(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """An exception's text and its frames may hold what must not be told: only kind and place are logged."""
    info = event.pop("exc_info", None)
    if isinstance(info, BaseException):
        info = (type(info), info, info.__traceback__)
    elif info is True:
        info = sys.exc_info()
    if isinstance(info, tuple) and info[0] is not None:
        frames = []
        trace = info[2]
        while trace is not None:
            frames.append(f"{trace.tb_frame.f_globals.get('__name__')}:{trace.tb_lineno}")
            trace = trace.tb_next
        event["exception"] = info[0].__name__
        event["at"] = frames[-6:]
    return event
