"""The streams of the bus, made by provisioner users; the services themselves have no right to."""

import asyncio
import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import nats
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.errors import NoRespondersError
from nats.errors import TimeoutError as NatsTimeout

from deploy.engines.errors import EngineError
from deploy.engines.nats_keys import SeedFolder, school_user
from shared.messaging.bus import servers

EVENT_STREAMS = ("REGISTRY", "IDENTITY", "NOTIFICATIONS")
INGRESS = "INGRESS"
INGRESS_CONSUMER = "registry"
NOBODY = (
    "ingress._.cmd"  # a stream needs a subject before the first school is there; nobody may publish this one
)
DEDUPE_WINDOW = 100_000_000  # nanoseconds, the least the server takes: we never rely on it
STREAM_NOT_FOUND = 10059
WRONG_LAST_SEQUENCE = 10071
NO_LEADER = (10005, 10006, 10008, 10009)  # too few servers yet, not active, not available, not the leader
LEADER_SECONDS = 30.0
CONNECT_SECONDS = 10.0
REQUEST_SECONDS = 2.0
RELOADS = 4

Config = dict[str, Any]


def event_stream(name: str, replicas: int = 1) -> Config:
    """The stream that holds one service's history: nothing in it can be deleted, purged or pushed out."""
    return {
        "name": name,
        "subjects": [f"{name.lower()}.evt.>"],
        "storage": "file",
        "retention": "limits",
        "discard": "new",
        "max_msgs": -1,
        "max_bytes": -1,
        "max_age": 0,
        "deny_delete": True,
        "deny_purge": True,
        "allow_direct": True,
        "allow_atomic": True,
        "num_replicas": replicas,
        "duplicate_window": DEDUPE_WINDOW,
    }


def ingress_stream(schools: Sequence[str], replicas: int = 1) -> Config:
    """The work queue into which school systems put commands, each school under a subject of its own.

    One school can fill its own part only; when it has, its next command is refused at the door.
    """
    return {
        "name": INGRESS,
        "subjects": [NOBODY, *(f"ingress.{school}.cmd" for school in sorted(schools))],
        "storage": "file",
        "retention": "workqueue",
        "discard": "new",
        "discard_new_per_subject": True,
        "max_msgs_per_subject": 5_000,
        "max_bytes": 2 * 1024**3,
        "max_msg_size": 65_536,
        "max_age": 0,
        "num_replicas": replicas,
        "duplicate_window": DEDUPE_WINDOW,
    }


def ingress_consumer() -> Config:
    """Registry's place in the queue: it acknowledges after its commit, and gets back what it did not."""
    return {
        "name": INGRESS_CONSUMER,
        "durable_name": INGRESS_CONSUMER,
        "deliver_policy": "all",
        "ack_policy": "explicit",
        "ack_wait": 30_000_000_000,
        "max_deliver": -1,
        "max_ack_pending": 1000,
        "replay_policy": "instant",
    }


async def connect(url: str, seeds: SeedFolder, user: str) -> Client:
    """A short-lived connection as one user; gives up after ten seconds.

    Errors: EngineError when nobody answers or the user is refused.
    """
    try:
        # The client itself would go on asking servers that do not answer.
        async with asyncio.timeout(CONNECT_SECONDS):
            return await nats.connect(
                servers(url),
                nkeys_seed=str(seeds.file(user)),
                inbox_prefix=f"_INBOX_{user}".encode(),
                connect_timeout=5,
                allow_reconnect=False,
                max_reconnect_attempts=0,
                error_cb=_quiet,
            )
    except Exception as error:
        raise EngineError(
            f"the bus at {url} does not let {user} in: {str(error) or type(error).__name__}"
        ) from error


async def _quiet(_: Exception) -> None:
    """Errors reach whoever asked; none is printed twice."""


async def _ask(client: Client, subject: str, body: Mapping[str, object] | None = None) -> Config:
    """One request to JetStream, repeated while its cluster has no leader. Errors: EngineError for no answer."""
    payload = b"" if body is None else json.dumps(body).encode()
    deadline = time.monotonic() + LEADER_SECONDS
    while True:
        try:
            answer = await client.request(f"$JS.API.{subject}", payload, timeout=REQUEST_SECONDS)
            found: Config = json.loads(answer.data)
            trouble = found.get("error", {})
            if trouble.get("err_code") not in NO_LEADER:
                return found
            reason = str(trouble.get("description"))
        except NatsError as error:
            reason = type(error).__name__
        if not client.is_connected or time.monotonic() > deadline:
            raise EngineError(f"the bus does not answer {subject}: {reason}")
        await asyncio.sleep(0.25)


def _check(answer: Config, what: str) -> None:
    if "error" in answer:
        raise EngineError(f"the bus refused {what}: {answer['error'].get('description', answer['error'])}")


