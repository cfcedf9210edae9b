"""The one door of a site: where each path leads, what a client cannot pretend, what is said when a part is down."""

import re
import threading
import time
from base64 import b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest

from deploy.engines import CaddyEngine, EngineError, Site, temporary_folder
from deploy.engines.caddy import CONFIGURATION
from deploy.engines.ports import free_port

PIECE = 1024 * 1024


class Echo(BaseHTTPRequestHandler):
    """Answers with its own name and what it was told."""

    server: "EchoServer"

    def do_GET(self) -> None:
        if self.path.endswith("/slow"):
            self._slowly()
            return
        heard = "".join(f"{name}: {value}\n" for name, value in self.headers.items())
        self._answer(f"{self.server.label} {self.path}\n{heard}")

    def _slowly(self) -> None:
        self.send_response(200)
        self.end_headers()
        for _ in range(5):
            self.wfile.write(b"slowly ")
            time.sleep(0.5)

    def do_POST(self) -> None:
        self.server.heard.append(self.path)
        if self.headers["Content-Length"] is None:
            while size := int(self.rfile.readline(), 16):
                self.rfile.read(size + 2)
        length = int(self.headers["Content-Length"] or 0)
        while length > 0 and (part := self.rfile.read(min(length, PIECE))):
            length -= len(part)
        self._answer(f"{self.server.label} took it")

    def _answer(self, text: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.end_headers()
        self.wfile.write(text.encode())

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing."""


class EchoServer(ThreadingHTTPServer):
    def __init__(self, label: str) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.label = label
        self.heard: list[str] = []

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was cut off is no news."""


@contextmanager
def echo(label: str, heard: list[str] | None = None) -> Iterator[str]:
    server = EchoServer(label)
    server.heard = [] if heard is None else heard
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def caddy(site: Site, upstreams: dict[str, str], body: str | None = None) -> Iterator[CaddyEngine]:
    with temporary_folder() as folder:
        engine = CaddyEngine(folder / "caddy", site=site, upstreams=upstreams, body=body)
        try:
            engine.start()
            yield engine
        finally:
            engine.destroy()


@pytest.fixture(scope="module")
def engine() -> Iterator[CaddyEngine]:
    with echo("identity") as identity, echo("registry") as registry:
        down = f"127.0.0.1:{free_port()}"
        upstreams = {"identity": identity, "registry": registry, "notifications": down}
        with caddy(Site(None, free_port()), upstreams) as engine:
            yield engine


@pytest.fixture
def browser(engine: CaddyEngine) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=engine.site.url, trust_env=False, timeout=10) as client:
        yield client


@pytest.mark.parametrize(
    ("path", "label"),
    [
        ("/accesso/", "identity"),
        ("/accesso", "identity"),
        ("/s/slip-id", "identity"),
        ("/static/app.css", "identity"),
        ("/api/identity/me?x=1", "identity"),
        ("/registro/classi", "registry"),
        ("/api/registry/enrolments", "registry"),
    ],
)
def test_a_path_leads_to_its_service(browser: httpx.Client, path: str, label: str) -> None:
    assert browser.get(path).text.splitlines()[0] == f"{label} {path}"


def test_the_front_door_leads_to_sign_in(browser: httpx.Client) -> None:
    answer = browser.get("/")
    assert (answer.status_code, answer.headers["location"]) == (302, "/accesso/")


@pytest.mark.parametrize(
    "path", ["/metrics", "/readyz", "/healthz", "/revisione/", "/accessories", "/api", "/.env"]
)
def test_nothing_else_is_reachable(browser: httpx.Client, path: str) -> None:
    answer = browser.get(path)
    assert answer.status_code == 404
    assert "identity" not in answer.text


def test_a_client_cannot_pretend_where_it_comes_from(browser: httpx.Client, engine: CaddyEngine) -> None:
    lies = {
        "X-Forwarded-For": "203.0.113.9",
        "X-Forwarded-Host": "evil.example",
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Prefix": "/evil",
        "X-Real-IP": "203.0.113.9",
        "Forwarded": "for=203.0.113.9",
    }
    heard = browser.get("/accesso/", headers=lies).text
    assert "evil" not in heard
    assert "203.0.113.9" not in heard
    assert re.search(r"^X-Forwarded-For: (127\.0\.0\.1|::1)$", heard, re.MULTILINE)
    assert "X-Forwarded-Proto: http\n" in heard
    assert f"Host: localhost:{engine.site.port}\n" in heard


