"""The desk finds a person or a class by a few letters, in a school of 2,000 pupils within 200 ms (M7)."""

import itertools
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.searching import plain_words
from shared.contracts.identity import AccountRole
from shared.contracts.policy import PAPER, Channel
from tests.integration.notifications_fixtures import OTHER_SCHOOL, SCHOOL, YEAR, House, open_house
from tests.integration.notifications_web import Sessions, browser, front

FAMILIES = (
    "Rossi",
    "Ferrari",
    "Esposito",
    "Bianchi",
    "Romano",
    "Colombo",
    "Ricci",
    "Marino",
    "Greco",
    "Bruno",
)
GIVEN = ("Aurora", "Leonardo", "Giulia", "Lorenzo", "Sofia", "Mattia", "Alice", "Edoardo")
MOST_MS = 200


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


@pytest.mark.requirement("M7", part="a name in under 200 ms")
async def test_a_name_is_found_within_200_ms_in_a_school_of_2000(house: House) -> None:
    await house.school(PAPER)
    classes = [await house.form_class(f"{n % 5 + 1}{chr(65 + n // 5)}") for n in range(80)]
    people, places, links, parents, accounts = [], [], [], [], []
    for n, family in zip(range(2000), itertools.cycle(FAMILIES), strict=False):
        pupil = f"pupil-{n:04d}"
        people.append((pupil, SCHOOL, f"{family} {chr(65 + n % 23)}{n}", GIVEN[n % 8], None))
        places.append((pupil, YEAR, SCHOOL, classes[n % 80]))
        accounts.append((f"account-{pupil}", SCHOOL, pupil, AccountRole.pupil.value, f"P{n:07d}"))
        for parent in ("m", "f"):
            guardian = f"{pupil}-{parent}"
            parents.append((guardian, SCHOOL, family, f"Anna{n}", "it"))
            links.append((guardian, pupil, SCHOOL, "mother", True))
            accounts.append((f"account-{guardian}", SCHOOL, guardian, "guardian", f"{parent.upper()}{n:07d}"))
    async with house.store.pool.acquire() as connection:
        for table, rows, columns in (
            ("pupils_v1", people, ("student", "school", "family_name", "given_name", "institutional_email")),
            ("places_v1", places, ("student", "year", "school", "class_id")),
            ("guardians_v1", parents, ("guardian", "school", "family_name", "given_name", "language")),
            ("guardianships_v1", links, ("guardian", "student", "school", "relationship", "data_access")),
            ("accounts_v1", accounts, ("account", "school", "holder", "role", "user_code")),
        ):
            await connection.copy_records_to_table(
                table, schema_name="projections", records=rows, columns=columns
            )
    sessions = Sessions()
    async with browser(front(house, sessions), sessions.open("secretary")) as desk:
        slowest, told = 0.0, []
        for q in ("r", "ros", "rossi", "gre anna7", "1a ferr", "colombo leo", "M00004", "nessuno", "bruno b"):
            runs = []
            for _ in range(3):
                start = time.perf_counter()
                answer = await desk.get("/consegne/cerca", params={"q": q})
                runs.append((time.perf_counter() - start) * 1000)
                assert answer.status_code == 200
            told.append(f"{q}: {min(runs):.0f} ms")
            slowest = max(slowest, sorted(runs)[1])
        assert "Greco" in (await desk.get("/consegne/cerca", params={"q": "gre anna18"})).text
        assert "ce ne sono altre" in (await desk.get("/consegne/cerca", params={"q": "r"})).text
    assert slowest < MOST_MS, told
