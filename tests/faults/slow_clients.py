"""Scenario: clients that hold connections and say nothing, never finish, or never read; the others are served."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from deploy.environment import SERVICES
from tests.faults.check import check
from tests.faults.flow import Flow
from tests.faults.ground import Ground, ground
from tests.faults.outside import Outside
from tests.faults.people import SchoolUnderFire, Way, school
from tests.faults.scenario import Report, scenario

DRIP_SECONDS = 0.5
Slow = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@scenario("slow-clients")
async def slow_clients(report: Report) -> None:
    """60 slow clients of each of six kinds at each of four doors, while 40 pupils come in and their families sign in
    (short: 4 of each; 4 pupils)."""
    pupils, each = (40, 60) if report.long else (4, 4)
    one = school("TOIS00008X", "email", pupils, ways=(Way.http, Way.file))
    async with ground(report) as made, Outside(made.wiring) as outside:
        flow = Flow(made, outside, [one], report)
        await flow.prepare()
        async with _held(made, one, each, report):
            flow.report.note(f"open files: {_open_files(made)}")
            async with asyncio.TaskGroup() as group:
                working = group.create_task(flow.run())
                for _ in range(pupils):
                    flow.more()
                    await asyncio.sleep(0.5 if report.long else 0.1)
                await working
            await made.ready(30)
        troubles = {what: n for what, n in flow.answers.items() if not what.startswith("2")}
        if troubles:
            report.violation("served meanwhile", f"others were answered {troubles}")
        await check(flow, passwords=pupils)


@asynccontextmanager
async def _held(made: Ground, one: SchoolUnderFire, each: int, report: Report) -> AsyncIterator[None]:
    """Every kind of slow client at every door, `each` of them, until the block ends."""
    ports = [made.wiring.ports.of(name) for name in ("site", *SERVICES)]
    held = [
        asyncio.create_task(_hold(port, slow))
        for port in ports
        for slow in _kinds(made.host, one)
        for _ in range(each)
    ]
    await asyncio.sleep(2.0)
    # The door itself may close a slow one: that is what it should do, and no task of ours is to fail by it.
    report.note(f"{len(held)} slow clients, {sum(task.done() for task in held)} of them sent away at once")
    try:
        yield
    finally:
        report.note(f"{sum(task.done() for task in held)} of them sent away in the end")
        for task in held:
            task.cancel()
        await asyncio.gather(*held, return_exceptions=True)


async def _hold(port: int, slow: Slow) -> None:
    with socket.socket() as plain:
        plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        plain.setblocking(False)
        plain.bind((f"127.3.{random.randrange(1, 250)}.{random.randrange(1, 250)}", 0))
        with suppress(OSError, EOFError, TimeoutError):
            await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", port))
            reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
            try:
                await slow(reader, writer)
            finally:
                writer.transport.abort()


def _kinds(host: str, one: SchoolUnderFire) -> list[Slow]:
    async def says_nothing(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
        await reader.read()

    async def drips_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _dripped(reader, writer, f"GET /accesso/ HTTP/1.1\r\nHost: {host}\r\n", "X-Goes-On: and on\r\n")

    async def body_without_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (
            f"POST /api/identity/sessions HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n"
            "Transfer-Encoding: chunked\r\n\r\n1\r\n{\r\n"
        )
        await _dripped(reader, writer, head, "1\r\n \r\n")

    async def upload_without_key(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await _dripped(reader, writer, _upload(host, "custode_wrong"), "x")

    async def enrolment_with_key(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (
            f"POST /api/registry/enrolments HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {one.api_key}\r\n"
            "Content-Type: application/json\r\nContent-Length: 500000\r\n\r\n{"
        )
        await _dripped(reader, writer, head, " ")

    async def reads_nothing(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(f"GET /api/registry/openapi.json HTTP/1.1\r\nHost: {host}\r\n\r\n".encode() * 20)
        await writer.drain()
        await asyncio.sleep(3600)

    return [
        says_nothing,
        drips_headers,
        body_without_end,
        upload_without_key,
        enrolment_with_key,
        reads_nothing,
    ]


def _upload(host: str, key: str) -> str:
    return (
        f"POST /api/registry/imports HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {key}\r\n"
        "Content-Type: multipart/form-data; boundary=confine\r\nContent-Length: 5000000\r\n\r\n"
        '--confine\r\nContent-Disposition: form-data; name="file"; filename="elenco.csv"\r\n\r\n'
    )


async def _dripped(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, head: str, more: str) -> None:
    """Until the other side has had enough."""
    writer.write(head.encode())
    answered = asyncio.create_task(reader.read(1))
    try:
        while not answered.done():
            writer.write(more.encode())
            await writer.drain()
            await asyncio.wait((answered,), timeout=DRIP_SECONDS)
    finally:
        answered.cancel()


def _open_files(made: Ground) -> dict[str, int]:
    return {part: files for part in ("caddy", *SERVICES) if (files := made.open_files(part))}
