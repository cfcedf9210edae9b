"""From a class list to a first sign-in, over HTTP, the bus, files, SMTP and the pages (issue "main job")."""

import re

import asyncpg
import nats
import orjson
import pytest

from deploy.demo.memory import Key
from deploy.engines.nats import NatsEngine
from tests.acceptance.installation import (
    Installation,
    School,
    fresh_password,
    password_on,
    slips_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")

CSV_HEADER = (
    "codice_meccanografico;anno_scolastico;classe;sezione;codice_alunno;cognome_alunno;nome_alunno;"
    "tipo_iscrizione;codice_genitore;cognome_genitore;nome_genitore;ruolo_genitore;email_iscrizione_genitore"
)


@pytest.mark.requirement("E2", part="user code, password and PIN are issued and mailed")
@pytest.mark.requirement("E5")
@pytest.mark.requirement("S4", part="real e-mail")
async def test_a_mother_gets_her_mail_signs_in_and_must_choose_a_password(installation: Installation) -> None:
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(given_name="Ludovica"), mother)
    letter = await installation.letter(mother["email"])
    assert f"{installation.site}/s/{school.customer_id}" in letter.text
    assert letter.pin.isdigit() and len(letter.pin) == 6
    chosen = fresh_password()
    async with installation.visitor() as visitor:
        await visitor.open(f"/s/{school.customer_id}")
        assert "Istituto di prova" in visitor.page
        await visitor.submit("/accesso/", {"codice": letter.code, "password": letter.password})
        assert visitor.path == "/accesso/cambio-password"
        for elsewhere in ("/registro/", "/accesso/inizio", "/consegne/"):
            await visitor.open(elsewhere)
            assert visitor.path == "/accesso/cambio-password", "until then the session can do nothing else"
        assert (await visitor.json("/api/registry/schools/x/classes")).status_code == 403
        form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        await visitor.submit("/accesso/cambio-password", form)
        await visitor.open("/registro/")
        assert visitor.path == "/registro/" and "Ludovica" in visitor.page
    async with installation.visitor() as visitor:
        await installation.sign_in(visitor, Key(letter.code, letter.password))
        assert visitor.status == 422 and visitor.path == "/accesso/", "the old password is refused"
        await installation.sign_in(visitor, Key(letter.code, chosen))
        assert visitor.path == "/registro/" and visitor.status == 200


@pytest.mark.requirement("P3")
@pytest.mark.requirement("P4")
@pytest.mark.requirement("P5", part="slips are printed by class")
async def test_each_holder_of_a_paper_school_gets_a_slip_of_their_own(installation: Installation) -> None:
    """First year and new arrival, pupil and parent: a code and a password each, and each works."""
    school = await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian(), school.guardian(relationship="father"))
    await school.enrol(school.pupil(), school.guardian(), kind="new_to_the_school")
    await school.happened("DeliveryRequested", 5)
    pdf = await school.print_class()
    slips = slips_in(pdf)
    assert len(slips) == 5
    passwords = [password_on(slip) for slip in slips]
    assert len(set(passwords)) == 5
    assert not any(re.search(r"\b\d{6}\b", slip) for slip in slips), "a PIN is never on a slip in class"
    codes = await _codes(school)
    assert len(set(codes)) == 5
    signed_in = 0
    for slip, password in zip(slips, passwords, strict=True):
        (code,) = [c for c in codes if c in slip.replace(" ", "")]
        async with installation.visitor() as visitor:
            await installation.sign_in(visitor, Key(code, password))
            await visitor.open("/registro/")
            signed_in += visitor.path == "/registro/" and visitor.status == 200
    assert signed_in == 5
    assert (await school.counts())["SlipPrinted"] == 5


@pytest.mark.requirement(
    "P2", part="continuing holders keep theirs, others are refused until the desk issues"
)
@pytest.mark.requirement("E10", part="continuing holders keep their credentials")
async def test_who_has_an_account_keeps_it_and_who_has_none_asks_at_the_desk(
    installation: Installation,
) -> None:
    school = await installation.school("paper")
    pupil, parent = school.pupil(), school.guardian()
    older, their_parent = school.pupil(), school.guardian()
    await school.enrol(pupil, parent, school_year="2025/2026")
    await school.issued(2)
    await school.enrol(pupil, parent, **{"class": {"id": "2A", "grade": 2, "section": "A"}})
    await school.enrol(older, their_parent, kind="continuing", **{"class": {"id": "2A", "grade": 2}})
    await school.happened("CredentialsKept", 2)
    await school.happened("IssuanceRefused", 2)
    counts = await school.counts()
    assert counts["CredentialsIssued"] == 2, "nothing is reissued"
    assert counts["PasswordChanged"] == counts["SessionsRevoked"] == 0, "nothing is reset"
    refused = {e.data["reason"] for e in await school.events() if e.name == "IssuanceRefused"}
    assert refused == {"no_account"}
    async with installation.visitor() as desk:
        await installation.sign_in(desk, await school.secretary())
        answer = await desk.post("/accesso/emissioni", {"scuola": "si", "back": "/consegne/"})
        assert answer.status_code == 303, answer.text
    await school.issued(4)


