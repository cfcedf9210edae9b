"""Initial secrets, verifiers and what a chosen password must be (DESIGN 5, 7)."""

import asyncio
import os
import re
import unicodedata
from dataclasses import replace

import pytest

from services.identity import password_rules as rules
from services.identity.initial_secrets import (
    ALPHABET,
    canonical_password,
    canonical_user_code,
    new_password,
    new_pin,
    new_user_codes,
)
from services.identity.passwords import Cost, Hasher, HasherBusy, Peppers, normalised
from services.identity.secret_stock import IN_STOCK, Stock, passwords

CHEAP = Cost(memory=1024, passes=1)
PEPPER = os.urandom(32)


@pytest.fixture
def hasher() -> Hasher:
    return Hasher(Peppers([PEPPER]), CHEAP)


def test_an_initial_password_is_four_groups_of_four_without_look_alikes() -> None:
    for _ in range(200):
        password = new_password()
        assert re.fullmatch(r"([a-z2-9]{4}-){3}[a-z2-9]{4}", password)
        assert not set(password) & set("01ilou")
        assert re.fullmatch(r"\d{6}", new_pin())
    assert ALPHABET.lower() == ALPHABET and len(set(ALPHABET)) == 28


def test_every_character_of_the_alphabet_comes_up() -> None:
    drawn = "".join(new_password() for _ in range(300)).replace("-", "")
    assert set(drawn) == set(ALPHABET)


def test_user_codes_differ() -> None:
    codes = new_user_codes(1000)
    assert len(set(codes)) == 1000 and all(re.fullmatch(r"[A-Z2-9]{8}", code) for code in codes)


@pytest.mark.parametrize(
    "typed",
    [
        "bcdf-ghjk-mnpq-rstv",
        "bcdfghjkmnpqrstv",
        "BCDF GHJK MNPQ RSTV",
        " bcdf–ghjk—mnpq-rstv ",
        "ｂcdfghjkmnpqrstv",
    ],
)
def test_an_initial_password_may_be_typed_in_any_grouping_and_case(typed: str) -> None:
    assert canonical_password(typed) == "bcdfghjkmnpqrstv"


def test_a_user_code_may_be_typed_in_either_case_and_in_groups() -> None:
    assert canonical_user_code(" bcdf 2345 ") == canonical_user_code("BCDF-2345") == "BCDF2345"


async def test_a_verifier_knows_its_secret_and_no_other(hasher: Hasher) -> None:
    verifier = await hasher.hash("una frase lunga abbastanza")
    assert await hasher.verify("una frase lunga abbastanza", verifier)
    assert not await hasher.verify("una frase lunga abbastanzA", verifier)
    assert not await hasher.verify("una frase lunga abbastanza", None)
    assert not await hasher.verify("", None)
    assert "frase" not in repr(verifier) and verifier.text.startswith("$argon2id$v=19$m=1024,t=1,p=1$")
    assert verifier.text not in repr(verifier)


async def test_a_stolen_table_without_the_pepper_verifies_nothing(hasher: Hasher) -> None:
    verifier = await hasher.hash("una frase lunga abbastanza")
    other = Peppers([os.urandom(32)])
    stolen = replace(verifier, pepper=other.current)
    assert not await Hasher(other, CHEAP).verify("una frase lunga abbastanza", stolen)


async def test_what_is_hashed_is_normalised(hasher: Hasher) -> None:
    composed = unicodedata.normalize("NFC", "perché no, è così")
    decomposed = unicodedata.normalize("NFD", composed)
    assert composed != decomposed and normalised(decomposed) == composed


async def test_raised_figures_and_a_new_pepper_make_a_verifier_outdated(hasher: Hasher) -> None:
    verifier = await hasher.hash("una frase lunga abbastanza")
    dearer = Hasher(Peppers([PEPPER]), Cost(memory=2048, passes=1))
    renewed = Hasher(Peppers([os.urandom(32), PEPPER]), CHEAP)
    assert not hasher.outdated(verifier)
    assert dearer.outdated(verifier) and await dearer.verify("una frase lunga abbastanza", verifier)
    assert renewed.outdated(verifier) and await renewed.verify("una frase lunga abbastanza", verifier)


def test_the_default_cost_is_that_of_the_design() -> None:
    assert Cost() == Cost(memory=19 * 1024, passes=2, lanes=1)


