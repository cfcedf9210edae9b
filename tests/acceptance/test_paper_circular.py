"""The paper circular, sentence by sentence: a school that hands its credentials over in class (rows P).

Each test is a sentence of the circular. What the school does, it does over HTTP, on the bus or on its pages; what is
proved is what the running services then say, and what stands in their histories.
"""

import re

import pytest

from deploy.demo.memory import Key
from shared.contracts.identity import AccountRole, StaffRole
from shared.contracts.registry import StaffKind
from tests.acceptance.installation import (
    Installation,
    account_of,
    fresh_password,
    password_on,
    slips_in,
    until,
)
from tests.acceptance.people import (
    appoint,
    at_the_desk,
    codes_of,
    first_access,
    print_holder,
    printed_keys,
    publish,
    refused,
    signed_in,
    teacher_of,
)

pytestmark = pytest.mark.asyncio(loop_scope="session")
SECOND = {"class": {"id": "2A", "grade": 2, "section": "A"}}


@pytest.mark.requirement("P2")
async def test_chi_ha_avuto_accesso_lo_scorso_anno_conserva_le_credenziali(
    installation: Installation,
) -> None:
    """«Le famiglie che hanno avuto accesso nello scorso anno conservano le credenziali in loro possesso.»"""
    school = await installation.school("paper")
    pupil, parent = school.pupil(), school.guardian()
    without, their_parent = school.pupil(), school.guardian()
    last_year = await school.enrol(pupil, parent, school_year="2025/2026")
    await school.issued(2)
    key = (await printed_keys(school))[account_of(AccountRole.guardian, last_year["guardians"][0])]
    before = await school.counts()
    await school.enrol(pupil, parent, **SECOND)
    left_out = await school.enrol(without, their_parent, kind="continuing", **SECOND)
    await school.happened("CredentialsKept", 2)
    await school.happened("IssuanceRefused", 2)
    after = await school.counts()
    for name in ("CredentialsIssued", "PasswordChanged", "SessionsRevoked", "SlipShredded"):
        assert after[name] == before[name], f"{name}: nothing is reissued, nothing is reset"
    async with signed_in(school, key) as family:
        await family.read("/registro/")
    reasons = [e.data["reason"] for e in await school.events() if e.name == "IssuanceRefused"]
    assert reasons == ["no_account", "no_account"]
    only = account_of(AccountRole.pupil, left_out["student"])
    async with at_the_desk(school) as desk:
        answer = await desk.visitor.post(
            "/accesso/emissioni", {"holders": left_out["student"], "back": "/consegne/"}
        )
        assert answer.status_code == 303, answer.text
        await school.issued(3)
        issued = [e.data["account"] for e in await school.events() if e.name == "CredentialsIssued"]
        assert issued[2:] == [only], "for one holder, with one action"
        answer = await desk.visitor.post("/accesso/emissioni", {"scuola": "si", "back": "/consegne/"})
        assert answer.status_code == 303, answer.text
    await school.issued(4)


@pytest.mark.requirement("P3")
async def test_alle_classi_prime_e_ai_nuovi_iscritti_sono_emesse_nuove_credenziali(
    installation: Installation,
) -> None:
    """«Nuove credenziali alle classi prime e ai nuovi iscritti di ogni classe, anche in corso d'anno.»"""
    school = await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian())
    await school.enrol(school.pupil(), school.guardian(), kind="new_to_the_school", **SECOND)
    await school.enrol(
        school.pupil(), school.guardian(), kind="new_to_the_school", starts="2027-02-08", **SECOND
    )
    await school.issued(6)
    assert (await school.counts())["IssuanceRefused"] == 0


@pytest.mark.requirement("P4")
async def test_le_credenziali_sono_distinte_per_genitore_e_alunno(installation: Installation) -> None:
    """«Le credenziali sono distinte per il genitore e per l'alunno»: codice e password propri, a ciascun genitore i suoi."""
    school = await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian(), school.guardian(relationship="father"))
    await school.happened("DeliveryRequested", 3)
    keys = await printed_keys(school)
    assert len({k.user_code for k in keys.values()}) == len({k.password for k in keys.values()}) == 3
    for key in keys.values():
        async with signed_in(school, key) as holder:
            await holder.read("/registro/")
    one, other, _ = keys.values()
    assert await refused(school, Key(one.user_code, other.password)), (
        "nobody's password opens another's account"
    )