@pytest.mark.requirement("M6", part="repeaters keep their credentials")
async def test_a_repeater_of_a_first_class_keeps_the_credentials(installation: Installation) -> None:
    school = await installation.school("paper")
    pupil, parent = school.pupil(), school.guardian()
    await school.enrol(pupil, parent, school_year="2025/2026")
    await school.issued(2)
    await school.enrol(pupil, parent)
    await school.happened("CredentialsKept", 2)
    assert (await school.counts())["CredentialsIssued"] == 2


@pytest.mark.requirement("M1")
async def test_a_second_child_adds_a_guardianship_and_never_an_account(installation: Installation) -> None:
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(given_name="Primogenita"), mother)
    letter = await installation.letter(mother["email"])
    await school.enrol(school.pupil(given_name="Secondogenito"), mother)
    await school.happened("GuardianLinked", 2)
    accounts = [
        e for e in await school.events() if e.name == "AccountOpened" and e.data["role"] == "guardian"
    ]
    assert len(accounts) == 1
    chosen = fresh_password()
    async with installation.visitor() as visitor:
        await installation.sign_in(visitor, Key(letter.code, letter.password))
        form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        await visitor.submit("/accesso/cambio-password", form)
        await visitor.open("/registro/")
        assert "Primogenita" in visitor.page and "Secondogenito" in visitor.page
    assert len(await installation.letters(mother["email"])) == 1


@pytest.mark.requirement("M2")
async def test_two_guardians_with_one_mailbox_get_two_messages(installation: Installation) -> None:
    school = await installation.school("email")
    shared_mailbox = "casa@famiglia.example"
    await school.enrol(
        school.pupil(),
        school.guardian(email=shared_mailbox),
        school.guardian(email=shared_mailbox, relationship="father"),
    )
    await school.happened("EmailAccepted", 2)
    one, two = await installation.letters(shared_mailbox)
    assert one.code != two.code and one.password != two.password and one.message_id != two.message_id
    for letter in (one, two):
        async with installation.visitor() as visitor:
            await installation.sign_in(visitor, Key(letter.code, letter.password))
            assert visitor.path == "/accesso/cambio-password", "neither cancels the other"


@pytest.mark.requirement("E3", part="exclusive: no other channel, an address is needed")
async def test_under_the_exclusive_policy_nothing_goes_but_to_the_enrolment_address(
    installation: Installation,
) -> None:
    school = await installation.school("email")
    await school.enrol(school.pupil(), school.guardian(email=None))
    await school.happened("DeliveryRefused", 1)
    (refused,) = [e for e in await school.events() if e.name == "DeliveryRefused"]
    assert refused.data["problem"] == "no_address"
    async with installation.visitor() as desk:
        await installation.sign_in(desk, await school.secretary())
        page = f"/consegne/classi/{await school.class_id()}"
        await desk.open(page)
        answer = await desk.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe"})
    assert answer.headers["content-type"] != "application/pdf", "the desk cannot print it either"
    assert (await school.counts())["SlipPrinted"] == 0


@pytest.mark.requirement("S3", part="bus, HTTP and file are one door")
async def test_the_same_enrolment_by_three_ways_is_one_enrolment(installation: Installation) -> None:
    school = await installation.school("email")
    mother = school.guardian(given_name="Una", family_name="Sola")
    pupil = school.pupil(given_name="Solo", family_name="Uno")
    await school.enrol(pupil, mother)
    bus = installation.running.bus
    assert isinstance(bus, NatsEngine)
    seed = await bus.add_school(school.code)
    user = f"school_{school.code}"
    client = await nats.connect(bus.url, nkeys_seed=str(seed), inbox_prefix=f"_INBOX_{user}".encode())
    command = {
        "id": "m-1",
        "source": school.source,
        "command": "Enrol",
        "data": school.enrolment(pupil, mother),
    }
    for _ in range(2):
        await client.publish(f"ingress.{school.code}.cmd", orjson.dumps(command))
    other = command | {"id": "m-2", "data": school.enrolment(school.pupil(), school.guardian())}
    await client.publish(f"ingress.{school.code}.cmd", orjson.dumps(other))
    await client.close()
    row = f"{school.code};2026/2027;1;A;{pupil['id']};Uno;Solo;prima;{mother['id']};Sola;Una;MADRE;{mother['email']}"
    answer = await installation.upload(
        school, "elenco.csv", f"{CSV_HEADER}\n{row}\n".encode(), source=school.source
    )
    assert answer.status_code == 200, answer.text
    await school.happened("StudentEnrolled", 2)
    counts = await school.counts()
    assert counts["StudentEnrolled"] == 2 and counts["GuardianLinked"] == 2
    await school.happened("EmailAccepted", 2)
    assert len(await installation.letters(mother["email"])) == 1


