"""The embedded mailbox: as a store, as a page, and as a process of its own."""

import os
import signal
import smtplib
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import httpx
import pytest
from fastapi.testclient import TestClient

from deploy.mailbox.smtp import Faults
from deploy.mailbox.store import MailStore
from deploy.mailbox.web import create_app, linked
from services.notifications.channels.email.compose import compose
from tests.unit.test_email_compose import a_mail

ROOT = Path(__file__).parents[2]


@pytest.fixture
def store(tmp_path: Path) -> MailStore:
    return MailStore(tmp_path / "mail")


@pytest.fixture
def client(store: MailStore) -> TestClient:
    return TestClient(create_app(store, Faults(), "127.0.0.1"), base_url="http://127.0.0.1:8025")


def keep(store: MailStore, to: str, **changes: object) -> str:
    return store.keep(
        compose(a_mail(recipient=to, **changes)).as_bytes(), "registro@custode.example.it", [to]
    )


def test_messages_are_private_files_and_survive_a_restart(store: MailStore, tmp_path: Path) -> None:
    kept = [keep(store, f"m{n}@example.org") for n in range(3)]
    files = sorted((tmp_path / "mail").iterdir())
    assert [file.name for file in files] == [f"{one}.eml" for one in kept]
    assert all(file.stat().st_mode & 0o777 == 0o600 for file in files)
    (tmp_path / "mail" / "1.part").write_bytes(b"half")
    again = MailStore(tmp_path / "mail")
    assert again.find() == store.find()
    assert not list((tmp_path / "mail").glob("*.part"))


def test_the_list_is_newest_first_searched_by_recipient_and_paged(
    store: MailStore, client: TestClient
) -> None:
    for n in range(120):
        keep(store, f"{'anna' if n % 2 else 'bruno'}{n}@example.org", holder_name="Anna")
    first = client.get("/").text
    assert first.index("anna119@") < first.index("bruno118@")
    assert first.count("<li>") == 50
    assert "Pagina 1 di 3" in first
    assert client.get("/", params={"page": 3}).text.count("<li>") == 20
    assert client.get("/", params={"page": 99}).text.count("<li>") == 20
    found = client.get("/", params={"to": "ANNA", "page": 2}).text
    assert "60 messaggi" in found
    assert "bruno" not in found
    assert "/?to=ANNA&amp;page=1" in found
    assert "Nessun messaggio per «nessuno»" in client.get("/", params={"to": "nessuno"}).text


def test_it_speaks_english_to_who_asks(client: TestClient) -> None:
    assert "No messages." in client.get("/", headers={"Accept-Language": "en-GB,it;q=0.5"}).text


def test_a_message_is_shown_as_text_and_in_a_sandbox(store: MailStore, client: TestClient) -> None:
    kept = keep(store, "giulia@example.org", holder_name="<script>alert(1)</script>")
    page = client.get(f"/messages/{kept}")
    assert "k7mq-2xph-w9rt-b4cn" in page.text
    assert '<a href="https://registro.example.edu.it/accesso"' in page.text
    assert "<script" not in page.text
    assert 'sandbox="allow-popups allow-popups-to-escape-sandbox"' in page.text
    assert "script-src" not in page.headers["content-security-policy"]
    assert page.headers["content-security-policy"].startswith("default-src 'none'")
    html = client.get(f"/messages/{kept}/html")
    assert "sandbox allow-popups" in html.headers["content-security-policy"]
    assert "default-src 'none'" in html.headers["content-security-policy"]
    raw = client.get(f"/messages/{kept}/raw")
    assert raw.headers["content-type"] == "message/rfc822"
    assert raw.content == store.raw(kept)


def test_the_api_lists_reads_and_empties(store: MailStore, client: TestClient) -> None:
    kept = keep(store, "giulia@example.org")
    keep(store, "marco@example.org")
    listed = client.get("/api/messages", params={"to": "giulia@example.org"}).json()
    assert listed["total"] == 1
    assert listed["messages"][0]["id"] == kept
    one = client.get(f"/api/messages/{kept}").json()
    assert one["to"] == ["giulia@example.org"]
    assert "h4wd9tnp" in one["text"]
    assert "h4wd9tnp" in one["html"]
    assert ["Auto-Submitted", "auto-generated"] in one["headers"]
    assert client.delete("/api/messages").json() == {"deleted": 2}
    assert client.get("/api/messages").json() == {"total": 0, "messages": []}
    for gone in (
        f"/api/messages/{kept}",
        f"/messages/{kept}",
        f"/messages/{kept}/html",
        "/messages/..%2Fx/raw",
    ):
        assert client.get(gone).status_code == 404


