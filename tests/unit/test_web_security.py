"""Request protection: forged hosts, other sites, bodies without end; headers; names of requests."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from starlette.types import Message, Receive, Scope, Send
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from shared.web.security import CONTENT_SECURITY_POLICY, RequestGuardMiddleware
from shared.web.settings import WebSettings
from tests.browser_harness import free_port, served
from tests.gallery.app import SITE, gallery

COOKIE = {"Cookie": "__Host-galleria-session=x"}


def client_of(settings: WebSettings | None = None, base_url: str = SITE) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(gallery(settings)), base_url=base_url)


async def test_every_answer_carries_the_strict_headers() -> None:
    async with client_of() as client:
        for path in ("/galleria", "/non-esiste", "/galleria/rotta/x", "/static/css/custode.css"):
            answer = await client.get(path)
            assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert answer.headers["cross-origin-opener-policy"] == "same-origin"
            assert "strict-transport-security" not in answer.headers
        assert "unsafe" not in CONTENT_SECURITY_POLICY


async def test_https_sites_tell_browsers_to_stay_on_https() -> None:
    settings = WebSettings(site_url="https://custode.scuola.example")
    async with client_of(settings, "https://custode.scuola.example") as client:
        answer = await client.get("/galleria")
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")


@pytest.mark.parametrize(
    "host",
    ["evil.example", "localhost:8080.evil.example", "localhost:9999", "localhost", "", "localhost:8080@evil"],
)
async def test_a_forged_host_is_refused(host: str) -> None:
    async with client_of() as client:
        answer = await client.get("/galleria", headers={"Host": host})
    assert answer.status_code == 400
    assert answer.json()["type"] == "urn:custode:problem:unknown-host"
    assert "evil" not in answer.text


async def test_our_own_hosts_are_answered_and_probes_have_no_host() -> None:
    settings = WebSettings(site_url=SITE, extra_hosts=("127.0.0.1:8101",))
    async with client_of(settings) as client:
        assert (await client.get("/galleria", headers={"Host": "127.0.0.1:8101"})).status_code == 200
        assert (await client.get("/galleria", headers={"Host": "LOCALHOST:8080"})).status_code == 200
        assert (await client.get("/healthz", headers={"Host": "10.0.0.7"})).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({}, 303, id="a program without cookie"),
        pytest.param({"Sec-Fetch-Site": "same-origin", **COOKIE}, 303, id="our own form"),
        pytest.param({"Sec-Fetch-Site": "none", **COOKIE}, 303, id="the person's own doing"),
        pytest.param({"Origin": SITE, **COOKIE}, 303, id="our own form, older browser"),
        pytest.param({"Sec-Fetch-Site": "cross-site", **COOKIE}, 403, id="another site"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="another site, before sign-in"),
        pytest.param({"Sec-Fetch-Site": "same-site", **COOKIE}, 403, id="a neighbour under the same domain"),
        pytest.param({"Sec-Fetch-Site": "cross-site", "Origin": SITE}, 403, id="another site, forged origin"),
        pytest.param({"Origin": "https://evil.example"}, 403, id="another origin"),
        pytest.param({"Origin": "null", **COOKIE}, 403, id="a sandboxed frame"),
        pytest.param({"Origin": SITE + ".evil.example", **COOKIE}, 403, id="a look-alike origin"),
        pytest.param(COOKIE, 403, id="a cookie that comes from nowhere"),
    ],
)
async def test_only_our_own_pages_make_changes(headers: dict[str, str], status: int) -> None:
    async with client_of() as client:
        answer = await client.post("/galleria/uscita", headers=headers)
    assert answer.status_code == status
    if status == 403:
        assert answer.json()["type"] == "urn:custode:problem:cross-site-request"


async def test_reading_is_open_to_links_from_other_sites() -> None:
    async with client_of() as client:
        answer = await client.get("/galleria", headers={"Sec-Fetch-Site": "cross-site", **COOKIE})
    assert answer.status_code == 200


async def chunks(count: int, size: int) -> AsyncIterator[bytes]:
    for _ in range(count):
        yield b"x" * size


async def test_a_body_that_says_it_is_too_large_is_refused_unread() -> None:
    async with client_of() as client:
        answer = await client.post("/galleria/api/banco", content=b"x" * 10_001)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:custode:problem:too-large"


@pytest.mark.parametrize("path", ["/galleria/carica", "/galleria/api/banco", "/galleria/modulo"])
async def test_a_body_that_never_ends_is_cut_while_it_streams(path: str) -> None:
    taken = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal taken
        for _ in range(1000):
            taken += 1000
            yield b"x" * 1000

    kinds = {
        "/galleria/api/banco": "application/json",
        "/galleria/modulo": "application/x-www-form-urlencoded",
    }
    headers = {"Content-Type": kinds.get(path, "application/octet-stream")}
    async with client_of() as client:
        answer = await client.post(path, content=endless(), headers=headers)
    assert answer.status_code == 413
    assert answer.json()["type"] == "urn:custode:problem:too-large"
    assert taken <= 52_000


async def test_uploads_have_a_limit_of_their_own() -> None:
    async with client_of() as client:
        answer = await client.post("/galleria/carica", content=chunks(40, 1000))
        assert answer.json() == {"bytes": 40_000}
        assert (await client.post("/galleria/caricatore", content=b"x" * 20_000)).status_code == 413
        odd = await client.post("/galleria/carica", content=b"x", headers={"Content-Length": "-1"})
        assert odd.status_code == 413


async def test_a_trace_is_taken_up_or_begun_and_is_in_the_log() -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    async with client_of() as client:
        with capture_logs(processors=[merge_contextvars]) as logs:
            answer = await client.get("/galleria", headers={"traceparent": f"00-{trace}-b7ad6b7169203331-01"})
        line = next(entry for entry in logs if entry["event"] == "request")
        assert (line["route"], line["status"], line["method"]) == ("/galleria", 200, "GET")
        assert (line["trace_id"], line["request_id"]) == (trace, answer.headers["x-request-id"])
        assert len(answer.headers["x-request-id"]) == 16
        with capture_logs(processors=[merge_contextvars]) as logs:
            await client.get("/galleria", headers={"traceparent": f"00-{'0' * 32}-b7ad6b7169203331-01"})
        begun = next(entry for entry in logs if entry["event"] == "request")["trace_id"]
        assert len(begun) == 32
        assert set(begun) != {"0"}


@pytest.mark.parametrize("site", ["custode.example", "https://a.example/path", "ftp://a.example", ""])
def test_a_site_that_is_no_origin_is_refused(site: str) -> None:
    with pytest.raises(ValueError, match="origin"):
        WebSettings(site_url=site)


def idle_after(seconds: float) -> WebSettings:
    return WebSettings(site_url=SITE, instance="galleria", body_idle_seconds=seconds)


@pytest.mark.parametrize("path", ["/galleria/carica", "/galleria/api/banco", "/galleria/modulo"])
async def test_a_body_that_stalls_is_ended(path: str) -> None:
    async def stalled() -> AsyncIterator[bytes]:
        yield b"x"
        await asyncio.sleep(30)

    kinds = {
        "/galleria/api/banco": "application/json",
        "/galleria/modulo": "application/x-www-form-urlencoded",
    }
    headers = {"Content-Type": kinds.get(path, "application/octet-stream")}
    async with client_of(idle_after(0.1)) as client:
        answer = await asyncio.wait_for(client.post(path, content=stalled(), headers=headers), 5)
    assert answer.status_code == 408
    assert answer.json()["type"] == "urn:custode:problem:body-stalled"
    assert answer.headers["connection"] == "close"


async def test_a_slow_body_that_keeps_coming_is_read_to_its_end() -> None:
    async def slow() -> AsyncIterator[bytes]:
        for _ in range(8):
            await asyncio.sleep(0.05)
            yield b"x"

    async with client_of(idle_after(0.3)) as client:
        answer = await client.post("/galleria/carica", content=slow())
    assert answer.json() == {"bytes": 8}


async def test_empty_pieces_are_no_progress() -> None:
    async def nothing() -> AsyncIterator[bytes]:
        yield b"x"
        for _ in range(100):
            await asyncio.sleep(0.05)
            yield b""

    async with client_of(idle_after(0.2)) as client:
        answer = await client.post("/galleria/carica", content=nothing())
    assert answer.status_code == 408


async def test_waiting_for_the_client_to_leave_is_no_stall() -> None:
    """Once the body is whole, `receive` waits for the connection to end, however long the answer takes."""
    told: list[str] = []

    async def answers(scope: Scope, receive: Receive, send: Send) -> None:
        told.append((await receive())["type"])
        told.append((await receive())["type"])

    async def whole() -> AsyncIterator[Message]:
        yield {"type": "http.request", "body": b"x", "more_body": False}
        await asyncio.sleep(0.3)
        yield {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    guard = RequestGuardMiddleware(answers, idle_after(0.05))
    headers = [(b"host", b"localhost:8080")]
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/galleria",
        "raw_path": b"/galleria",
        "headers": headers,
    }
    await guard(scope, whole().__anext__, send)
    assert told == ["http.request", "http.disconnect"]


async def test_an_app_that_takes_its_time_is_no_stall() -> None:
    seen = 0

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal seen
        while (await receive())["more_body"]:
            seen += 1
            await asyncio.sleep(0.1)

    async def prompt() -> AsyncIterator[Message]:
        for number in range(4):
            await asyncio.sleep(0)
            yield {"type": "http.request", "body": b"x", "more_body": number < 3}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": "/",
        "raw_path": b"/",
        "headers": [(b"host", b"localhost:8080")],
    }
    await RequestGuardMiddleware(slow, idle_after(0.05))(scope, prompt().__anext__, send)
    assert seen == 3


async def test_on_a_real_connection_a_stalled_body_ends_it() -> None:
    port = free_port()
    settings = WebSettings(
        site_url=SITE, instance="galleria", extra_hosts=(f"localhost:{port}",), body_idle_seconds=0.2
    )
    async with served(gallery(settings), port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        head = f"POST /galleria/carica HTTP/1.1\r\nHost: localhost:{port}\r\nContent-Length: 100\r\n\r\nhalf"
        writer.write(head.encode())
        answer = await asyncio.wait_for(reader.read(), 10)  # to the end: the server closes
        writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b"urn:custode:problem:body-stalled" in answer


@pytest.mark.parametrize(
    "path", ["/static/%00", "/galleria%0A", "/%FF", "/healthz%00", "/galleria/rotta/%C2%85"]
)
async def test_an_address_that_is_no_text_does_not_exist(path: str) -> None:
    async with client_of() as client:
        answer = await client.get(path)
        assert answer.status_code == 404
        assert answer.json()["type"] == "urn:custode:problem:not-found"
        page = await client.get(path, headers={"Accept": "text/html"})
        assert (page.status_code, page.headers["content-type"]) == (404, "text/html; charset=utf-8")


@pytest.mark.parametrize(("query", "status"), [("a=%00", 400), ("a=%1f", 400), ("a=%0D%0A%09%C3%A8", 200)])
async def test_a_query_has_no_control_characters_but_line_ends(query: str, status: int) -> None:
    async with client_of() as client:
        assert (await client.get(f"/galleria?{query}")).status_code == status
