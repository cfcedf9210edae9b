"""`python -m deploy.mailbox`: the embedded mailbox as a process. Ends cleanly on SIGTERM and SIGINT.

Environment: CUSTODE_MAILBOX_SMTP_LISTEN and CUSTODE_MAILBOX_HTTP_LISTEN (`host:port`), CUSTODE_MAILBOX_FOLDER,
CUSTODE_ENVIRONMENT; CUSTODE_MAILBOX_BOUNCE_URL and CUSTODE_MAILBOX_BOUNCE_KEY_FILE: whom what comes back is handed to. Exit codes: 0 ended, 1 an address is taken, 2 refused to start.
"""

import asyncio
import contextlib
import logging
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import structlog
import uvicorn
from pydantic import ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from deploy.mailbox.returning import Returning
from deploy.mailbox.smtp import Faults, serve_smtp
from deploy.mailbox.store import MailStore
from deploy.mailbox.web import create_app
from shared.logging import configure_logging
from shared.settings import Environment, LogFormat

log = structlog.get_logger("custode.mailbox")


class MailboxSettings(BaseSettings):
    """Where to listen, where to keep the messages, and whom to hand what comes back to."""

    model_config = SettingsConfigDict(env_prefix="CUSTODE_MAILBOX_", extra="ignore")
    smtp_listen: str = "127.0.0.1:2525"
    http_listen: str = "127.0.0.1:8025"
    folder: Path
    bounce_url: str | None = None
    bounce_key_file: Path | None = None

    @property
    def returning(self) -> Returning | None:
        if not self.bounce_url or self.bounce_key_file is None:
            return None
        return Returning(self.bounce_url, self.bounce_key_file)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host.strip("[]"), int(port)


class _Web(uvicorn.Server):
    """uvicorn without its own signal handling, which would end the process by the signal and not with 0."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """uvicorn's hook: `serve` listens for signals itself."""
        yield


async def serve(settings: MailboxSettings) -> None:
    """Serve both sides until a signal comes."""
    store, faults = MailStore(settings.folder), Faults()
    http_host, http_port = _address(settings.http_listen)
    smtp = await serve_smtp(store, faults, *_address(settings.smtp_listen), settings.returning)
    web = _Web(
        uvicorn.Config(
            create_app(store, faults, http_host),
            host=http_host,
            port=http_port,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=2,
        )
    )
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, setattr, web, "should_exit", True)
    log.info("mailbox ready", smtp=settings.smtp_listen, http=settings.http_listen)
    try:
        await web.serve()
    finally:
        smtp.close()
    log.info("mailbox ended")


def main() -> int:
    """The process; its exit code."""
    os.umask(0o077)
    environment = os.environ.get("CUSTODE_ENVIRONMENT", Environment.development)
    if environment != Environment.development:
        sys.stderr.write(
            f"The embedded mailbox is for development only and delivers nothing; in {environment} set "
            "CUSTODE_SMTP_URL to a real mail server.\n"
        )
        return 2
    try:
        settings = MailboxSettings()
        _address(settings.smtp_listen), _address(settings.http_listen)
    except (ValidationError, ValueError):
        sys.stderr.write(
            "The mailbox needs CUSTODE_MAILBOX_FOLDER, and host:port in CUSTODE_MAILBOX_SMTP_LISTEN and "
            "CUSTODE_MAILBOX_HTTP_LISTEN.\n"
        )
        return 2
    configure_logging(
        "mailbox", Environment.development, LogFormat(os.environ.get("CUSTODE_LOG_FORMAT", LogFormat.auto))
    )
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
    try:
        asyncio.run(serve(settings))
    except OSError as error:
        log.error("mailbox cannot listen", reason=os.strerror(error.errno) if error.errno else "refused")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
