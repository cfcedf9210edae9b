"""Who may pass: sessions, forced password change, roles, and where a sign-in may lead."""

from urllib.parse import parse_qs, urlsplit

import pytest
from httpx import ASGITransport, AsyncClient

from shared.web.sessions import hash_token, new_token, safe_next
from tests.gallery.app import SECRET, SITE, FixedSessions, gallery

BROWSER = {"Accept": "text/html"}


@pytest.fixture
def sessions() -> FixedSessions:
    return FixedSessions()


@pytest.fixture
def client(sessions: FixedSessions) -> AsyncClient:
    return AsyncClient(transport=ASGITransport(gallery(sessions=sessions)), base_url=SITE)


def cookie(token: str) -> dict[str, str]:
    return {"Cookie": f"__Host-galleria-session={token}"}


async def test_signing_in_sets_a_cookie_that_only_this_host_gets(client: AsyncClient) -> None:
    answer = await client.post("/galleria/modulo", data={"codice": "ABCD2345", "password": SECRET})
    assert answer.status_code == 303
    name, _, rest = answer.headers["set-cookie"].partition("=")
    attributes = {part.strip().lower() for part in rest.split(";")[1:]}
    assert name == "__Host-galleria-session"
    assert attributes == {"path=/", "secure", "httponly", "samesite=lax"}
    token = rest.split(";")[0]
    page = await client.get("/galleria/segreta", headers=cookie(token))
    assert page.status_code == 200
    assert 'action="/accesso/uscita"' in page.text


async def test_signing_out_deletes_it(client: AsyncClient) -> None:
    answer = await client.post("/galleria/uscita")
    header = answer.headers["set-cookie"].lower()
    assert "max-age=0" in header
    assert "secure" in header, "browsers ignore a __Host- cookie without it, deletion included"


async def test_a_stranger_gets_401_and_a_browser_goes_to_sign_in_and_back(client: AsyncClient) -> None:
    assert (await client.get("/galleria/segreta")).status_code == 401
    answer = await client.get("/galleria/segreta?pagina=2&q=a%26b", headers=BROWSER)
    assert answer.status_code == 303
    target = urlsplit(answer.headers["location"])
    assert (target.netloc, target.path) == ("", "/accesso/")
    assert parse_qs(target.query)["next"] == ["/galleria/segreta?pagina=2&q=a%26b"]


async def test_a_page_in_the_background_is_sent_to_sign_in_too(client: AsyncClient) -> None:
    answer = await client.get("/galleria/segreta", headers={"HX-Request": "true"})
    assert answer.headers["hx-redirect"].startswith("/accesso/?next=")


@pytest.mark.parametrize("token", ["", "x", "x" * 5000, "é"])
async def test_a_token_that_nobody_knows_is_a_stranger(client: AsyncClient, token: str) -> None:
    answer = await client.get(
        "/galleria/segreta", headers=[(b"Cookie", f"__Host-galleria-session={token}".encode())]
    )
    assert answer.status_code == 401


async def test_an_expired_session_is_a_stranger(client: AsyncClient, sessions: FixedSessions) -> None:
    token = sessions.open(hours=-0.001)
    assert (await client.get("/galleria/segreta", headers=cookie(token))).status_code == 401


async def test_with_an_initial_password_nothing_is_open_but_changing_it(
    client: AsyncClient, sessions: FixedSessions
) -> None:
    token = sessions.open(must_change=True)
    refused = await client.get("/galleria/segreta", headers=cookie(token))
    assert refused.status_code == 403
    assert refused.json()["type"] == "urn:custode:problem:password-change-required"
    sent = await client.get("/galleria/segreta", headers=cookie(token) | BROWSER)
    assert (sent.status_code, sent.headers["location"]) == (303, "/accesso/cambio-password")
    assert (await client.get("/galleria/cambio", headers=cookie(token))).text == "cambio"


async def test_a_role_that_is_not_named_is_refused(client: AsyncClient, sessions: FixedSessions) -> None:
    guardian = sessions.open(roles=frozenset({"guardian"}))
    answer = await client.get("/galleria/segreta", headers=cookie(guardian))
    assert (answer.status_code, answer.json()["type"]) == (403, "urn:custode:problem:role-required")
    both = sessions.open(roles=frozenset({"guardian", "teacher"}))
    assert (await client.get("/galleria/segreta", headers=cookie(both))).status_code == 200


async def test_when_nobody_can_say_whose_session_it_is_the_answer_is_503(
    client: AsyncClient, sessions: FixedSessions
) -> None:
    token = sessions.open()
    sessions.down = True
    answer = await client.get("/galleria/segreta", headers=cookie(token))
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")


async def test_the_account_s_language_counts_unless_another_was_chosen(
    client: AsyncClient, sessions: FixedSessions
) -> None:
    token = sessions.open(language="en")
    page = await client.get("/galleria/segreta", headers=cookie(token) | {"Accept-Language": "it"})
    assert '<html lang="en"' in page.text
    chosen = await client.get("/galleria/segreta?lang=it", headers=cookie(token))
    assert '<html lang="it"' in chosen.text


def test_tokens_are_long_random_and_stored_hashed() -> None:
    tokens = {new_token() for _ in range(100)}
    assert len(tokens) == 100
    assert {len(token) for token in tokens} == {43}
    assert len(hash_token(tokens.pop())) == 32


@pytest.mark.parametrize(
    "path", ["/registro/", "/registro/classi?pagina=2", "/consegne/a%20b", "/x?next=https://y"]
)
def test_a_sign_in_leads_back_into_the_site(path: str) -> None:
    assert safe_next(path) == path


@pytest.mark.parametrize(
    "path",
    [
        None,
        "",
        "https://evil.example",
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/%2Fevil.example",
        "/%5Cevil.example",
        "/\t/evil.example",
        "/%09/evil.example",
        "/a\r\nSet-Cookie: x=1",
        "javascript:alert(1)",
        "evil.example",
        " /a",
        "/" + "a" * 3000,
    ],
)
def test_a_sign_in_leads_nowhere_else(path: str | None) -> None:
    assert safe_next(path, "/casa") == "/casa"
