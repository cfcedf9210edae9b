"""A circular: written, seen beforehand, published to parents, pupils, teachers, ATA and the site, read, withdrawn."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest

from deploy.engines import NatsEngine, PostgresEngine
from services.notifications.domain.circular import school_year
from services.notifications.projections import project
from shared.contracts.event import Personal
from shared.contracts.identity import LanguageChosen
from shared.contracts.notifications import (
    CircularPublished,
    CircularRead,
    CircularWithdrawn,
    NoticeFailed,
    NoticeRequested,
)
from shared.contracts.policy import EMAIL
from shared.contracts.registry import (
    ContactAddress,
    GuardianshipRestricted,
    InstitutionalMailboxActivated,
    Note,
    RestrictionGround,
    StaffContact,
    StaffKind,
    StaffMemberAppointed,
    StaffMemberLeft,
    TeacherAssigned,
)
from shared.eventstore.rebuild import Rebuild
from shared.ids import new_id
from shared.web.sessions import Role
from tests.integration.notifications_fixtures import OTHER_SCHOOL, SCHOOL, House, open_house
from tests.integration.notifications_web import Sessions, browser, front
from tests.integration.test_notifications_reminders import all_sent, mails, text_of

CUSTOMER = f"tigli-{SCHOOL.lower()}"
TEXT = "Le credenziali si consegnano in classe.\n\nI genitori cambiano la password:\n- subito\n- da soli"


@dataclass
class World:
    house: House
    sessions: Sessions = field(default_factory=Sessions)
    people: dict[str, str] = field(default_factory=dict)
    classes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.app = front(self.house, self.sessions)

    def by(
        self, role: Role | None, name: str = "", accept: str = "application/json", **more: Any
    ) -> httpx.AsyncClient:
        if role is None:
            return browser(self.app, accept=accept)
        person = self.people.get(name, name or "person-desk")
        token = self.sessions.open(role, person=person, account=f"account-{person}", **more)
        return browser(self.app, token, accept=accept)

    async def staff(self, name: str, kind: StaffKind, email: str | None) -> None:
        self.people[name] = new_id()
        who = StaffContact(family_name=name, given_name="Anna", email=email)
        await self.house.tell(
            StaffMemberAppointed(
                person=self.people[name], kind=kind, details=Personal(person=self.people[name], value=who)
            )
        )


@pytest.fixture
async def world(postgres: PostgresEngine, nats_server: NatsEngine, tmp_path: Path) -> AsyncIterator[World]:
    """Two classes; a mother of both pupils, a father of one who may see nothing and one without an address."""
    async with open_house(postgres, nats_server, tmp_path) as house:
        world = World(house)
        await house.school(EMAIL)
        for title in ("1A", "2B"):
            world.classes[title] = await house.form_class(title)
        luca = await house.pupil(world.classes["1A"], "Bianchi", "Luca")
        sara = await house.pupil(world.classes["2B"], "Verdi", "Sara")
        irene = await house.guardian(luca, "Bianchi", "Irene", "irene@example.org", language="ar")
        paolo = await house.guardian(sara, "Verdi", "Paolo", None)
        ugo = await house.guardian(sara, "Verdi", "Ugo", "ugo@example.org", data_access=False)
        world.people |= {"luca": luca, "sara": sara, "irene": irene, "paolo": paolo, "ugo": ugo}
        box: Personal[ContactAddress] = Personal(
            person=sara, value=ContactAddress(email="sara@scuola.example")
        )
        await house.tell(InstitutionalMailboxActivated(student=sara, mailbox=box))
        await world.staff("docente", StaffKind.teacher, "docente@scuola.example")
        await world.staff("bidella", StaffKind.ata, "ata@scuola.example")
        await world.staff("andata", StaffKind.ata, "andata@scuola.example")
        await house.tell(
            StaffMemberLeft(person=world.people["andata"]),
            TeacherAssigned(teacher=world.people["docente"], class_id=world.classes["1A"]),
        )
        yield world


TODAY = datetime.now(UTC).date()


def body(**changes: Any) -> dict[str, Any]:
    return {
        "number": "12",
        "day": TODAY.isoformat(),
        "subject": "Credenziali per il registro",
        "text": TEXT,
        "signed_by": "La dirigente scolastica, Anna Neri",
        "audiences": ["guardians", "pupils", "teachers", "ata", "public"],
        "classes": [],
    } | changes


async def published(world: World, **changes: Any) -> str:
    async with world.by("secretary") as office:
        answer = await office.post("/api/notifications/circulars", json=body(**changes))
    assert answer.status_code == 201, answer.text
    return str(answer.json()["circular"])


@pytest.mark.requirement("P10", part="service")
@pytest.mark.requirement("E11", part="service")
async def test_it_goes_to_everybody_whom_it_concerns_one_recipient_a_message(world: World) -> None:
    circular = await published(world)
    (event,) = await world.house.events(CircularPublished)
    assert isinstance(event, CircularPublished)
    assert (event.year, event.number, event.day) == (school_year(TODAY), "12", TODAY)
    assert {(s.audience.value, s.holders, s.by_mail) for s in event.sizes} == {
        ("guardians", 2, 1),
        ("pupils", 2, 1),
        ("teachers", 1, 1),
        ("ata", 1, 1),
    }
    await all_sent(world.house)
    went = {mail["To"].addresses[0].addr_spec: mail for mail in mails(world.house)}
    assert set(went) == {
        "irene@example.org",
        "sara@scuola.example",
        "docente@scuola.example",
        "ata@scuola.example",
    }
    assert all(len(to) == 1 for to, _ in world.house.mailbox.received)
    link = f"http://localhost:8480/circolari/{CUSTOMER}/{circular}"
    for mail in went.values():
        assert link in text_of(mail)
        assert "Credenziali per il registro" in text_of(mail)
    assert went["irene@example.org"]["Content-Language"] == "ar"
    assert "Ciao Sara Verdi" in text_of(went["sara@scuola.example"])
    # The very same again: nothing is sent twice; another with that number, however written: refused.
    async with world.by("principal") as office:
        again = await office.post("/api/notifications/circulars", json=body())
        assert (again.status_code, again.json()["notices"]) == (200, 0)
        for number in ("12", "012"):
            other = await office.post(
                "/api/notifications/circulars", json=body(number=number, subject="Altro")
            )
            assert (other.status_code, other.json()["type"]) == (409, "urn:custode:problem:number-taken")
        assert (await office.post("/api/notifications/circulars", json=body(number="013"))).status_code == 201
        next_year = await office.post(
            "/api/notifications/circulars", json=body(day=(TODAY + timedelta(days=365)).isoformat())
        )
        assert next_year.status_code == 201
        for far in (-367, 400):
            day = (TODAY + timedelta(days=far)).isoformat()
            mistyped = await office.post("/api/notifications/circulars", json=body(number="99", day=day))
            assert mistyped.status_code == 422 and mistyped.json()["errors"][0]["pointer"] == "#/day"
    assert len(await world.house.events(NoticeRequested)) == 3 * 4


async def test_only_some_classes_and_only_who_may_see_a_child_there(world: World) -> None:
    circular = await published(
        world, classes=[world.classes["2B"]], audiences=["guardians", "pupils", "teachers"]
    )
    holders = {e.holder for e in await world.house.events(NoticeRequested) if isinstance(e, NoticeRequested)}
    assert holders == {world.people["sara"]}
    for role, name, status in (
        ("guardian", "paolo", 200),
        ("pupil", "sara", 200),
        ("guardian", "irene", 404),
        ("guardian", "ugo", 404),
        ("pupil", "luca", 404),
        ("teacher", "docente", 404),
        ("auditor", "x", 404),
        ("secretary", "y", 200),
    ):
        async with world.by(role, name) as reader:  # type: ignore[arg-type]
            assert (await reader.get(f"/api/notifications/circulars/{circular}")).status_code == status, name
            page = await reader.get(f"/circolari/{CUSTOMER}/{circular}", headers={"Accept": "text/html"})
            assert page.status_code == status, name
            pdf = await reader.get(f"/circolari/{CUSTOMER}/{circular}/pdf")
            assert pdf.status_code == status, name
    async with world.by(None, accept="text/html") as stranger:
        for address in (
            f"{CUSTOMER}/{circular}",
            f"{CUSTOMER}/{circular}/pdf",
            f"{CUSTOMER}/nothing",
            "nobody/x",
        ):
            answer = await stranger.get(f"/circolari/{address}")
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/accesso/?next=/circolari/")
        assert circular not in (await stranger.get(f"/circolari/{CUSTOMER}/")).text


async def test_read_once_by_whom_it_concerns_and_the_office_sees_who_has_not(world: World) -> None:
    circular = await published(world)
    path = f"/circolari/{CUSTOMER}/{circular}"
    async with world.by("guardian", "irene", accept="text/html") as mother:
        home = await mother.get("/circolari/")
        assert "1 circolare da leggere" in home.text
        assert "Da leggere" in home.text
        assert "La scuola sa che ha letto" in (await mother.get(path)).text
        assert "Letta il" in (await mother.get(path)).text
        assert (await mother.get(f"{path}/pdf")).content.startswith(b"%PDF")
        assert "Letta il" in (await mother.get("/circolari/")).text
        assert "Nessuna circolare da leggere" in (await mother.get("/circolari/")).text
    async with world.by("teacher", "docente") as teacher:
        (one,) = (await teacher.get("/api/notifications/circulars")).json()
        assert (one["as_audience"], one["read_at"]) == ("teachers", None)
        for _ in range(2):
            assert (await teacher.post(f"/api/notifications/circulars/{circular}/read")).status_code == 204
    # The public page is read by anybody, and by who works there but is not addressed, without being counted.
    async with world.by(None, accept="text/html") as stranger, world.by("administrator", "tecnica") as other:
        assert TEXT.split("\n", maxsplit=1)[0] in (await stranger.get(path)).text
        assert path in (await stranger.get(f"/circolari/{CUSTOMER}/")).text
        assert (await stranger.get(f"{path}/pdf")).headers["content-type"] == "application/pdf"
        assert (await other.get(path)).status_code == 200
    read = [
        (e.holder, e.audience) for e in await world.house.events(CircularRead) if isinstance(e, CircularRead)
    ]
    assert read == [(world.people["irene"], "guardians"), (world.people["docente"], "teachers")]
    async with world.by("secretary") as office:
        (told,) = (await office.get("/api/notifications/circulars/published")).json()
        readers = {group["audience"]: (group["readers"], group["holders"]) for group in told["reads"]}
        assert readers["guardians"] == (1, 2)
        assert readers["teachers"] == (1, 1)
        unread = (await office.get(f"/api/notifications/circulars/{circular}/unread")).json()
        assert {(m["audience"], m["name"], m["reachable"]) for m in unread} == {
            ("guardians", "Verdi Paolo", False),
            ("pupils", "Bianchi Luca", False),
            ("pupils", "Verdi Sara", True),
            ("ata", "bidella Anna", True),
        }
        page = await office.get(f"/consegne/circolari/{circular}", headers={"Accept": "text/html"})
        assert "Verdi Paolo" in page.text
        assert "senza indirizzo" in page.text
    for role, name in (("teacher", "docente"), ("guardian", "irene"), ("administrator", "z")):
        async with world.by(role, name) as other:  # type: ignore[arg-type]
            refused = await other.get(f"/api/notifications/circulars/{circular}/unread")
            assert refused.status_code == 403


async def test_two_who_publish_the_same_at_once_publish_it_once(world: World) -> None:
    async with world.by("secretary") as one, world.by("principal") as other:
        answers = await asyncio.gather(
            *(office.post("/api/notifications/circulars", json=body()) for office in (one, other, one, other))
        )
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["circular"] for answer in answers}) == 1
    assert len(await world.house.events(CircularPublished)) == 1
    assert len(await world.house.events(NoticeRequested)) == 4


async def test_a_restriction_ends_what_a_parent_reads_and_is_sent(world: World) -> None:
    circular = await published(world, audiences=["guardians"])
    note: Personal[Note] = Personal(person=world.people["irene"], value=Note(text="provvedimento"))
    await world.house.tell(
        GuardianshipRestricted(
            guardian=world.people["irene"],
            student=world.people["luca"],
            on=date(2020, 1, 1),
            ground=RestrictionGround.court_order,
            note=note,
        )
    )
    await all_sent(world.house)
    assert mails(world.house) == []
    (dropped,) = await world.house.events(NoticeFailed)
    assert isinstance(dropped, NoticeFailed)
    assert dropped.problem == "no_longer_available"
    async with world.by("guardian", "irene") as mother:
        assert (await mother.get(f"/api/notifications/circulars/{circular}")).status_code == 404
        assert (await mother.get("/api/notifications/circulars")).json() == []


async def test_withdrawn_with_a_reason_that_its_readers_see_and_nothing_more_leaves(world: World) -> None:
    circular = await published(world)
    async with world.by("secretary", accept="text/html") as office:
        asked = await office.post(f"/consegne/circolari/{circular}/ritiro", data={"motivo": " "})
        assert asked.status_code == 422
        done = await office.post(f"/consegne/circolari/{circular}/ritiro", data={"motivo": "Data sbagliata"})
        assert done.headers["location"] == f"/consegne/circolari/{circular}"
        await office.post(f"/consegne/circolari/{circular}/ritiro", data={"motivo": "Ancora"})
    (event,) = await world.house.events(CircularWithdrawn)
    assert isinstance(event, CircularWithdrawn)
    assert event.reason == "Data sbagliata"
    await all_sent(world.house)
    assert mails(world.house) == []
    async with world.by(None, accept="text/html") as stranger:
        assert circular not in (await stranger.get(f"/circolari/{CUSTOMER}/")).text
        assert "Data sbagliata" in (await stranger.get(f"/circolari/{CUSTOMER}/{circular}")).text


async def test_a_draft_is_seen_beforehand_and_published_once(world: World) -> None:
    form = {
        "numero": "7",
        "data": TODAY.isoformat(),
        "oggetto": "Assemblea <b>sindacale</b>",
        "testo": TEXT,
        "firma": "Anna Neri",
        "destinatari": ["guardians", "public"],
        "classi": [world.classes["1A"]],
    }
    async with world.by("secretary", accept="text/html") as office:
        new = await office.get("/consegne/circolari/nuova")
        assert 'name="numero" type="text" value="1"' in new.text
        wrong = await office.post("/consegne/circolari/bozze", data=form | {"oggetto": "", "data": "ieri"})
        assert wrong.status_code == 422
        assert "Scriva l’oggetto della circolare." in wrong.text
        assert "Indichi la data della circolare." in wrong.text
        far = await office.post("/consegne/circolari/bozze", data=form | {"data": "2206-11-22"})
        assert far.status_code == 422 and "Controlli la data" in far.text
        (draft,) = re.findall(r'name="bozza" value="([^"]+)"', wrong.text)
        saved = await office.post("/consegne/circolari/bozze", data=form | {"bozza": draft})
        assert saved.headers["location"] == f"/consegne/circolari/bozze/{draft}/anteprima"
        seen = await office.get(saved.headers["location"])
        assert "Assemblea &lt;b&gt;sindacale&lt;/b&gt;" in seen.text
        assert "1 persona, 1 riceve un messaggio" in seen.text
        assert (await office.get(f"/consegne/circolari/bozze/{draft}/pdf")).content.startswith(b"%PDF")
        assert await world.house.events(CircularPublished) == []
        first = await office.post(f"/consegne/circolari/bozze/{draft}/pubblica")
        again = await office.post(f"/consegne/circolari/bozze/{draft}/pubblica")
        assert first.headers["location"].split("?")[0] == again.headers["location"]
        assert len(await world.house.events(CircularPublished)) == 1
        assert len(await world.house.events(NoticeRequested)) == 1
        await office.post("/consegne/circolari/bozze", data=form | {"bozza": draft, "oggetto": "Altro"})
        (event,) = await world.house.events(CircularPublished)
        assert isinstance(event, CircularPublished)
        assert event.subject == "Assemblea <b>sindacale</b>"
        assert "n. 7" in (await office.get("/consegne/circolari")).text
        twin = await office.post("/consegne/circolari/bozze", data=form | {"oggetto": "Un’altra"})
        taken = await office.post(twin.headers["location"].replace("anteprima", "pubblica"))
        assert taken.status_code == 409
        assert "ne scelga un altro" in taken.text
    for role, more, status in (
        ("teacher", {}, 403),
        ("administrator", {}, 403),
        ("secretary", {"school": OTHER_SCHOOL}, 404),
    ):
        async with world.by(role, accept="text/html", **more) as other:  # type: ignore[arg-type]
            for path in (
                f"bozze/{draft}",
                f"bozze/{draft}/anteprima",
                event.circular,
                f"{event.circular}/ritiro",
            ):
                assert (await other.get(f"/consegne/circolari/{path}")).status_code == status


@pytest.mark.requirement("E4", part="adapted message")
async def test_a_school_adapts_its_words_and_its_letterhead(world: World) -> None:
    async with world.by("secretary", accept="text/html") as office:
        assert "Testi e carta intestata" in (await office.get("/consegne/testi")).text
        paper = {"testata": "IC «Via dei Tigli»\r\nVia dei Tigli 1\r\n\r\n", "piede": "C.F. 97000000000"}
        assert (await office.post("/consegne/testi/carta-intestata", data=paper)).status_code == 303
        bad = await office.post("/consegne/testi/carta-intestata", data={"testata": " "})
        assert bad.status_code == 422
        words = {
            "oggetto": "{scuola}: leggete!",
            "apertura": "Gentile famiglia di {nome},",
            "chiusura": "<b>Saluti</b>",
        }
        wrong = await office.post("/consegne/testi/circular/ar", data=words | {"chiusura": "{password}"})
        assert wrong.status_code == 422
        assert "solo {nome}, {scuola} e {indirizzo}" in wrong.text
        shown = await office.post("/consegne/testi/circular/ar", data=words | {"azione": "messaggio"})
        assert "&lt;b&gt;Saluti&lt;/b&gt;" in shown.text
        assert 'dir="rtl"' in shown.text
        assert "sandbox" in shown.headers["content-security-policy"]
        plain = await office.post("/consegne/testi/circular/ar", data=words | {"azione": "anteprima"})
        assert "non è ancora salvato" in plain.text
        assert (await office.get("/api/notifications/texts")).json() == []
        assert (await office.post("/consegne/testi/circular/ar", data=words)).status_code == 303
        assert [w["language"] for w in (await office.get("/api/notifications/texts")).json()] == ["ar"]
        assert (await office.get("/consegne/testi/circular/xx")).status_code == 404
        assert (await office.get("/api/notifications/letterhead")).json()["head"][1] == "Via dei Tigli 1"
        put = await office.put("/api/notifications/texts/reminder/it", content=json.dumps({"opening": "{x}"}))
        assert put.status_code == 422
    await published(world, audiences=["guardians"])
    await all_sent(world.house)
    (mail,) = mails(world.house)
    assert mail["Subject"] == "Istituto comprensivo «Via dei Tigli»: leggete!"
    assert "Gentile famiglia di" in text_of(mail)
    assert f"/circolari/{CUSTOMER}/" in text_of(mail)
    # The mail with the credentials opens and closes so too, in the language that its holder chose.
    async with world.by("principal") as office:
        own = {"opening": "Dear family of {nome}", "closing": None, "subject": None}
        assert (await office.put("/api/notifications/texts/credentials/fr", json=own)).status_code == 204
    irene = world.people["irene"]
    await world.house.account(irene)
    await world.house.tell(LanguageChosen(account=f"account-{irene}", holder=irene, language="fr"))
    await world.house.issue(irene)
    await all_sent(world.house)
    said = text_of(mails(world.house)[-1])
    assert "Dear family of Irene Bianchi" in said
    assert "Parent ou tuteur de" in said
    assert world.house.secrets[await world.house.credential_of(irene)].password in said
    for role in ("teacher", "guardian", "administrator"):
        async with world.by(role) as other:
            assert (await other.get("/consegne/testi")).status_code == 403
            assert (await other.put("/api/notifications/letterhead", json={"head": ["X"]})).status_code == 403


async def test_what_the_pages_read_is_rebuilt_the_same(world: World, postgres: PostgresEngine) -> None:
    circular = await published(world)
    await all_sent(world.house)
    async with world.by("guardian", "irene") as mother:
        await mother.post(f"/api/notifications/circulars/{circular}/read")
    async with world.by("secretary") as office:
        await office.put("/api/notifications/letterhead", json={"head": ["IC", "Via"], "foot": ["CF"]})
        await office.put("/api/notifications/texts/circular/it", json={"closing": "A presto"})
        gone = {"reason": "data sbagliata"}
        assert (
            await office.post(f"/api/notifications/circulars/{circular}/withdrawal", json=gone)
        ).status_code == 204
    irene = world.people["irene"]
    await world.house.tell(LanguageChosen(account=f"account-{irene}", holder=irene, language="fr"))
    database = world.house.settings.database_url.get_secret_value()
    owner = postgres.role_url("notifications_owner", urlsplit(database).path.lstrip("/"))

    async def foreign(source: str, after: int, upto: int) -> AsyncIterator[Sequence[bytes]]:
        async for batch in world.house.others[source].replay(after, upto):
            yield [recorded.entry for recorded in batch]

    rebuild = Rebuild(world.house.store, project, owner, postgres.urls("notifications").keyring, foreign)
    told = await rebuild.run(service_role="notifications")
    assert (told.differences, told.switched) == ({}, True)
