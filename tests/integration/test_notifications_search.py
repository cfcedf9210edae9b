"""The desk finds a person or a class by a few letters, however the name is spelt (M7)."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.searching import plain_words
from shared.contracts.policy import PAPER, Channel
from tests.benchmarks.search import SCHOOL as LARGE
from tests.benchmarks.search import fill
from tests.integration.notifications_fixtures import OTHER_SCHOOL, SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front


@pytest.fixture
async def house(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[House]:
    async with open_house(postgres, nats_server, tmp_path) as opened:
        yield opened


async def found(house: House, sessions: Sessions, q: str, school: str = SCHOOL) -> str:
    async with browser(front(house, sessions), sessions.open("secretary", school=school)) as desk:
        answer = await desk.get("/consegne/cerca", params={"q": q})
    assert answer.status_code == 200, answer.text
    return answer.text.partition('id="risultati"')[2].partition("<footer")[0]


async def test_names_are_found_without_accents_apostrophes_and_spaces(house: House) -> None:
    await house.school(PAPER)
    await house.school(PAPER, school=OTHER_SCHOOL)
    one, two = await house.form_class("1A"), await house.form_class("2B")
    luca = await house.pupil(one, "D’Amico", "Nicolò")
    await house.pupil(two, "De Luca", "Sàra")
    anna = await house.guardian(luca, "D'Angelo", "Anna", None)
    await house.account(anna)
    await house.issue(anna, Channel.slip, exclusive=False)
    theirs = await house.form_class("1A", school=OTHER_SCHOOL)
    await house.pupil(theirs, "D’Amico", "Berta", school=OTHER_SCHOOL)
    sessions = Sessions()
    for q in ("damico", "d'amico", "D’AMICO", "amico nic", "nicolo damico", "1a amico", "1A d"):
        assert "D’Amico Nicolò" in await found(house, sessions, q), q
    for q in ("deluca", "de luca sara", "luca", "2b"):
        page = await found(house, sessions, q)
        assert ("De Luca Sàra" in page) is (q != "2b") and ("Classe 2B" in page) is (q == "2b"), q
    mother = await found(house, sessions, "angelo")
    assert "D&#39;Angelo Anna" in mother and "D’Amico Nicolò" in mother and "Stampa tagliando" in mother
    code = await house.store.pool.fetchval("select user_code from projections.accounts_v1")
    assert "Angelo Anna" in await found(house, sessions, code[:4].lower())
    for q in ("amici", "2b amico", "zz", "%", "'", "_____", "\\", "' | 'x"):
        assert "D’Amico" not in await found(house, sessions, q), q
    assert "Berta" not in await found(house, sessions, "amico")
    assert "Nicolò" not in await found(house, sessions, "amico", OTHER_SCHOOL)
    assert "Berta" in await found(house, sessions, "amico", OTHER_SCHOOL)


async def test_words_are_folded_alike_here_and_in_the_database(house: House) -> None:
    for name in ("D’Amico", "Nicolò", "DE LUCA", "Çelik", "Șerban", "Ðorđe", "Müller-Lüdenscheid", "Łukasz"):
        there = await house.store.pool.fetchval("select projections.plain_name($1)", name)
        assert "".join(plain_words(name)) == "".join(c for c in there if c.isalnum()), name


@pytest.mark.requirement("M7", part="a name among thousands")
async def test_a_name_is_found_among_thousands_and_too_many_are_not_all_shown(house: House) -> None:
    """How long it takes is measured by `make bench`."""
    await fill(house.store.pool, 600)
    sessions = Sessions()
    await house.school(PAPER, school=LARGE)
    async with browser(front(house, sessions), sessions.open("secretary", school=LARGE)) as desk:
        assert "Greco" in (await desk.get("/consegne/cerca", params={"q": "gre anna18"})).text
        assert "ce ne sono altre" in (await desk.get("/consegne/cerca", params={"q": "r"})).text
        assert "Anna4" in (await desk.get("/consegne/cerca", params={"q": "M0000004"})).text