def test_a_short_pepper_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Peppers([b"short"])


async def test_a_full_queue_says_so_and_recovers() -> None:
    hasher = Hasher(Peppers([PEPPER]), CHEAP, cores=1, queue=2)
    done = await asyncio.gather(*(hasher.hash("x") for _ in range(20)), return_exceptions=True)
    assert sum(isinstance(outcome, HasherBusy) for outcome in done) == 17
    assert await hasher.hash("x")


async def test_a_bulk_issue_does_not_fill_the_queue() -> None:
    hasher = Hasher(Peppers([PEPPER]), CHEAP, cores=1, queue=1)
    stock = passwords(hasher)
    bulk = asyncio.create_task(stock.take(50))
    await asyncio.sleep(0)
    assert await hasher.hash("y")
    taken = await bulk
    assert len({one.plain for one in taken}) == 50
    assert all([await hasher.verify(canonical_password(one.plain), one.verifier) for one in taken])
    await stock.close()


async def test_no_more_is_hashed_ahead_than_was_asked_for_at_once(hasher: Hasher) -> None:
    drawn = 0

    def draw() -> str:
        nonlocal drawn
        drawn += 1
        return new_password()

    async def rest() -> int:
        seen = -1
        while seen != drawn:
            seen = drawn
            await asyncio.sleep(0.1)
        return drawn

    stock = Stock(hasher, draw, canonical_password)
    assert await rest() == 0
    taken = 0
    for asked, ahead in ((1, 1), (1, 1), (20, 20), (1, 20), (IN_STOCK + 9, IN_STOCK)):
        taken += len(await stock.take(asked))
        assert await rest() - taken == ahead
    await stock.close()


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("", rules.TOO_SHORT),
        ("quattordici ch", rules.TOO_SHORT),
        ("x" * 129, rules.TOO_LONG),
        ("passwordpassword", rules.COMMON),
        ("Password 1234567890", rules.COMMON),
        ("Qwertyuiop Asdfghjkl", rules.COMMON),
        ("correct horse battery staple", rules.COMMON),
        ("Registro Elettronico 2027", rules.COMMON),
        ("aaaaaaaaaaaaaaaaaaa", rules.REPEATED),
        ("abcabcabcabcabcabc", rules.REPEATED),
        ("pippo pippo pippo pippo", rules.REPEATED),
        ("abcdefghijklm9876543", rules.SEQUENCE),
        ("poiuytrewq 987654321", rules.SEQUENCE),
        ("ErnestoFerrarotti1", rules.PERSONAL),
        ("ferrarotti ernesto!", rules.PERSONAL),
        ("bcdf2345-bcdf2345", rules.PERSONAL),
        ("LiceoCanzanese2027", rules.PERSONAL),
        ("la mia Password scuola", rules.PASSWORD_WORDS),
        ("password1234567", rules.PASSWORD_WORDS),
        ("Password-1234567!", rules.PASSWORD_WORDS),
        ("password384756102", rules.PASSWORD_WORDS),
        ("password1234 casa!", rules.PASSWORD_WORDS),
        ("Ernesto1234-mare-55", rules.PERSONAL),
        ("qwertyui mare 77777", rules.SEQUENCE),
    ],
)
def test_a_likely_guess_is_refused_with_its_reason(password: str, reason: str) -> None:
    own = ("Ernesto", "Ferrarotti", "BCDF2345", "Liceo Canzanese")
    assert rules.objection(password, own) == reason


@pytest.mark.parametrize(
    "password",
    [
        "quindici caratt",
        "tre gatti verdi sul tetto",
        "zucchina-violino-83",
        "non si dice a nessuno, mai",
        "😀 la nonna ride 😀",
        "пароль для школы",
        "学校的密码是一个很长很长的句子",
        "x7#Lq!9vR2$mTz0",
        "ernesto mangia pane e cipolla",
        "q" * 1 + "w7 ponte alto sul fiume" + "z" * 100,
    ],
)
def test_any_other_password_of_fifteen_characters_will_do(password: str) -> None:
    assert rules.objection(password, ("Ernesto", "Ferrarotti")) is None


def test_length_counts_characters_after_normalisation() -> None:
    decomposed = unicodedata.normalize("NFD", "è" * 14)
    assert len(decomposed) == 28 and rules.objection(decomposed) == rules.TOO_SHORT
