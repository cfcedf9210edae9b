"""What was taken in goes on to mails, slips, pages, the audit's telling and the logs, and does no harm anywhere."""

import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
import pytest_asyncio

from deploy.commands.audit import telling
from deploy.demo.backstage import registry_of
from deploy.demo.memory import Key
from shared.contracts.policy import PRESETS
from shared.decider import Refused
from shared.text import Unusable, legible, tidy
from tests.acceptance.installation import Installation, School, fresh_password, slips_in
from tests.hostile.answers import Markup
from tests.hostile.strings import HOSTILE, KINDS, MARK, cleaned

NAMES = (
    *(name for name in KINDS if name != "lone high surrogate"),  # no UTF-8: sent as JSON escapes elsewhere
    "no font has it",
    "Thai",
    "Chinese",
    "many combining marks",
    "very long word",
    "typst",
    "typst marks",
    "typst unclosed",
    "emoji flags",
    "encoded word",
    "mail address in a name",
    "script",
    "image",
)
SCHOOL_NAME = f'Scuola "D\'Acqua" <{MARK}> #eval("1") {{{{ 1 }}}} %s =?utf-8?q?X=0D=0ABcc:_x?= 𒀭'
CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e]")


@dataclass
class Taken:
    """The strings that the school took as names, with the mother's address of each."""

    school: School
    mothers: dict[str, str]


async def taken_by(installation: Installation, code: str, preset: str) -> Taken:
    customer = f"ostile-{preset}"
    async with registry_of(installation.running.parts.wiring) as registry:
        await registry.register_school(code, SCHOOL_NAME, customer)
        await registry.adopt_policy(code, PRESETS[preset], SCHOOL_NAME)
        key = await registry.add_api_key(code, "prova")
    school = School(installation, code, customer, key.secret)
    mothers = {}
    for number, name in enumerate(NAMES):
        text, email = HOSTILE[name], f"h{number}.{preset}@famiglia.example"
        pupil = school.pupil(family_name=text, given_name="Zeta")
        mother = school.guardian(family_name=text, given_name="Zeta", email=email)
        answer = await installation.enrol(school.enrolment(pupil, mother), school.api_key)
        assert answer.status_code in (201, 422), answer.text
        if answer.status_code == 201:
            mothers[name] = email
    assert {"apostrophe", "element", "Jinja", "no font has it", "typst"} <= mothers.keys()
    return Taken(school, mothers)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def mailed(installation: Installation) -> AsyncIterator[Taken]:
    taken = await taken_by(installation, "BAIS00002M", "email")
    yield taken


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def printed(installation: Installation) -> AsyncIterator[Taken]:
    taken = await taken_by(installation, "BAIS00003P", "paper")
    yield taken


async def message(installation: Installation, to: str) -> EmailMessage:
    await installation.letter(to, 60)
    mailbox = installation.running.mailbox_url
    listed = (await installation.http.get(f"{mailbox}/api/messages", params={"to": to})).json()["messages"]
    assert len(listed) == 1
    raw = (await installation.http.get(f"{mailbox}/api/messages/{listed[0]['id']}/raw")).content
    parsed = message_from_bytes(raw, policy=policy.default)
    assert isinstance(parsed, EmailMessage)
    return parsed


@pytest.mark.asyncio(loop_scope="session")
async def test_every_mail_is_one_mail(installation: Installation, mailed: Taken) -> None:
    names = set()
    for name, email in mailed.mothers.items():
        mail = await message(installation, email)
        names.add(tuple(sorted(key.lower() for key in mail)))
        assert [each.addr_spec for each in mail["To"].addresses] == [email], name
        assert not [part.defects for part in mail.walk() if part.defects], name
        assert not any(CONTROL.search(str(value)) for value in mail.values()), name
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        assert plain is not None and html is not None
        shown = cleaned(HOSTILE[name])
        assert shown in " ".join(plain.get_content().split()), name
        page = Markup(html.get_content())
        assert not page.wrong, (name, page.wrong)
        assert shown in " ".join(page.text.split()), name
    assert len(names) == 1, "a name made a header"