async def _provide_stream(client: Client, config: Config) -> None:
    name = config["name"]
    found = await _ask(client, f"STREAM.INFO.{name}")
    if found.get("error", {}).get("err_code") == STREAM_NOT_FOUND:
        _check(await _ask(client, f"STREAM.CREATE.{name}", config), f"the stream {name}")
        return
    _check(found, f"the stream {name}")
    if any(found["config"].get(key, 0) != value for key, value in config.items()):
        wanted = found["config"] | config
        _check(await _ask(client, f"STREAM.UPDATE.{name}", wanted), f"the changed stream {name}")


async def _provide_consumer(client: Client) -> None:
    config = ingress_consumer()
    body = {"stream_name": INGRESS, "config": config}
    answer = await _ask(client, f"CONSUMER.CREATE.{INGRESS}.{INGRESS_CONSUMER}", body)
    _check(answer, "registry's place in the queue")


async def provision(url: str, seeds: SeedFolder, replicas: int = 1) -> None:
    """Make what is missing, adapt what differs, leave alone what is right. A wiped stream comes back empty.

    replicas: on how many servers each stream is kept; 3 needs a cluster of three. Errors: EngineError.
    """
    for name in EVENT_STREAMS:
        client = await connect(url, seeds, f"{name.lower()}_admin")
        try:
            await _provide_stream(client, event_stream(name, replicas))
            if name == "REGISTRY":
                await _provide_stream(client, ingress_stream(seeds.schools(), replicas))
                await _provide_consumer(client)
        finally:
            await client.close()


async def wipe(url: str, seeds: SeedFolder, *names: str) -> None:
    """Delete event streams, as a bad day would (for tests and rehearsals). The stores bring them back.

    Errors: EngineError. A stream that is not there is as good as deleted.
    """
    for name in names:
        client = await connect(url, seeds, f"{name.lower()}_admin")
        try:
            answer = await _ask(client, f"STREAM.DELETE.{name}")
            if answer.get("error", {}).get("err_code") != STREAM_NOT_FOUND:
                _check(answer, f"the deletion of {name}")
        finally:
            await client.close()


async def stream_info(url: str, seeds: SeedFolder, name: str) -> Config:
    """What an event stream says of itself; `cluster.leader` is null without a quorum. Errors: EngineError."""
    client = await connect(url, seeds, f"{name.lower()}_admin")
    try:
        found = await _ask(client, f"STREAM.INFO.{name}")
    finally:
        await client.close()
    _check(found, f"the state of {name}")
    return found


async def reload(url: str, seeds: SeedFolder) -> None:
    """Make every server read its configuration again, through the system account; returns when they have.

    Errors: EngineError with a server's reason when it keeps the old one.
    """
    client = await connect(url, seeds, "sys")
    try:
        for server in await _servers(client, len(servers(url))):
            answer = await client.request(f"$SYS.REQ.SERVER.{server}.RELOAD", b"", timeout=10)
            _check(json.loads(answer.data), "its new configuration")
    except NatsError as error:
        raise EngineError(f"a server of the bus does not answer: {type(error).__name__}") from error
    finally:
        await client.close()


async def _servers(client: Client, expected: int) -> list[str]:
    """The ids of the servers that are there."""
    inbox = client.new_inbox()
    answers = await client.subscribe(inbox)
    await client.publish("$SYS.REQ.SERVER.PING", b"", reply=inbox)
    found: list[str] = []
    try:
        while len(found) < expected:
            answer = await answers.next_msg(timeout=10 if not found else 2)
            found.append(json.loads(answer.data)["server"]["id"])
    except NatsTimeout:
        if not found:
            raise
    return found


async def school_is_heard(url: str, seeds: SeedFolder, school: str) -> bool:
    """Whether a school's commands reach the queue: asked with a command that the queue must refuse."""
    client = await connect(url, seeds, school_user(school))
    try:
        impossible = {"Nats-Expected-Last-Sequence": str(2**62)}
        answer = await client.request(f"ingress.{school}.cmd", b"", timeout=5, headers=impossible)
    except NoRespondersError:
        return False
    finally:
        await client.close()
    code: int = json.loads(answer.data)["error"]["err_code"]
    return code == WRONG_LAST_SEQUENCE


async def admit_school(url: str, seeds: SeedFolder, school: str, replicas: int = 1) -> None:
    """Make a server whose configuration names a new school let it in, and widen the queue.

    A new account's way into another one opens only with the reload after the one that made it (nats-server
    2.15; see its issue 8560), so this reloads until the school is heard. Errors: EngineError.
    """
    for _ in range(RELOADS):
        await reload(url, seeds)
        await provision(url, seeds, replicas)
        if await school_is_heard(url, seeds, school):
            return
    raise EngineError(f"the bus does not hear {school} after {RELOADS} reloads: restart it")