@pytest.mark.requirement("M11", part="real files: BOM, separators, encodings, dates; passwords never read")
async def test_a_real_file_goes_in_and_its_wrong_rows_are_named(installation: Installation) -> None:
    school = await installation.school("email")
    header = CSV_HEADER.replace(";nome_alunno;", ";nome_alunno;data_nascita_alunno;").replace(
        "email_iscrizione_genitore", "email_iscrizione_genitore;password"
    )
    base = f"{school.code};2026/2027;1;A"
    rows = [
        header,
        f"{base};A1;Però;Niccolò;4/2/2012;prima;G1;Però;Zoé;MADRE;zoe@famiglia.example;segretissima1",
        f"{base};A2;Rossi;Ada;31/02/2012;prima;G2;Rossi;Ugo;PADRE;ugo@famiglia.example;segretissima2",
    ]
    content = "\r\n".join(rows).encode("cp1252")
    dry = await installation.upload(school, "elenco.csv", content, dry_run=True)
    answer = await installation.upload(school, "elenco.csv", content)
    assert answer.status_code == dry.status_code == 200, answer.text
    assert dry.json()["counts"] == answer.json()["counts"]
    report = answer.json()
    assert report["counts"]["new_pupils"] == 1 and report["counts"]["errors"] == 1
    (problem,) = [p for p in report["problems"] if p["severity"] == "error"]
    assert (problem["file"], problem["line"], problem["column"]) == ("elenco.csv", 3, "data_nascita_alunno")
    assert "segretissima" not in answer.text
    await installation.letter("zoe@famiglia.example")
    again = await installation.upload(school, "elenco.csv", content)
    assert again.json()["counts"]["events"] == 0


async def test_each_refusal_has_its_own_status(installation: Installation) -> None:
    school, foreign = await installation.school("email"), await installation.school("email")
    enrolment = school.enrolment(school.pupil(), school.guardian())
    assert (await installation.enrol(enrolment, "no-such-key")).status_code == 401
    assert (await installation.enrol(enrolment, foreign.api_key)).status_code == 403
    unknown = await installation.enrol({**enrolment, "school": "TOIS99999X"}, school.api_key)
    assert unknown.status_code in (403, 404)
    assert (await installation.enrol({**enrolment, "nonsense": 1}, school.api_key)).status_code == 422
    first = await installation.enrol(enrolment, school.api_key, "key-1")
    assert first.status_code == 201
    repeated = await installation.enrol(enrolment, school.api_key, "key-1")
    assert repeated.status_code in (200, 201) and repeated.json()["student"] == first.json()["student"]
    other = await installation.enrol(
        school.enrolment(school.pupil(), school.guardian()), school.api_key, "key-1"
    )
    assert other.status_code in (409, 422)
    for refused in (unknown, other):
        assert refused.headers["content-type"].startswith("application/problem+json")
        assert refused.json()["title"] and "Genitore" not in refused.text


async def test_a_parent_reaches_neither_the_desk_nor_another_school(installation: Installation) -> None:
    school, foreign = await installation.school("paper"), await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian())
    await foreign.enrol(foreign.pupil(), foreign.guardian())
    await school.happened("DeliveryRequested", 2)
    await foreign.happened("DeliveryRequested", 2)
    slip = next(s for s in slips_in(await school.print_class()) if "Genitore" in s)
    (code,) = [c for c in await _codes(school) if c in slip.replace(" ", "")]
    page = f"/consegne/classi/{await foreign.class_id()}"
    async with installation.visitor() as parent:
        await installation.sign_in(parent, Key(code, password_on(slip)))
        for path in ("/consegne/", page):
            await parent.open(path)
            assert parent.status == 403
    async with installation.visitor() as secretary:
        await installation.sign_in(secretary, await school.secretary())
        await secretary.open(page)
        assert secretary.status == 404, "another school's class does not exist for this desk"
        answer = await secretary.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe"})
        assert answer.status_code == 404
    assert (await foreign.counts())["SlipPrinted"] == 0


async def _codes(school: School) -> list[str]:
    """The user codes of a school, which its own database alone can tell."""
    connection = await asyncpg.connect(school.installation.running.urls("notifications").runtime)
    try:
        rows = await connection.fetch(
            "select user_code from projections.accounts_v1 where school = $1 and user_code is not null",
            school.code,
        )
    finally:
        await connection.close()
    return [row["user_code"] for row in rows]