@pytest.mark.asyncio(loop_scope="session")
async def test_every_holder_has_a_slip(installation: Installation, printed: Taken) -> None:
    await printed.school.happened("DeliveryRequested", 2 * len(printed.mothers), 60)
    slips = [" ".join(slip.split()) for slip in slips_in(await printed.school.print_class())]
    assert len(slips) == 2 * len(printed.mothers), "one bad slip never stops its class"
    for name in ("apostrophe", "SQL", "typst", "percent format"):
        assert any(cleaned(HOSTILE[name]) in slip for slip in slips), name
    assert sum("U+1202D" in slip for slip in slips) >= 2, "what no font has is named"


@pytest.mark.asyncio(loop_scope="session")
async def test_the_desks_pages_show_names_as_they_are(installation: Installation, printed: Taken) -> None:
    await printed.school.happened("DeliveryRequested", 2 * len(printed.mothers), 60)
    class_id = await printed.school.class_id()
    delivery = next(e for e in await printed.school.events() if e.name == "DeliveryRequested").data[
        "delivery"
    ]
    async with installation.visitor() as desk:
        await installation.sign_in(desk, await printed.school.secretary())
        for path in ("/consegne/", f"/consegne/classi/{class_id}", f"/consegne/recapiti/{delivery}"):
            page = Markup(await desk.open(path))
            assert desk.status == 200 and not page.wrong, (path, page.wrong)
            text = " ".join(page.text.split())
            assert cleaned(SCHOOL_NAME) in text
            if "classi" in path:
                missing = [name for name in printed.mothers if cleaned(HOSTILE[name]) not in text]
                assert not missing, missing


@pytest.mark.parametrize("name", ["element", "attribute, double", "Jinja", "Arabic and Latin"])
@pytest.mark.asyncio(loop_scope="session")
async def test_a_family_is_greeted_by_its_name(installation: Installation, mailed: Taken, name: str) -> None:
    letter = await installation.letter(mailed.mothers[name], 60)
    chosen = fresh_password()
    async with installation.visitor() as visitor:
        await installation.sign_in(visitor, Key(letter.code, letter.password))
        form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        await visitor.submit("/accesso/cambio-password", form)
        assert visitor.path == "/accesso/cambiata", visitor.page
        page = Markup(await visitor.open("/registro/"))
    assert not page.wrong and cleaned(HOSTILE[name]) in " ".join(page.text.split())


@pytest.mark.asyncio(loop_scope="session")
async def test_the_audit_tells_it_without_acting_on_the_terminal(
    installation: Installation, printed: Taken
) -> None:
    entries = await printed.school.events()
    told = telling(entries).plain
    assert len(entries) > 50 and "#eval" in told
    assert not CONTROL.search(told)


@pytest.mark.asyncio(loop_scope="session")
async def test_names_of_schools_are_tidy_or_refused(installation: Installation) -> None:
    """What an operator types goes into the From of mails, the head of slips and onto terminals."""
    async with registry_of(installation.running.parts.wiring) as registry:
        for number, (name, text) in enumerate(HOSTILE.items()):
            code = f"CAIS{number:05}H"
            try:
                await registry.register_school(code, text, f"nome-{number}")
            except Refused:
                assert name not in ("apostrophe", "Arabic", "element", "emoji family")
                continue
            row = await registry.queries.school(code)
            assert row is not None and row.name == cleaned(text), name
            assert not CONTROL.search(row.name)


@pytest.mark.asyncio(loop_scope="session")
async def test_the_logs_are_one_line_each_and_tell_nobodys_name(
    installation: Installation, mailed: Taken, printed: Taken
) -> None:
    for service in ("registry", "identity", "notifications"):
        text = (installation.running.logs / f"{service}.log").read_bytes().decode()
        assert not CONTROL.search(text) and MARK not in text
        for line in text.splitlines():
            json.loads(line)


@pytest.mark.parametrize("name", HOSTILE)
def test_text_is_tidy_or_refused_and_always_legible(name: str) -> None:
    text = HOSTILE[name]
    seen = legible(text)
    assert not CONTROL.search(seen) and "\n" not in seen
    seen.encode()
    try:
        tidied, _ = tidy(text)
    except Unusable as bad:
        assert bad.point in legible(text) or bad.point in ("U+FFFD",)
    else:
        assert tidied == cleaned(text)