def test_other_sites_and_other_names_get_nothing(store: MailStore, client: TestClient) -> None:
    keep(store, "giulia@example.org")
    assert client.get("/", headers={"Host": "rebound.example.com"}).status_code == 400
    assert client.post("/empty", headers={"Sec-Fetch-Site": "cross-site"}).status_code == 403
    assert store.find()[0] == 1
    assert client.post("/empty", headers={"Sec-Fetch-Site": "same-origin"}).url.path == "/"
    assert store.find()[0] == 0


def test_messages_of_any_kind_can_be_looked_at(store: MailStore, client: TestClient) -> None:
    for content in (
        b"",
        b"no headers at all",
        b"Subject: =?x?q?=ff?=\r\n\r\n\xff\xfe",
        b"Content-Type: text/plain; charset=wrong\r\n\r\nx\xff",
    ):
        kept = store.keep(content, "", ["x@example.org"])
        assert client.get(f"/messages/{kept}").status_code == 200
        assert client.get(f"/api/messages/{kept}").status_code == 200
    assert client.get("/").status_code == 200


def test_only_web_addresses_become_links() -> None:
    assert linked('a <b> https://x.it/a?b=1&c="q". javascript:x') == (
        'a &lt;b&gt; <a href="https://x.it/a?b=1&amp;c=" target="_blank" rel="noopener noreferrer">'
        "https://x.it/a?b=1&amp;c=</a>&#34;q&#34;. javascript:x"
    )


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def environment(folder: Path, **changes: str) -> dict[str, str]:
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("CUSTODE_")}
    return inherited | {"CUSTODE_MAILBOX_FOLDER": str(folder)} | changes


def test_it_refuses_to_run_in_production(tmp_path: Path) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "deploy.mailbox"],
        cwd=ROOT,
        env=environment(tmp_path / "mail", CUSTODE_ENVIRONMENT="production"),
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert ended.returncode == 2
    assert "for development only" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (tmp_path / "mail").exists()


@pytest.fixture
def running(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    smtp, http = free_port(), free_port()
    listen = {
        "CUSTODE_MAILBOX_SMTP_LISTEN": f"127.0.0.1:{smtp}",
        "CUSTODE_MAILBOX_HTTP_LISTEN": f"127.0.0.1:{http}",
    }
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "deploy.mailbox"],
            cwd=ROOT,
            env=environment(tmp_path / "mail", **listen),
            stdout=log,
            stderr=log,
            text=True,
        )
    yield process, smtp, http
    process.kill()
    process.wait()


def test_as_a_process_it_takes_mail_says_nothing_of_it_and_ends_cleanly(
    running: tuple[subprocess.Popen[str], int, int], tmp_path: Path
) -> None:
    process, smtp, http = running
    deadline = time.monotonic() + 20
    while True:
        try:
            assert httpx.get(f"http://127.0.0.1:{http}/healthz").json() == {"status": "ok"}
            break
        except httpx.TransportError:
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
    message: EmailMessage = compose(a_mail())
    with smtplib.SMTP("127.0.0.1", smtp) as line:
        line.send_message(message)
        with pytest.raises(smtplib.SMTPRecipientsRefused):
            line.sendmail("a@example.org", "giulia+reply450@example.org", "x")
    listed = httpx.get(f"http://127.0.0.1:{http}/api/messages", params={"to": "giulia@"}).json()
    assert listed["messages"][0]["message_id"] == message["Message-ID"]
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=10) == 0
    said = (tmp_path / "log").read_text()
    assert "mailbox ended" in said
    assert "Traceback" not in said
    for hidden in ("giulia", "Giulia", "k7mq", "h4wd9tnp", "Montessori"):
        assert hidden not in said
