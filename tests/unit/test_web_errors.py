"""What shared/web answers when it refuses, and that it never says more than it should."""

import pytest
from httpx import ASGITransport, AsyncClient
from structlog.testing import capture_logs

from shared.web.errors import PROBLEM_TYPE, field_errors
from tests.gallery.app import SECRET, SITE, gallery

BROWSER = {"Accept": "text/html,application/xhtml+xml"}


@pytest.fixture
def client() -> AsyncClient:
    return AsyncClient(transport=ASGITransport(gallery()), base_url=SITE)


async def test_a_problem_is_an_rfc_9457_document(client: AsyncClient) -> None:
    answer = await client.get("/galleria/rifiuto")
    assert answer.status_code == 409
    assert answer.headers["content-type"] == PROBLEM_TYPE
    assert answer.json() == {
        "type": "urn:custode:problem:slip-expired",
        "title": "Operazione in conflitto con un’altra",
        "status": 409,
        "detail": "Il contenuto inviato supera il massimo di 3 MB.",
        "instance": f"urn:custode:request:{answer.headers['x-request-id']}",
    }


async def test_a_problem_speaks_the_language_that_was_asked_for(client: AsyncClient) -> None:
    answer = await client.get("/galleria/rifiuto", headers={"Accept-Language": "en-GB,en;q=0.9"})
    assert answer.json()["title"] == "In conflict with another operation"


async def test_a_browser_gets_a_page_with_the_same_content(client: AsyncClient) -> None:
    answer = await client.get("/galleria/rifiuto", headers=BROWSER)
    assert answer.status_code == 409
    assert answer.headers["content-type"].startswith("text/html")
    assert "<h1>Operazione in conflitto con un’altra</h1>" in answer.text
    assert answer.headers["x-request-id"] in answer.text


async def test_an_unknown_page_is_a_problem_too(client: AsyncClient) -> None:
    answer = await client.get("/galleria/non-esiste")
    assert (answer.status_code, answer.json()["type"]) == (404, "about:blank")
    wrong_method = await client.delete("/galleria")
    assert wrong_method.status_code == 405
    assert wrong_method.headers["allow"] == "GET"


async def test_validation_says_where_and_why_but_never_what_was_sent(client: AsyncClient) -> None:
    answer = await client.post("/galleria/api/banco", json={"code": SECRET, "year": SECRET})
    assert answer.status_code == 422
    assert SECRET not in answer.text
    assert answer.json()["errors"] == [
        {"pointer": "#/body/code", "detail": "Almeno 30 caratteri.", "code": "string_too_short"},
        {"pointer": "#/body/year", "detail": "Deve essere un numero intero.", "code": "int_parsing"},
    ]


async def test_malformed_json_is_not_echoed(client: AsyncClient) -> None:
    body = '{"code": "' + SECRET
    answer = await client.post(
        "/galleria/api/banco", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert SECRET not in answer.text
    assert answer.json()["errors"][0]["detail"] == "Il corpo della richiesta non è JSON valido."


def test_keys_that_a_client_made_up_are_not_echoed() -> None:
    errors = field_errors(
        [
            {"type": "extra_forbidden", "loc": ("body", SECRET), "msg": SECRET},
            {"type": "value_error", "loc": ("body", "map", f"{SECRET} <b>"), "msg": f"bad {SECRET}"},
        ]
    )
    assert errors == [
        {"pointer": "#/body", "detail": "Campo non previsto.", "code": "extra_forbidden"},
        {"pointer": "#/body/map/?", "detail": "Valore non valido.", "code": "value_error"},
    ]


@pytest.mark.parametrize("headers", [{}, BROWSER])
async def test_an_unexpected_error_is_neutral_and_leaves_no_value_in_the_log(
    client: AsyncClient, headers: dict[str, str]
) -> None:
    with capture_logs() as logs:
        answer = await client.get("/galleria/rotta/mario-rossi", headers=headers)
    assert answer.status_code == 500
    assert "RuntimeError" not in answer.text
    assert answer.headers["cache-control"] == "no-store"
    told = str(logs) + answer.text
    assert SECRET not in told
    assert "mario-rossi" not in told
    error = next(line for line in logs if line["event"] == "unexpected error")
    assert [cause["error"] for cause in error["chain"]] == ["builtins.RuntimeError", "builtins.ValueError"]
    assert "gallery/app.py" in str(error["chain"][0]["where"])


async def test_an_error_in_the_middle_of_an_answer_cuts_it_and_tells_no_value(client: AsyncClient) -> None:
    with capture_logs() as logs, pytest.raises(ConnectionAbortedError) as raised:
        await client.get("/galleria/a-meta")
    assert SECRET not in str(logs) + str(raised.value)
    assert raised.value.__suppress_context__
    assert any(line["event"] == "unexpected error" for line in logs)
