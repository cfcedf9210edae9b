"""What the kernel asks of a JetStream stream: its end, its bytes. Few requests, each checked (NATS.md)."""

import asyncio
import contextlib
import json
from collections.abc import Awaitable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.ids import new_id

REQUEST_TIMEOUT = 2.0
PUBLISH_TIMEOUT = 4.0
SILENCE = 1.0
ATOMIC_MOST = 1000
"""Messages of an atomic batch: the most that the server takes."""
_LAGGING_TRIES = 20
_SENT_AT_ONCE = 200
"""Messages that are written to the socket together: the server works on them while the next are made ready."""


class StreamMissing(Exception):
    def __init__(self, stream: str) -> None:
        super().__init__(f"the stream {stream} does not exist: it is made anew by `custode up`")


class ReplicaBehind(Exception):
    """A replica answers that has not yet got what the stream's leader told of."""

    def __init__(self, stream: str, sequence: int) -> None:
        super().__init__(f"the stream {stream} does not show its message {sequence}")


class NoLeader(Exception):
    """The stream's cluster has no quorum: what it says of itself is stale."""


class PublishRefused(Exception):
    """The stream did not stand where it should (another wrote), or is being refused for another reason."""

    def __init__(self, code: int, description: str) -> None:
        super().__init__(f"{description} ({code})")
        self.code = code


class WrongSequence(Exception):
    """The stream gave a number other than the position: it is not the replica it should be."""


class Outgoing(NamedTuple):
    position: int
    subject: str
    entry: bytes


class Message(NamedTuple):
    sequence: int
    data: bytes
    subject: str


@dataclass(frozen=True, slots=True)
class Fetched:
    """`pending`: how many more the stream holds beyond these."""

    messages: list[Message]
    pending: int


class Stream:
    """One stream, seen from the account that owns it or from one that imports its two read requests."""

    def __init__(self, name: str, *, foreign: bool) -> None:
        self.name = name
        self._prefix = f"JS.{name}.API" if foreign else "$JS.API"

    async def last_sequence(self, client: Client) -> int:
        reply = await client.request(f"{self._prefix}.STREAM.INFO.{self.name}", b"", timeout=REQUEST_TIMEOUT)
        info = _json(reply)
        if "error" in info:
            if info["error"].get("code") == 404:
                raise StreamMissing(self.name)
            raise NoLeader(info["error"].get("description", "no answer"))
        cluster = info.get("cluster")
        if cluster is not None and not cluster.get("leader"):
            raise NoLeader("no leader")
        return int(info["state"]["last_seq"])

    async def message_at(self, client: Client, sequence: int) -> bytes:
        """The bytes of a message that must be there, since `last_sequence` told of it; none for 0.

        Errors: `ReplicaBehind` when nobody shows it for a second: any replica answers, also one that lags.
        """
        if sequence == 0:
            return b""
        request = json.dumps({"seq": sequence}).encode()
        for _ in range(_LAGGING_TRIES):
            reply = await client.request(
                f"{self._prefix}.DIRECT.GET.{self.name}", request, timeout=REQUEST_TIMEOUT
            )
            headers = reply.headers or {}
            if headers.get("Nats-Sequence") == str(sequence):
                return reply.data
            if "Status" in headers:
                self._end_of_stream(headers["Status"])
            await asyncio.sleep(1 / _LAGGING_TRIES)
        raise ReplicaBehind(self.name, sequence)

    async def fetch(self, client: Client, after: int, batch: int, max_bytes: int) -> Fetched:
        """Messages from `after` + 1 on, as many as are there up to `batch`.

        Errors: TimeoutError after a silent second; `StreamMissing` when nobody answers for the stream.
        """
        found: list[Message] = []
        end: Msg | None = None
        moved = asyncio.Event()

        async def on_message(message: Msg) -> None:
            nonlocal end
            headers = message.headers or {}
            if "Status" in headers:
                end = message
                moved.set()
            else:
                found.append(Message(int(headers["Nats-Sequence"]), message.data, headers["Nats-Subject"]))

        inbox = client.new_inbox()
        subscription = await client.subscribe(inbox, cb=on_message)
        try:
            request = json.dumps({"seq": after + 1, "batch": batch, "max_bytes": max_bytes}).encode()
            await client.publish(f"{self._prefix}.DIRECT.GET.{self.name}", request, reply=inbox)
            while end is None:
                heard = len(found)
                await _within(SILENCE, moved.wait())
                if end is None and len(found) == heard:
                    raise TimeoutError
        finally:
            await subscription.unsubscribe()
        headers = end.headers or {}
        self._end_of_stream(headers["Status"])
        return Fetched(found, int(headers.get("Nats-Num-Pending", "0")))

    def _end_of_stream(self, status: str) -> None:
        """Of the statuses only these two mean that there is nothing more; all others are troubles."""
        if status == "503":
            raise StreamMissing(self.name)
        if status not in ("204", "404"):
            raise NoLeader(f"{self.name}: {status}")


async def publish(client: Client, messages: Sequence[Outgoing]) -> None:
    """All of them (at most `ATOMIC_MOST`) at their positions, or none: one by itself, more as one atomic batch.

    Errors: `PublishRefused` when the stream does not stand at the position before the first; TimeoutError.
    """
    assert 0 < len(messages) <= ATOMIC_MOST
    headers = {"Nats-Expected-Last-Sequence": str(messages[0].position - 1)}
    last = messages[-1]
    if len(messages) > 1:
        batch_id = new_id()
        for number, message in enumerate(messages[:-1], 1):
            headers |= {"Nats-Batch-Id": batch_id, "Nats-Batch-Sequence": str(number)}
            await client.publish(message.subject, message.entry, headers=headers)
            headers = {}
            if number % _SENT_AT_ONCE == 0:
                await asyncio.sleep(0)
        headers = {
            "Nats-Batch-Id": batch_id,
            "Nats-Batch-Sequence": str(len(messages)),
            "Nats-Batch-Commit": "1",
        }
    reply = await client.request(last.subject, last.entry, timeout=PUBLISH_TIMEOUT, headers=headers)
    _acknowledged(reply, last.position)


def _acknowledged(reply: Msg, position: int) -> None:
    answer = _json(reply)
    if "error" in answer:
        raise PublishRefused(int(answer["error"].get("err_code", 0)), answer["error"].get("description", ""))
    if answer.get("seq") != position:
        raise WrongSequence(f"position {position} was acknowledged as {answer.get('seq')}")


def _json(message: Msg) -> dict[str, Any]:
    status = (message.headers or {}).get("Status")
    if status is not None:
        raise PublishRefused(int(status), "no responder")
    answer = json.loads(message.data)
    if not isinstance(answer, dict):
        raise PublishRefused(0, "an answer of an unknown shape")
    return answer


class Doorbell:
    """Rings in this process after a commit, and across the bus after a publication."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self, *_: object) -> None:
        self._event.set()

    async def wait(self, at_most: float) -> None:
        """Until it rings, or `at_most` seconds: the slow poll behind every bell."""
        await _within(at_most, self._event.wait())
        self._event.clear()


async def _within(seconds: float, waited_for: Awaitable[object]) -> None:
    """Until it is there or the time is up."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await waited_for
