"""The connection to NATS: made in the background, so that a service starts and works without the bus."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import nats
import structlog
from nats.aio.client import Client

from shared.tasks import end

log = structlog.get_logger()
_RETRY_SECONDS = 0.5


class BusUnavailable(Exception):
    """There is no connection to NATS at this moment; what is committed will be published later."""

    def __init__(self) -> None:
        super().__init__("no connection to the message bus at this moment")


def servers(url: str) -> list[str]:
    """The servers of `CUSTODE_NATS_URL`: one, or the nodes of a cluster, separated by commas."""
    return [one.strip() for one in url.split(",") if one.strip()]


class _LeanClient(Client):
    """nats-py examines each header's name letter by letter, and a message of a stream has eight: more work than all
    the rest of its reception. Should it look elsewhere one day, only the time is lost."""

    @staticmethod
    def _parse_header_lines(raw: bytes) -> dict[str, str]:
        pairs = (line.partition(":") for line in raw.decode("utf-8", "replace").split("\r\n"))
        return {name.strip(): value.strip() for name, colon, value in pairs if colon}


class Bus:
    """One connection of one service's user, to one of the servers of `url` (see `servers`).

    `user` names its inbox: `_INBOX_<user>` (NATS.md)."""

    def __init__(self, url: str, user: str, seed_file: Path | None) -> None:
        self._url = url
        self._user = user
        self._seed_file = seed_file
        self._client: Client | None = None
        self._task: asyncio.Task[None] | None = None
        self._connected = asyncio.Event()
        self._subscriptions: list[tuple[str, str, Any]] = []

    def start(self) -> None:
        self._task = asyncio.create_task(self._keep_connected(), name="bus")

    async def close(self) -> None:
        await end(self._task)
        if self._client is not None:
            await self._close(self._client)

    @property
    def client(self) -> Client:
        """The connected client, or `BusUnavailable`."""
        if self._client is None or not self._client.is_connected:
            raise BusUnavailable
        return self._client

    async def connected(self) -> Client:
        """The client, once there is a connection."""
        while self._client is None or not self._client.is_connected:
            await self._connected.wait()
            await asyncio.sleep(0 if self._client is not None and self._client.is_connected else 0.1)
        return self._client

    def problem(self) -> str | None:
        """For `/readyz`: None when connected."""
        try:
            _ = self.client
        except BusUnavailable as unavailable:
            return str(unavailable)
        return None

    async def subscribe(self, subject: str, handler: Any, queue: str = "") -> None:
        """`async handler(message)`, from the first connection on and across reconnections."""
        self._subscriptions.append((subject, queue, handler))
        if self._client is not None and not self._client.is_closed:
            await self._client.subscribe(subject, queue=queue, cb=handler)

    async def _keep_connected(self) -> None:
        # nats-py's first connect hangs with unlimited attempts, hence the loop around a single one; and after some
        # errors it closes for good, hence the loop around it all.
        while True:
            closed = asyncio.Event()
            client = _LeanClient()
            try:
                await asyncio.wait_for(client.connect(**self._options(closed)), timeout=5)
                client.options["max_reconnect_attempts"] = -1
                for subject, queue, handler in self._subscriptions:
                    await client.subscribe(subject, queue=queue, cb=handler)
            except (OSError, TimeoutError, nats.errors.Error):
                await self._close(client)
                await asyncio.sleep(_RETRY_SECONDS)
                continue
            self._client = client
            self._connected.set()
            log.info("bus.connected", user=self._user)
            await closed.wait()
            self._connected.clear()
            log.warning("bus.closed", user=self._user)
            await asyncio.sleep(_RETRY_SECONDS)

    @staticmethod
    async def _close(client: Client) -> None:
        with contextlib.suppress(Exception):
            await client.close()

    def _options(self, closed: asyncio.Event) -> dict[str, Any]:
        async def quiet(error: Exception) -> None:
            log.warning("bus.error", error=type(error).__name__)

        async def gone() -> None:
            closed.set()

        options: dict[str, Any] = {
            "servers": servers(self._url),
            "name": f"custode-{self._user}",
            "allow_reconnect": True,
            "max_reconnect_attempts": 1,
            "reconnect_time_wait": _RETRY_SECONDS,
            "connect_timeout": 2,
            "ping_interval": 5,
            "max_outstanding_pings": 2,
            "inbox_prefix": f"_INBOX_{self._user}".encode(),
            "error_cb": quiet,
            "closed_cb": gone,
        }
        if self._seed_file is not None:
            options["nkeys_seed"] = str(self._seed_file)
        return options
