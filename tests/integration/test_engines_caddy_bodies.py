"""What the one door of a site lets in: how much, and how slowly."""

import socket
import time
from collections.abc import Iterator

import httpx
import pytest

from deploy.engines import CaddyEngine, Site
from deploy.engines.ports import free_port
from tests.integration.test_engines_caddy import caddy, echo

MEGABYTE = 1024 * 1024


@pytest.fixture(scope="module")
def heard() -> list[str]:
    """The paths that were posted to identity behind the hasty door."""
    return []


@pytest.fixture(scope="module")
def hasty(heard: list[str]) -> Iterator[CaddyEngine]:
    """A door that waits for a body for one second only."""
    with echo("identity", heard) as identity, echo("registry") as registry:
        upstreams = {"identity": identity, "registry": registry, "notifications": registry}
        with caddy(Site(None, free_port()), upstreams, body="1s") as engine:
            yield engine


@pytest.fixture(scope="module")
def engine() -> Iterator[CaddyEngine]:
    with echo("identity") as identity, echo("registry") as registry:
        upstreams = {"identity": identity, "registry": registry, "notifications": registry}
        with caddy(Site(None, free_port()), upstreams) as engine:
            yield engine


@pytest.fixture
def browser(engine: CaddyEngine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=engine.site.url, trust_env=False, timeout=10) as client:
        yield client


@pytest.mark.parametrize("path", ["/api/registry/imports", "/registro/sportello/importa"])
def test_an_import_may_have_64_megabytes(browser: httpx.Client, path: str) -> None:
    assert browser.post(path, content=bytes(60 * MEGABYTE)).text == "registry took it"
    too_large = browser.post(path, content=bytes(65 * MEGABYTE))
    assert too_large.status_code == 413
    is_json = too_large.headers["content-type"] == "application/problem+json"
    assert is_json is path.startswith("/api/")


@pytest.mark.parametrize("path", ["/api/registry/mailboxes", "/registro/sportello/caselle/anteprima"])
def test_a_list_may_have_eight(browser: httpx.Client, path: str) -> None:
    assert browser.post(path, content=bytes(7 * MEGABYTE)).text == "registry took it"
    assert browser.post(path, content=bytes(9 * MEGABYTE)).status_code == 413


@pytest.mark.parametrize(
    "path",
    ["/accesso/", "/registro/", "/api/registry/enrolments", "/api/registry/imports/", "/static/app.css"],
)
def test_anything_else_may_have_one(browser: httpx.Client, path: str) -> None:
    assert browser.post(path, content=bytes(900_000)).text.endswith("took it")
    for content in (bytes(1_100_000), (bytes(1000) for _ in range(1100))):
        too_large = browser.post(path, content=content)
        assert too_large.status_code == 413
        assert ("troppo grande" in too_large.text) is not path.startswith("/api/")


@pytest.mark.parametrize("length", [20_000, 900_000])
@pytest.mark.parametrize("path", ["/accesso/", "/api/registry/imports", "/static/app.css", "/nothing"])
def test_a_body_that_never_ends_is_cut_off(hasty: CaddyEngine, path: str, length: int) -> None:
    began = time.monotonic()
    head = f"POST {path} HTTP/1.1\r\nHost: localhost:{hasty.site.port}\r\nContent-Length: {length}\r\n\r\n"
    with socket.create_connection(("localhost", hasty.site.port), timeout=0.2) as client:
        client.sendall(head.encode())
        while time.monotonic() - began < 10:
            try:
                client.sendall(b"x")
                if not client.recv(4096):
                    break
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
    assert time.monotonic() - began < 5


def test_a_long_answer_is_not(hasty: CaddyEngine) -> None:
    with httpx.Client(base_url=hasty.site.url, trust_env=False, timeout=10) as browser:
        assert browser.get("/accesso/slow").text.count("slowly") == 5


def test_a_slow_form_does_not_reach_its_service(hasty: CaddyEngine, heard: list[str]) -> None:
    with socket.create_connection(("localhost", hasty.site.port), timeout=5) as client:
        head = (
            f"POST /accesso/form HTTP/1.1\r\nHost: localhost:{hasty.site.port}\r\nContent-Length: 9\r\n\r\n"
        )
        client.sendall(f"{head}user=".encode())
        time.sleep(0.5)
        assert "/accesso/form" not in heard
        client.sendall(b"code")
        answer = b""
        while b"took it" not in answer:
            piece = client.recv(4096)
            assert piece, "the door closed without an answer"
            answer += piece
    assert "/accesso/form" in heard