@pytest.mark.requirement("P5")
async def test_i_tagliandi_sono_consegnati_brevi_manu_in_classe(installation: Installation) -> None:
    """«I tagliandi, stampati per classe, sono consegnati brevi manu in classe agli alunni, che li portano a casa.»"""
    school = await installation.school("paper")
    for _ in range(3):
        await school.enrol(school.pupil(), school.guardian())
    await school.happened("DeliveryRequested", 6)
    slips = slips_in(await school.print_class())
    assert len(slips) == 6, "a slip for each holder of the class"
    class_id = await school.class_id()
    register = f"/api/notifications/classes/{class_id}/hand-overs"
    teacher = await teacher_of(school, class_id)
    async with signed_in(school, teacher) as in_class:
        found = await in_class.ask(register)
        assert found["left"] == 6 and all(s["handed_over"] is None for s in found["slips"])
        absent, *present = found["slips"]
        ticked = [s["delivery"] for s in present[:-1]]
        page = await in_class.read(f"/consegne/classi/{class_id}/consegna")
        assert absent["name"] in page
        answer = await in_class.visitor.post(
            f"/consegne/classi/{class_id}/consegna", {"slips": ticked, "a": "pupil", "come": "tick"}
        )
        assert answer.status_code == 303, answer.text
        scanned = present[-1]["delivery"]
        await in_class.read(f"/consegne/consegna/{scanned}?da=foglio")
        await in_class.visitor.submit(f"/consegne/consegna/{scanned}", {"a": "holder", "da": "foglio"})
        assert in_class.visitor.status == 200
        found = await in_class.ask(register)
        assert found["left"] == 1, "who was absent stays open"
        done = {s["delivery"]: s["handed_over"] for s in found["slips"] if s["handed_over"]}
        assert {one["class_id"] for one in done.values()} == {class_id}
        assert {one["by"] for one in done.values()} == {"tick", "scan"}
        assert all(one["by_whom"] and one["at"] for one in done.values()), "who, and when"
    async with at_the_desk(school) as desk:
        body = {"to": "delegate", "delegate": "Zia di Prova", "by": "tick"}
        await desk.say(f"/api/notifications/deliveries/{absent['delivery']}/hand-over", body)
        assert (await desk.ask(register))["left"] == 0
        undo = f"/api/notifications/deliveries/{absent['delivery']}/hand-over/undo"
        await desk.say(undo, {"reason": ""}, status=422)
        await desk.say(undo, {"reason": "ritirato per errore"})
        assert (await desk.ask(register))["left"] == 1
    other = await installation.staff(school.code, StaffRole.teacher)
    async with signed_in(school, other) as stranger:
        answer = await stranger.visitor.json(register)
        assert answer.status_code == 404, "a teacher of other classes does not even see this one"
    counts = await school.counts()
    assert counts["SlipHandedOver"] == 6 and counts["SlipHandOverUndone"] == 1
    events = await school.events()
    assert not any("Zia di Prova" in str(e.data) or "ritirato" in str(e.data) for e in events)
    await school.happened("SlipShredded", 6)


@pytest.mark.requirement("P6")
async def test_al_registro_si_accede_dal_sito_della_scuola(installation: Installation) -> None:
    """«Al registro si accede dal sito della scuola»: un indirizzo per scuola, che non cambia."""
    school, other = await installation.school("paper"), await installation.school("paper")
    await school.known()
    await other.known()
    async with installation.visitor() as anyone:
        page = await anyone.open(f"/s/{school.customer_id}")
        assert anyone.status == 200 and "Istituto di prova" in page and "/accesso/" in page
        mine = anyone.page
        await anyone.open(f"/s/{other.customer_id}")
        assert anyone.page != mine
        await anyone.open("/s/scuola-che-non-esiste")
        assert anyone.status == 404
    await school.adopt("email", "cambia la regola, non l'indirizzo")
    async with installation.visitor() as anyone:
        await anyone.open(f"/s/{school.customer_id}")
        assert anyone.status == 200


