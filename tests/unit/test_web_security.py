"""Request protection: forged hosts, other sites, bodies without end; headers; names of requests."""

from collections.abc import AsyncIterator

import pytest
from httpx import ASGITransport, AsyncClient
from structlog.contextvars import merge_contextvars
from structlog.testing import capture_logs

from shared.web.security import CONTENT_SECURITY_POLICY
from shared.web.settings import WebSettings
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
