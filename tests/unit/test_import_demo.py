"""The demo's files: written again byte for byte, read without a word, and with the stories that they promise."""

import json
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from deploy.demo import generate, mail_school
from deploy.demo.names import ORIGINS
from deploy.demo.paper_school import PROFILE
from deploy.demo.school import class_title, generate_school
from deploy.demo.writers import oneroster
from services.registry.codes import InvalidCode, check_codice_fiscale
from services.registry.imports import EnrolmentFact, GuardianFact, Parsed, parse_file
from services.registry.imports.secretariat_layout import COLUMNS
from shared.contracts.registry import EnrolmentKind, Relationship

FACTS: dict[str, Any] = json.loads((generate.DATA / "schools.json").read_text(encoding="utf-8"))
PAPER, MAIL = FACTS["schools"]
SAFE_MAIL = re.compile(r"[a-z0-9.]+@(?:[a-z0-9-]+\.)*(?:example|example\.org)")


def parsed(name: str) -> Parsed:
    return parse_file(name, generate.DATA / name)


@pytest.fixture(scope="module")
def first() -> Parsed:
    return parsed(PAPER["imports"][0]["file"])


@pytest.fixture(scope="module")
def second() -> Parsed:
    return parsed(PAPER["imports"][1]["file"])


@pytest.fixture(scope="module")
def mail() -> Parsed:
    return parsed(MAIL["imports"][0]["file"])


def enrolment(of: Parsed, pupil: str) -> EnrolmentFact:
    return next(e for e in of.enrolments if e.pupil.external_id == pupil)


def guardians(of: Parsed) -> dict[str, GuardianFact]:
    return {g.external_id: g for e in of.enrolments for g in e.guardians}


def test_the_generator_writes_what_is_committed(tmp_path: Path) -> None:
    generate.write(tmp_path)
    written = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    committed = {path.name: path.read_bytes() for path in generate.DATA.iterdir()}
    assert written.keys() == committed.keys()
    assert [name for name in written if written[name] != committed[name]] == []


@pytest.mark.parametrize("school", [PAPER, MAIL], ids=["paper", "mail"])
def test_each_file_is_read_without_a_word_and_says_what_schools_json_says(school: dict[str, Any]) -> None:
    for facts in school["imports"]:
        file = parsed(facts["file"])
        assert file.problems == ()
        assert file.format == facts["format"]
        assert [s.codice for s in file.schools] == [school["codice"]]
        assert {e.school_year for e in file.enrolments} == {facts["school_year"]}
        counts = file.counts()
        assert {key: counts[key] for key in ("classes", "pupils", "guardians")} == {
            key: facts[key] for key in ("classes", "pupils", "guardians")
        }


def test_the_paper_school_is_of_the_size_that_is_promised(first: Parsed, second: Parsed) -> None:
    for year in (first, second):
        assert (len(year.classes), len(year.enrolments), year.bulk) == (12, 300, True)
        assert 550 <= year.counts()["guardians"] <= 570


def test_continuing_pupils_keep_their_ids_and_move_up(first: Parsed, second: Parsed) -> None:
    before = {e.pupil.external_id: e for e in first.enrolments}
    grade = {k.external_id: k.grade or 0 for k in (*first.classes, *second.classes)}
    steps: Counter[int] = Counter()
    for now in second.enrolments:
        earlier = before.get(now.pupil.external_id)
        if earlier:
            assert now.pupil == earlier.pupil
            steps[grade[now.class_external_id] - grade[earlier.class_external_id]] += 1
        elif now.pupil.external_id != PAPER["stories"]["new_arrival"]:
            assert grade[now.class_external_id] == 1
    assert steps == {1: 249, 0: 1}
    gone = before.keys() - {e.pupil.external_id for e in second.enrolments}
    assert {grade[before[pupil].class_external_id] for pupil in gone} == {5}
    assert len(gone) == 50


def test_the_stories_of_the_paper_school(first: Parsed, second: Parsed) -> None:
    stories = PAPER["stories"]
    people, later = guardians(first), guardians(second)
    one, other = (people[code] for code in stories["one_mailbox"])
    assert one.email == other.email and one.external_id != other.external_id
    child = next(e for e in first.enrolments if one in e.guardians)
    assert other in child.guardians
    assert enrolment(first, stories["without_codice_fiscale"]).pupil.codice_fiscale is None
    assert not (people[stories["omocodia"]].codice_fiscale or "")[14].isdigit()
    assert people[stories["without_email"]].email is None
    assert people[stories["legal_guardian"]].relationship is Relationship.legal_guardian
    assert people[stories["grandmother"]].relationship is Relationship.other  # OneRoster has no grandmothers
    assert stories["teacher_and_parent"] in people
    for codes in stories["siblings"]:
        assert len({enrolment(first, code).guardians for code in codes}) == 1
    assert enrolment(first, stories["repeater"]).class_external_id == "cl-2026-1A"
    assert enrolment(second, stories["repeater"]).class_external_id == "cl-2027-1B"
    arrival = enrolment(second, stories["new_arrival"])
    assert arrival.class_external_id == "cl-2027-3A"
    assert all(g.external_id not in people for g in arrival.guardians)
    for code in stories["younger_siblings"]:
        assert any(g.external_id in people for g in enrolment(second, code).guardians)
    assert len(stories["younger_siblings"]) >= 2 and len(stories["siblings"]) >= 5
    assert later.keys() & people.keys()