@pytest.mark.requirement("P7")
async def test_la_password_si_cambia_dalla_schermata_di_accesso(installation: Installation) -> None:
    """«La password si cambia con "Cambia password" nella schermata di accesso.»"""
    school = await installation.school("paper")
    await school.enrol(school.pupil(), school.guardian())
    await school.happened("DeliveryRequested", 2)
    key, *_ = (await printed_keys(school)).values()
    chosen = fresh_password()
    async with signed_in(school, key) as elsewhere, installation.visitor() as visitor:
        await visitor.open("/accesso/")
        assert "Cambia password" in visitor.page and "/accesso/cambio-password" in visitor.page
        await visitor.open("/accesso/cambio-password")
        form = {"codice": key.user_code, "attuale": key.password, "nuova": chosen, "ripeti": chosen}
        await visitor.submit("/accesso/cambio-password", form | {"attuale": "sbagliata"})
        assert visitor.status == 422, "it asks for the old password"
        await visitor.open("/accesso/cambio-password")
        await visitor.submit("/accesso/cambio-password", form)
        assert visitor.status == 200, visitor.page

        async def signed_out() -> bool:
            await elsewhere.visitor.open("/registro/")
            return elsewhere.visitor.path == "/accesso/"

        await until(signed_out, 5, "the end of all other sessions")
    assert await refused(school, key)
    async with signed_in(school, Key(key.user_code, chosen)) as holder:
        await holder.read("/registro/")


@pytest.mark.requirement(
    "P8", part="the right: asked for, activated, kept from year to year; never a pupil's"
)
async def test_la_giustificazione_online_e_dei_genitori_che_la_chiedono(installation: Installation) -> None:
    """«La giustificazione online è riservata ai genitori che ne hanno fatto richiesta e l'hanno attivata.»"""
    school = await installation.school("paper")
    pupil, parent = school.pupil(given_name="Nina"), school.guardian()
    done = await school.enrol(pupil, parent)
    await school.happened("DeliveryRequested", 2)
    keys = await printed_keys(school)
    child, guardian = done["student"], done["guardians"][0]
    mother = await first_access(school, keys[account_of(AccountRole.guardian, guardian)])
    page = f"/registro/figli/{child}/giustificazione"
    async with signed_in(school, mother) as family:
        assert "Nina" in await family.read("/registro/")
        await family.read(page)
        await family.visitor.submit(page, {})
        assert family.visitor.path == "/accesso/conferma", "it is confirmed with the password, or the PIN"
        await family.visitor.submit("/accesso/conferma", {"prova": mother.password})
        assert family.visitor.status == 200 and family.visitor.path == "/registro/"
    await school.happened("JustificationServiceRequested", 1)
    assert (await school.counts())["JustificationServiceActivated"] == 0, "asked for is not activated"
    async with at_the_desk(school) as desk:
        activate = f"/registro/sportello/persone/{guardian}/figli/{child}/giustifica"
        await desk.read(activate)
        await desk.visitor.submit(activate, {})
        assert desk.visitor.status == 200, desk.visitor.page
    await school.happened("JustificationServiceActivated", 1)
    before = await school.counts()
    await school.enrol(pupil, parent, school_year="2027/2028", **SECOND)
    await school.happened("CredentialsKept", 2)
    after = await school.counts()
    assert after["JustificationServiceEnded"] == before["JustificationServiceEnded"] == 0
    async with signed_in(school, keys[account_of(AccountRole.pupil, child)]) as pupil_in:
        await pupil_in.visitor.open(page)
        assert pupil_in.visitor.status == 403, "never of a pupil under age"


@pytest.mark.requirement("P9")
async def test_una_famiglia_che_ha_condiviso_le_credenziali_le_separa(installation: Installation) -> None:
    """«Il genitore cambia la password e ha l'accesso esclusivo; l'alunno chiede le proprie alla segreteria.»"""
    school = await installation.school("paper")
    done = await school.enrol(school.pupil(), school.guardian())
    await school.happened("DeliveryRequested", 2)
    keys = await printed_keys(school)
    pupil = account_of(AccountRole.pupil, done["student"])
    guardian = done["guardians"][0]
    shared, lost = keys[account_of(AccountRole.guardian, guardian)], keys[pupil]
    parent = await first_access(school, shared)
    assert await refused(school, shared), "the child, who knew the shared one, is out"
    async with at_the_desk(school) as desk:
        page = f"/accesso/sportello/credenziali/{pupil}"
        await desk.read(page)
        body = {"identity_check": "known_in_person", "guardian": guardian}
        made = await desk.say(f"/api/identity/accounts/{pupil}/separation", body)
        await school.happened("DeliveryRequested", 3)
        pdf = await print_holder(desk, pupil)
    (slip,) = slips_in(pdf)
    own = Key(lost.user_code, password_on(slip))
    assert made["account"] == pupil and own.password != lost.password
    assert await refused(school, lost)
    async with signed_in(school, own) as pupil_in:
        home = await pupil_in.read("/registro/")
        assert "giustificazione online" not in home.lower() or "non" in home.lower()
        await pupil_in.visitor.open(f"/registro/figli/{done['student']}/giustificazione")
        assert pupil_in.visitor.status == 403, "justification excluded"
    async with signed_in(school, parent) as still:
        await still.read("/registro/")
    (separated,) = [e for e in await school.events() if e.name == "PupilCredentialsSeparated"]
    assert separated.data["account"] == pupil and separated.data["guardian"] == guardian


