"""The e-mail circular, sentence by sentence: a school that writes to families, and nowhere else (rows E).

Each test is a sentence of the circular. What the school does, it does over HTTP, on the bus or on its pages; what is
proved is what the running services then say, and what stands in their histories.
"""

import asyncio
from datetime import UTC, datetime, timedelta

import nats
import orjson
import pytest

from deploy.demo.memory import Key
from deploy.engines.nats import NatsEngine
from shared.contracts.identity import AccountRole, StaffRole
from shared.contracts.registry import StaffKind
from tests.acceptance.installation import Installation, account_of, fresh_password, until
from tests.acceptance.people import (
    Person,
    appoint,
    at_the_desk,
    first_access,
    publish,
    refused,
    signed_in,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECOND = {"class": {"id": "2A", "grade": 2, "section": "A"}}


@pytest.mark.requirement("E1")
async def test_l_invio_comincia_alla_data_stabilita_per_le_classi_prime(installation: Installation) -> None:
    """«A partire dal … sarà avviato l'invio delle credenziali alle famiglie delle classi prime.»"""
    school = await installation.school("email")
    await school.known()
    mothers, late = [school.guardian() for _ in range(3)], school.guardian()
    async with at_the_desk(school) as desk:
        first = await _plan(desk, seconds=5)
        await school.happened("CampaignPlanned", 1)
        await installation.settled()
        for mother in mothers:
            await school.enrol(school.pupil(), mother)
        await school.happened("GuardianLinked", 3)
        shown = await desk.ask(first)
        assert shown["state"] == "planned" and (await school.counts())["CredentialsIssued"] == 0
        await school.happened("CampaignCompleted", 1)
        for mother in mothers:
            assert len(await installation.letters(mother["email"])) == 1
        shown = await desk.ask(first)
        assert shown["state"] == "completed" and shown["total"] == 3
        assert [c["title"] for c in shown["by_class"]] == ["1A"], "its progress, by class"
        second = await _plan(desk, seconds=3)
        await desk.say(f"{second}/pause", {"reason": "il server della posta è in manutenzione"})
        await school.happened("CampaignPaused", 1)
        await installation.settled()
        await school.enrol(school.pupil(), late)
        await school.happened("GuardianLinked", 4)
        await asyncio.sleep(3)
        assert (await desk.ask(second))["state"] == "paused", "paused beyond its date"
        assert not await installation.letters(late["email"])
        await desk.say(f"{second}/resume", {})
        await installation.letter(late["email"])
        await school.happened("CampaignCompleted", 2)
        assert "Classi prime" in await desk.read("/consegne/campagne")


async def _plan(desk: Person, seconds: float) -> str:
    """A campaign for guardians that opens so soon; its address."""
    opens = datetime.now(UTC) + timedelta(seconds=seconds)
    planned = {"title": "Classi prime", "roles": ["guardian"], "opens": opens.isoformat()}
    made = await desk.say("/api/notifications/campaigns", planned)
    return f"/api/notifications/campaigns/{made['campaign']}"


@pytest.mark.requirement("E2")
async def test_le_credenziali_sono_codice_utente_password_e_pin(installation: Installation) -> None:
    """«Le credenziali sono: ID (codice utente), PW (password) e PIN.»"""
    school = await installation.school("email")
    mother = school.guardian()
    done = await school.enrol(school.pupil(), mother)
    child = done["student"]
    letter = await installation.letter(mother["email"])
    assert len(letter.pin) == 6 and letter.pin.isdigit()
    key = await first_access(school, Key(letter.code, letter.password))
    service = f"/registro/figli/{child}/giustificazione"
    async with signed_in(school, key) as family:
        await family.read("/registro/")  # the PIN is no second factor: nobody asked for it
        await family.read("/accesso/pin")
        await family.visitor.submit(
            "/accesso/pin", {"prova": letter.pin, "nuovo": "580317", "ripeti": "580317"}
        )
        assert family.visitor.status == 200, family.visitor.page
        await school.happened("PinChanged", 1)
        await family.visitor.open(f"/accesso/conferma?scopo=justify&oggetto=prova&next={service}")
        assert family.visitor.status == 200
        await family.visitor.submit("/accesso/conferma", {"prova": letter.pin})
        assert family.visitor.status == 422, "the old PIN confirms nothing any more"
        await family.visitor.submit("/accesso/conferma", {"prova": "580317"})
        assert family.visitor.status in (200, 404), family.visitor.page
    await school.happened("ActionConfirmed", 1)
    (confirmed,) = [e for e in await school.events() if e.name == "ActionConfirmed"]
    assert confirmed.data["by"] == "pin" and confirmed.data["purpose"] == "justify"


@pytest.mark.requirement("E3")
@pytest.mark.requirement("S4", part="bounces come back and are seen")
async def test_solo_per_email_solo_all_indirizzo_dato_all_iscrizione(installation: Installation) -> None:
    """«Esclusivamente per posta elettronica, all'indirizzo indicato all'iscrizione: nessun'altra modalità è ammessa.»"""
    school = await installation.school("email")
    mother = school.guardian(email=f"madre+bounce@{school.customer_id}.example")
    father = school.guardian(relationship="father")
    done = await school.enrol(school.pupil(), mother, father)
    guardian = done["guardians"][0]
    await school.happened("EmailBounced", 1)
    one = await installation.letter(father["email"])
    assert father["email"] == one.to, "one recipient a message"
    async with at_the_desk(school) as desk:
        class_id = await school.class_id()
        page = f"/consegne/classi/{class_id}"
        answer = await desk.visitor.post(f"{page}/tagliandi", {"scelta": "tutti", "consegna": "classe"})
        assert answer.headers["content-type"] != "application/pdf", "no slip, not even for the desk"
        holders = {h["holder"]: h for h in await desk.ask(f"/api/notifications/classes/{class_id}/holders")}
        assert holders[guardian]["state"] == "bounced"
        assert holders[guardian]["next_step"] == "correct_address"
        right = f"madre.giusta@{school.customer_id}.example"
        correct = f"/api/registry/guardians/{guardian}/address"
        body = {
            "email": right,
            "identity_check": "identity_document",
            "reason": "lettera sbagliata sul modulo",
        }
        await desk.say(correct, {k: v for k, v in body.items() if k != "identity_check"}, status=422)
        await desk.say(correct, body | {"reason": ""}, status=422)
        await desk.say(correct, body)
    letter = await installation.letter(right)
    assert not await refused(school, Key(letter.code, letter.password))
    again = school.guardian(id="X") | {"id": mother["id"], "email": "altro@altrove.example"}
    await school.enrol(school.pupil(), again)
    await school.happened("GuardianLinked", 3)
    assert not await installation.letters("altro@altrove.example"), "no file moves an address that stands"
    corrected = [e for e in await school.events() if e.name == "ContactAddressCorrected"]
    assert len(corrected) == 1 and corrected[0].data["identity_check"] == "identity_document"
    assert right not in str(corrected[0].data) and "sbagliata" not in str(corrected[0].data)


@pytest.mark.requirement("E4")
async def test_il_messaggio_porta_il_collegamento_della_scuola(installation: Installation) -> None:
    """«Il collegamento è quello personalizzato dell'istituto, con il suo codice cliente.»"""
    school = await installation.school("email")
    mother = school.guardian()
    await school.enrol(school.pupil(), mother)
    letter = await installation.letter(mother["email"])
    link = f"{installation.site}/s/{school.customer_id}"
    assert link in letter.text
    async with installation.visitor() as visitor:
        page = await visitor.open(f"/s/{school.customer_id}")
        assert visitor.status == 200 and "Istituto di prova" in page


@pytest.mark.requirement("E5")
async def test_al_primo_accesso_si_cambia_la_password(installation: Installation) -> None:
    """«Al primo accesso il sistema chiederà obbligatoriamente di cambiare la password.»"""
    school = await installation.school("email")
    mother = school.guardian()
    done = await school.enrol(school.pupil(), mother)
    letter = await installation.letter(mother["email"])
    chosen = fresh_password()
    async with installation.visitor() as visitor:
        await installation.sign_in(visitor, Key(letter.code, letter.password))
        for path in (
            "/registro/",
            "/accesso/il-mio-accesso",
            "/circolari/",
            f"/registro/figli/{done['student']}/giustificazione",
        ):
            await visitor.open(path)
            assert visitor.path == "/accesso/cambio-password", path
        for path in ("/api/registry/children", "/api/notifications/circulars"):
            assert (await visitor.json(path)).status_code == 403, path
        await visitor.open("/accesso/cambio-password")
        await visitor.submit(
            "/accesso/cambio-password", {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        )
        await visitor.open("/registro/")
        assert visitor.path == "/registro/"


@pytest.mark.requirement("E6")
async def test_le_credenziali_smarrite_non_si_rigenerano_se_non_in_casi_eccezionali(
    installation: Installation,
) -> None:
    """«Le credenziali smarrite non saranno rigenerate, se non in casi eccezionali e debitamente motivati.»"""
    school = await installation.school("email")
    mother = school.guardian()
    done = await school.enrol(school.pupil(), mother)
    account = account_of(AccountRole.guardian, done["guardians"][0])
    letter = await installation.letter(mother["email"])
    key = await first_access(school, Key(letter.code, letter.password))
    life = f"/api/identity/accounts/{account}"
    async with installation.visitor() as anyone:
        page = await anyone.open(f"/s/{school.customer_id}")
        page = await anyone.open("/accesso/smarrite")
        assert "eccezional" in page, "whoever lost them reads what this school's policy says"
    async with at_the_desk(school) as desk, signed_in(school, key) as family:
        body = {"motivation": "telefono rubato", "identity_check": "identity_document"}
        await desk.say(f"{life}/regeneration", body, status=409)
        await desk.say(f"{life}/regenerations", {"motivation": ""}, status=422)
        first = await desk.say(f"{life}/regenerations", body)
        await desk.say(f"{life}/regenerations", body, status=409)
        await desk.say(f"/api/identity/regenerations/{first['request']}/deny", {"reason": "non eccezionale"})
        await family.read("/registro/")
        second = await desk.say(f"{life}/regenerations", body)
        async with at_the_desk(school, StaffRole.principal) as principal:
            assert len(await principal.ask("/api/identity/regenerations")) == 1
            await principal.read("/accesso/sportello/richieste")
            grant = {"reason": "denuncia di furto agli atti", "identity_check": "identity_document"}
            await principal.say(f"/api/identity/regenerations/{second['request']}/grant", grant)

        async def signed_out() -> bool:
            await family.visitor.open("/registro/")
            return family.visitor.path == "/accesso/"

        await until(signed_out, 5, "the end of the old sessions")
    assert await refused(school, key), "the old password is dead"
    await school.happened("EmailAccepted", 2)
    new = next(m for m in await installation.letters(mother["email"]) if m.password != letter.password)
    assert new.code == letter.code and new.pin != letter.pin
    await first_access(school, Key(new.code, new.password))
    events = await school.events()
    decided = {e.name: e for e in events if e.name in ("RegenerationDenied", "RegenerationGranted")}
    assert decided["RegenerationDenied"].actor != decided["RegenerationGranted"].actor, (
        "by a named person each"
    )
    assert decided["RegenerationGranted"].data["exceptional"] is True
    assert not any("rubato" in str(e.data) or "furto" in str(e.data) for e in events)


@pytest.mark.requirement("E8")
async def test_agli_alunni_in_seguito_alla_casella_istituzionale(installation: Installation) -> None:
    """«Agli alunni saranno inviate in seguito, alla casella istituzionale, non appena attivata dall'amministratore.»"""
    school = await installation.school("email")
    mother = school.guardian()
    by_http, by_bus = school.pupil(), school.pupil()
    await school.enrol(by_http, mother)
    await school.enrol(by_bus, mother)
    await installation.letter(mother["email"])
    counts = await school.counts()
    assert counts["CredentialsIssued"] == 1, "the pupils wait"
    address = {p["id"]: f"{p['id'].lower()}@studenti.{school.customer_id}.example" for p in (by_http, by_bus)}
    answer = await installation.http.post(
        f"{installation.site}/api/registry/mailboxes",
        json={
            "source": school.source,
            "mailboxes": [{"pupil": by_http["id"], "address": address[by_http["id"]]}],
        },
        headers={"Authorization": f"Bearer {school.api_key}"},
    )
    assert answer.status_code == 200 and answer.json()["activated"] == 1, answer.text
    letter = await installation.letter(address[by_http["id"]])
    bus = installation.running.bus
    assert isinstance(bus, NatsEngine)
    seed = await bus.add_school(school.code)
    inbox = f"_INBOX_school_{school.code}".encode()
    client = await nats.connect(bus.url, nkeys_seed=str(seed), inbox_prefix=inbox)
    command = {
        "id": "casella-1",
        "source": school.source,
        "command": "ActivateMailbox",
        "data": {"pupil": by_bus["id"], "address": address[by_bus["id"]]},
    }
    await client.publish(f"ingress.{school.code}.cmd", orjson.dumps(command))
    await client.close()
    await installation.letter(address[by_bus["id"]])
    assert "PIN" not in letter.text or "senza PIN" in letter.text
    assert len(await installation.letters(mother["email"])) == 1, "never at a private address"
    assert (await school.counts())["SlipPrinted"] == 0
    await first_access(school, Key(letter.code, letter.password))


@pytest.mark.requirement("E10")
async def test_tutte_le_altre_classi_conservano_le_credenziali(installation: Installation) -> None:
    """«Le altre classi continuano a usare le credenziali in loro possesso, allo stesso indirizzo.»"""
    school = await installation.school("email")
    pupil, mother = school.pupil(), school.guardian()
    await school.enrol(pupil, mother, school_year="2025/2026")
    letter = await installation.letter(mother["email"])
    key = await first_access(school, Key(letter.code, letter.password))
    before = await school.counts()
    await school.enrol(pupil, mother, **SECOND)
    await school.happened("CredentialsKept", 1)
    after = await school.counts()
    for name in ("CredentialsIssued", "EmailAccepted", "PasswordChanged", "SessionsRevoked"):
        assert after[name] == before[name], f"{name}: nothing is reissued, nothing is reset"
    async with installation.visitor() as visitor:
        await visitor.open(f"/s/{school.customer_id}")
        await visitor.submit("/accesso/", {"codice": key.user_code, "password": key.password})
        await visitor.open("/registro/")
        assert visitor.path == "/registro/" and visitor.status == 200


@pytest.mark.requirement("E11")
async def test_la_circolare_ha_numero_e_data_e_va_a_tutti_e_al_sito(installation: Installation) -> None:
    """«Circolare n. … del … — Al personale, agli alunni, alle famiglie, al sito.»"""
    school = await installation.school("email")
    mother, pupil = school.guardian(), school.pupil()
    await school.enrol(pupil, mother)
    mailbox = f"alunno@studenti.{school.customer_id}.example"
    await installation.http.post(
        f"{installation.site}/api/registry/mailboxes",
        json={"source": school.source, "mailboxes": [{"pupil": pupil["id"], "address": mailbox}]},
        headers={"Authorization": f"Bearer {school.api_key}"},
    )
    await installation.letter(mailbox)
    people = [f"{kind}.{school.customer_id}@scuola.example" for kind in ("docente", "ata")]
    for kind, address in zip((StaffKind.teacher, StaffKind.ata), people, strict=True):
        await appoint(school, kind, address)
    await school.happened("StaffMemberAppointed", 2)
    await installation.settled()
    async with at_the_desk(school) as desk:
        everybody = ("teachers", "ata", "pupils", "guardians", "public")
        circular = await publish(desk, "41", "Accesso al registro", everybody)
        day = datetime.now(UTC).date().replace(day=11)
        body = {
            "number": "41",
            "day": day.isoformat(),
            "subject": "Altra",
            "text": "Altra.",
            "signed_by": "X",
        }
        await desk.say("/api/notifications/circulars", body | {"audiences": ["public"]}, status=409)
    for address in (mother["email"], mailbox, *people):
        text = await installation.mail(address, "Accesso al registro")
        assert "41" in text and "10" in text
    async with installation.visitor() as anyone:
        page = await anyone.open(f"/circolari/{school.customer_id}/{circular}")
        assert anyone.status == 200 and "41" in page and "Accesso al registro" in page