def test_the_stories_of_the_mail_school(mail: Parsed) -> None:
    stories = MAIL["stories"]
    people = guardians(mail)
    heroine = people[stories["heroine"]]
    assert (heroine.given_name, heroine.family_name, heroine.email) == mail_school.HEROINE
    child = enrolment(mail, stories["heroine_child"])
    assert (child.kind, child.class_external_id[:2]) == (EnrolmentKind.first_year, "1A")
    assert heroine in child.guardians
    assert enrolment(mail, stories["new_arrival"]).kind is EnrolmentKind.new_to_the_school
    assert {e.kind for e in mail.enrolments} == set(EnrolmentKind)
    assert people[stories["no_data_access"]].data_access is False
    assert enrolment(mail, stories["without_codice_fiscale"]).pupil.codice_fiscale is None
    one, other = (people[code] for code in stories["one_mailbox"])
    assert one.email == other.email
    assert all(g.email for g in people.values())
    assert {"it", "ro"} < {g.language for g in people.values()}


def test_the_mail_schools_file_is_as_secretariats_write_them() -> None:
    content = (generate.DATA / MAIL["imports"][0]["file"]).read_bytes()
    assert content.startswith(b"\xef\xbb\xbf" + ";".join(COLUMNS).encode() + b"\r\n")
    assert list(COLUMNS) == mail_school.COLUMNS
    dates = re.findall(rb"AL\d{5};[^;]*;[^;]*;([^;]+);", content)
    forms = {re.sub(rb"\d", b"9", date) for date in dates}
    assert {b"9999-99-99", b"99/99/9999"} < forms
    assert any(re.fullmatch(rb"\d/\d+/\d{4}|\d+/\d/\d{4}", date) for date in dates)


def test_nobody_is_real(first: Parsed, second: Parsed, mail: Parsed) -> None:
    """No land registry code starts with X, no such domain can be bought, no prefix is 000."""
    for file in (first, second, mail):
        for e in file.enrolments:
            for code in (e.pupil.codice_fiscale, *(g.codice_fiscale for g in e.guardians)):
                if code:
                    assert code[11] == "X"
                    assert check_codice_fiscale(code) == code
            for g in e.guardians:
                assert g.email is None or SAFE_MAIL.fullmatch(g.email)
                assert g.phone is None or g.phone.startswith("+39 000 ")


def test_families_come_from_everywhere(first: Parsed) -> None:
    names = {e.pupil.given_name for e in first.enrolments}
    assert any("\u0600" <= c <= "\u06ff" for name in names for c in name)
    assert any("\u4e00" <= c <= "\u9fff" for name in names for c in name)
    families = {g.family_name for g in guardians(first).values()}
    for origin, _ in ORIGINS:
        assert families & set(origin.families)


def test_the_dirty_file_shows_what_bad_input_looks_like() -> None:
    file = parsed(FACTS["bad_input"]["file"])
    found = [(p.line, p.code) for p in file.problems]
    assert found == [
        (1, "column_secret"),
        (1, "columns_unknown"),
        (3, "date_impossible"),
        (4, "fiscale_check_digit"),
        (5, "email"),
        (6, "relationship_unknown"),
        (7, "not_listed"),
        (8, "formula"),
        (9, "meccanografico_shape"),
        (10, "ragged"),
        (11, "quotes"),
        (12, "contradiction"),
        (13, "yes_no"),
    ]
    assert [e.pupil.family_name for e in file.enrolments] == [
        "Nicolò",
        "Costa",
        "Gatti",
        "Sala",
        "Amato",
        "Longo",
    ]
    assert b"non-va-mai-letta" in (generate.DATA / FACTS["bad_input"]["file"]).read_bytes()
    assert "non-va-mai-letta" not in repr(file)


def test_schools_of_any_size_are_the_same_every_time() -> None:
    one, two = (oneroster(generate_school(500, profile=PROFILE, seed=7)) for _ in range(2))
    assert one == two
    file = parse_file("grande.zip", one)
    assert (file.counts()["pupils"], len(file.classes), file.problems) == (500, 20, ())
    assert [class_title(n, 5) for n in (0, 4, 5, 129, 130)] == ["1A", "5A", "1B", "5Z", "1AA"]
    assert one != oneroster(generate_school(500, profile=PROFILE, seed=8))


def test_an_invented_code_is_refused_once_a_letter_changes(first: Parsed) -> None:
    code = next(e.pupil.codice_fiscale for e in first.enrolments if e.pupil.codice_fiscale)
    with pytest.raises(InvalidCode):
        check_codice_fiscale(code[:-1] + ("B" if code[-1] == "A" else "A"))