@pytest.mark.requirement("P10")
async def test_la_comunicazione_va_ai_genitori_e_in_copia_ai_docenti_e_al_personale_ata(
    installation: Installation,
) -> None:
    """«Ai genitori, e p.c. ai docenti e al personale ATA»: numerata, datata, inviata, pubblicata, con chi l'ha letta."""
    school = await installation.school("paper")
    mother = school.guardian()
    done = await school.enrol(school.pupil(), mother)
    await school.happened("DeliveryRequested", 2)
    people = {
        kind: f"{kind}.{school.customer_id}@scuola.example" for kind in (StaffKind.teacher, StaffKind.ata)
    }
    for kind, address in people.items():
        await appoint(school, kind, address)
    await school.happened("StaffMemberAppointed", 2)
    keys = await printed_keys(school)
    async with at_the_desk(school) as desk:
        everybody = ("guardians", "teachers", "ata", "public")
        circular = await publish(desk, "12", "Credenziali del registro", everybody)
    for address in (mother["email"], *people.values()):
        text = await installation.mail(address, "Credenziali del registro")
        assert "12" in text
    async with installation.visitor() as anyone:
        page = await anyone.open(f"/circolari/{school.customer_id}/")
        assert anyone.status == 200 and "Credenziali del registro" in page
        pdf = await installation.http.get(
            f"{installation.site}/circolari/{school.customer_id}/{circular}/pdf"
        )
        assert pdf.headers["content-type"] == "application/pdf"
        (first, *_) = slips_in(pdf.content)
        assert "Credenziali del registro" in first and re.search(r"\b12\b", first)
    guardian = account_of(AccountRole.guardian, done["guardians"][0])
    async with signed_in(school, keys[guardian]) as family:
        await family.read(f"/circolari/{school.customer_id}/{circular}")
        await family.read(f"/circolari/{school.customer_id}/{circular}")
    await school.happened("CircularRead", 1)
    assert (await school.counts())["CircularRead"] == 1, "a receipt a reader"


@pytest.mark.requirement("P11")
async def test_le_famiglie_cambiano_la_password_e_la_tengono_per_se(installation: Installation) -> None:
    """«Si raccomanda ai genitori di cambiare la password e di non comunicarla al figlio.»"""
    school = await installation.school("paper")
    done = await school.enrol(school.pupil(), school.guardian())
    await school.happened("DeliveryRequested", 2)
    slips = slips_in(await school.print_class())
    codes = await codes_of(school)
    account = account_of(AccountRole.guardian, done["guardians"][0])
    (slip,) = [s for s in slips if codes[account] in s.replace(" ", "")]
    told = " ".join(slip.split()).lower()
    assert "cambi" in told and "password" in told
    assert "figli" in told or "tenga" in told, "and that it is for the parent alone"
    async with signed_in(school, Key(codes[account], password_on(slip))):
        pass
    await school.happened("AlertRaised", 1)
    (alert,) = [e for e in await school.events() if e.name == "AlertRaised"]
    assert alert.data["kind"] == "access_before_hand_over"
    async with at_the_desk(school) as desk:
        (shown,) = await desk.ask("/api/notifications/alerts")
        assert shown["kind"] == "access_before_hand_over" and shown["settled_at"] is None
        await desk.say(f"/api/notifications/alerts/{shown['alert']}/settlement", {"note": "sentita la madre"})
        assert all(a["settled_at"] for a in await desk.ask("/api/notifications/alerts"))
