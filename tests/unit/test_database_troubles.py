"""A database that is away, full or slow: said in words and with a status that asks to come back."""

import asyncpg
import pytest
from httpx import ASGITransport, AsyncClient

from shared.database import DATABASE_TROUBLES, DatabaseAway, Writing, open_pool
from tests.gallery.app import SITE, gallery


@pytest.mark.parametrize(
    "trouble",
    [
        asyncpg.DiskFullError("could not extend file"),
        asyncpg.QueryCanceledError("canceling statement due to statement timeout"),
        asyncpg.AdminShutdownError("terminating connection"),
        asyncpg.LockNotAvailableError("canceling statement due to lock timeout"),
        asyncpg.TooManyConnectionsError("sorry, too many clients already"),
        asyncpg.InterfaceError("connection is closed"),
        asyncpg.InternalClientError("got result for unknown protocol state 3"),
        DatabaseAway("no connection"),
        TimeoutError(),
    ],
)
async def test_a_request_that_meets_a_trouble_of_the_database_may_be_sent_again(trouble: Exception) -> None:
    app = gallery()

    async def fails() -> None:
        raise trouble

    app.add_api_route("/galleria/guasto", fails)
    async with AsyncClient(transport=ASGITransport(app), base_url=SITE) as client:
        answer = await client.get("/galleria/guasto")
        page = await client.get("/galleria/guasto", headers={"Accept": "text/html"})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "5")
    assert answer.json()["type"] == "about:blank" and (str(trouble) or "TimeoutError") not in answer.text
    assert page.status_code == 503 and "Riprovi" in page.text


async def test_a_fault_of_ours_is_not_taken_for_the_databases() -> None:
    app = gallery()

    async def fails() -> None:
        raise asyncpg.UndefinedTableError("no such table")

    app.add_api_route("/galleria/guasto", fails)
    async with AsyncClient(transport=ASGITransport(app), base_url=SITE) as client:
        assert (await client.get("/galleria/guasto")).status_code == 500


async def test_a_refused_write_is_told_until_one_goes_well() -> None:
    writing = Writing()
    assert writing.problem() is None
    with pytest.raises(asyncpg.DiskFullError):
        async with writing:
            raise asyncpg.DiskFullError("could not extend file")
    assert writing.problem() == "the database's disk is full"
    with pytest.raises(ValueError, match="ours"):
        async with writing:
            raise ValueError("ours")
    assert writing.problem() is not None
    async with writing:
        pass
    assert writing.problem() is None


async def test_a_server_that_is_not_there_is_a_trouble_of_the_database() -> None:
    with pytest.raises(DATABASE_TROUBLES):
        await open_pool("postgresql://nobody@127.0.0.1:1/nothing", name="test")