@pytest.mark.parametrize("path", ["/accesso/", "/registro/", "/api/registry/imports", "/static/app.css"])
def test_a_service_hears_one_address_and_it_is_the_clients(browser: httpx.Client, path: str) -> None:
    lies = [
        ("X-Forwarded-For", "203.0.113.9"),
        ("x-forwarded-for", "203.0.113.9, 203.0.113.10"),
        ("X_Forwarded_For", "203.0.113.9"),
        ("X-Forwarded-For", ""),
        ("Connection", "X-Forwarded-For, X-Forwarded-Proto"),
    ]
    told = browser.get(path, headers=lies).text
    assert "203.0.113" not in told
    (address,) = re.findall(r"^x.forwarded.for: *(.*)$", told, re.MULTILINE | re.IGNORECASE)
    assert ip_address(address).is_loopback


def test_another_name_is_sent_to_the_site(engine: CaddyEngine) -> None:
    url = f"http://127.0.0.1:{engine.site.port}/accesso/?a=1"
    answer = httpx.get(url, headers={"Host": "evil.example"}, trust_env=False)
    assert answer.status_code == 308
    assert answer.headers["location"] == f"{engine.site.url}/accesso/?a=1"


def test_a_service_that_is_down_is_told_in_both_languages(browser: httpx.Client) -> None:
    answer = browser.get("/consegne/")
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "5"
    assert answer.headers["cache-control"] == "no-store"
    assert 'lang="it"' in answer.text
    assert "non è disponibile" in answer.text
    assert "not available" in answer.text


def test_its_api_says_so_as_a_problem_document(browser: httpx.Client) -> None:
    answer = browser.get("/api/notifications/deliveries")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 503


def test_static_files_are_there_while_any_service_is() -> None:
    with echo("notifications") as up:
        down = {name: f"127.0.0.1:{free_port()}" for name in ("identity", "registry")}
        with caddy(Site(None, free_port()), {**down, "notifications": up}) as engine:
            answer = httpx.get(f"{engine.site.url}/static/app.css", trust_env=False, timeout=10)
            assert answer.text.startswith("notifications /static/app.css")
            assert httpx.get(f"{engine.site.url}/accesso/", trust_env=False, timeout=10).status_code == 503


def test_answers_say_nothing_of_the_machinery(browser: httpx.Client) -> None:
    for path in ("/accesso/", "/consegne/", "/nothing"):
        headers = browser.get(path).headers
        assert not {"server", "via"} & set(headers)
        assert headers["x-content-type-options"] == "nosniff"


def test_nobodys_requests_are_logged(browser: httpx.Client, engine: CaddyEngine) -> None:
    browser.get("/consegne/?token=canary-query", headers={"Cookie": "session=canary-cookie"})
    log = (engine.folder / "caddy.log").read_text()
    assert "server running" in log
    assert "canary" not in log
    assert "/consegne/" not in log


def test_error_pages_carry_the_style_that_the_policy_allows() -> None:
    allowed = re.search(r"'(sha256-[^']+)'", (CONFIGURATION / "Caddyfile").read_text())
    assert allowed is not None
    pages = list((CONFIGURATION / "pages").glob("*.html"))
    assert {page.name for page in pages} == {"down.html", "large.html", "missing.html"}
    for page in pages:
        style = re.search(r"<style>(.*)</style>", page.read_text(), re.DOTALL)
        assert style is not None
        assert b64encode(sha256(style[1].encode()).digest()).decode() == allowed[1].removeprefix("sha256-")


def test_a_host_name_is_served_with_tls_only() -> None:
    with echo("any") as up:
        upstreams = dict.fromkeys(("identity", "registry", "notifications"), up)
        site = Site("localhost", free_port(), http_port=free_port())
        with caddy(site, upstreams) as engine, httpx.Client(verify=False, trust_env=False) as client:  # noqa: S501
            transport_error: Exception | None = None
            for _ in range(50):
                try:
                    answer = client.get(f"{engine.site.url}/accesso/")
                    break
                except httpx.ConnectError as error:  # its first certificate is being made
                    transport_error = error
            else:
                raise AssertionError from transport_error
            assert "X-Forwarded-Proto: https\n" in answer.text
            assert answer.headers["strict-transport-security"] == "max-age=31536000"
            plain = client.get(f"http://localhost:{site.http_port}/accesso/")
            assert plain.status_code == 308
            assert plain.headers["location"].startswith("https://localhost")


def test_a_taken_port_is_told_with_the_setting_that_changes_it(engine: CaddyEngine, tmp_path: Path) -> None:
    upstreams = dict.fromkeys(("identity", "registry", "notifications"), "127.0.0.1:9")
    second = CaddyEngine(tmp_path / "second", site=engine.site, upstreams=upstreams)
    with pytest.raises(EngineError, match="CUSTODE_SITE_PORT"):
        second.start()
    second.destroy()
