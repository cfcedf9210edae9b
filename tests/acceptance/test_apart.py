"""Any service may be down, and so may the bus: the others go on, and nothing is lost or doubled (S1, B5)."""

from collections import Counter

import pytest

from deploy.demo.memory import Key
from deploy.engines.nats import NatsEngine
from tests.acceptance.installation import Installation, School, fresh_password, until

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def family(school: School, count: int) -> list[str]:
    """Enrols `count` pupils with a mother each; the mothers' addresses."""
    mothers = [school.guardian() for _ in range(count)]
    for mother in mothers:
        await school.enrol(school.pupil(), mother)
    return [mother["email"] for mother in mothers]


async def each_got_one(installation: Installation, addresses: list[str]) -> None:
    for address in addresses:
        await installation.letter(address)
    counts = {address: len(await installation.letters(address)) for address in addresses}
    assert set(counts.values()) == {1}, counts


@pytest.mark.requirement("S1", part="without notifications")
async def test_without_notifications_enrolment_issuing_and_sign_in_go_on(installation: Installation) -> None:
    school = await installation.school("email")
    (known,) = await family(school, 1)
    letter = await installation.letter(known)
    await installation.running.stop("notifications")
    try:
        waiting = await family(school, 6)
        await school.issued(7)
        chosen = fresh_password()
        async with installation.visitor() as visitor:
            await installation.sign_in(visitor, Key(letter.code, letter.password))
            form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
            await visitor.submit("/accesso/cambio-password", form)
            await visitor.open("/registro/")
            assert visitor.path == "/registro/" and visitor.status == 200
            await visitor.open("/consegne/")
            assert visitor.status == 503 and "riprov" in visitor.page.lower()
    finally:
        await installation.running.start("notifications")
    await each_got_one(installation, waiting)
    await school.happened("EmailAccepted", 7)


@pytest.mark.requirement("S1", part="without identity")
async def test_without_identity_enrolment_goes_on_and_whoever_is_signed_in_stays(
    installation: Installation,
) -> None:
    school = await installation.school("email")
    (known,) = await family(school, 1)
    letter = await installation.letter(known)
    chosen = fresh_password()
    async with installation.visitor() as mother, installation.visitor() as secretary:
        await installation.sign_in(mother, Key(letter.code, letter.password))
        form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        await mother.submit("/accesso/cambio-password", form)
        await mother.open("/registro/")
        await installation.sign_in(secretary, await school.secretary())
        # What an account does makes the others forget its sessions: they are asked for once more after that.
        await installation.settled()
        await mother.open("/registro/")
        await secretary.open("/consegne/")
        await installation.running.stop("identity")
        try:
            waiting = await family(school, 4)
            await mother.open("/registro/")
            assert mother.path == "/registro/" and mother.status == 200
            await secretary.open(f"/consegne/classi/{await school.class_id()}")
            assert secretary.status == 200
            async with installation.visitor() as stranger:
                await stranger.open("/accesso/")
                assert stranger.status == 503
        finally:
            await installation.running.start("identity")
    await each_got_one(installation, waiting)
    counts = await school.counts()
    assert counts["CredentialsIssued"] == counts["EmailAccepted"] == 5


@pytest.mark.requirement("S1")
async def test_without_the_bus_enrolment_and_sign_in_go_on(installation: Installation) -> None:
    """With the tests before it: any one part can be down, and the others go on."""
    school = await installation.school("email")
    (known,) = await family(school, 1)
    letter = await installation.letter(known)
    await installation.running.stop("nats")
    try:
        waiting = await family(school, 5)
        async with installation.visitor() as visitor:
            await installation.sign_in(visitor, Key(letter.code, letter.password))
            assert visitor.path == "/accesso/cambio-password"
            chosen = fresh_password()
            form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
            await visitor.submit("/accesso/cambio-password", form)
            assert visitor.path == "/accesso/cambiata"
    finally:
        await installation.running.start("nats")
    await each_got_one(installation, waiting)
    counts = await school.counts()
    assert counts["CredentialsIssued"] == counts["EmailAccepted"] == 6
    assert counts["PasswordChanged"] == 1


@pytest.mark.requirement("B5", part="the whole installation goes on")
async def test_a_wiped_bus_comes_back_and_nobody_gets_anything_twice(installation: Installation) -> None:
    school = await installation.school("email")
    before = await family(school, 3)
    await each_got_one(installation, before)
    told = [(e.service, e.position, e.raw) for e in await school.events()]
    bus = installation.running.bus
    assert isinstance(bus, NatsEngine)
    await bus.wipe()

    async def healed() -> bool:
        events = [(e.service, e.position, e.raw) for e in await school.events()]
        return Counter(events[: len(told)]) == Counter(told)

    await until(healed, what="the streams' coming back")
    after = await family(school, 3)
    await each_got_one(installation, before + after)
    assert (await school.counts())["EmailAccepted"] == 6
