"""Known secrets are searched for everywhere they must not be (B1), and found in mail and PDF alone."""

import asyncio
import re
from pathlib import Path

import pytest

from tests.acceptance.installation import Installation, password_on, slips_in

pytestmark = pytest.mark.asyncio(loop_scope="session")


def spellings(secret: str) -> set[bytes]:
    """As it was given, and without its grouping."""
    return {secret.encode(), secret.replace("-", "").encode()}


def files_holding(folder: Path, needles: set[bytes]) -> set[str]:
    """The files below a folder that hold one of these byte strings, as they lie on disk."""
    pattern = re.compile(b"|".join(re.escape(needle) for needle in needles))
    found = set()
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and pattern.search(path.read_bytes()):
            found.add(path.relative_to(folder).as_posix())
    return found


@pytest.mark.requirement("B1")
async def test_initial_secrets_stand_nowhere_but_in_the_mail_and_on_the_slip(
    installation: Installation,
) -> None:
    email, paper = await installation.school("email"), await installation.school("paper")
    mothers = [email.guardian() for _ in range(3)]
    for mother in mothers:
        await email.enrol(email.pupil(), mother)
    await paper.enrol(paper.pupil(), paper.guardian())
    await paper.happened("DeliveryRequested", 2)
    slips = slips_in(await paper.print_class())
    letters = [await installation.letter(mother["email"]) for mother in mothers]
    passwords = [letter.password for letter in letters] + [password_on(slip) for slip in slips]
    assert len(set(passwords)) == 5
    secrets = set().union(*(spellings(password) for password in passwords))

    postgres = installation.running.postgres
    assert postgres is not None
    for database in ("registry", "identity", "notifications", "keyring"):
        dump = (await asyncio.to_thread(postgres.dump, database)).encode()
        assert len(dump) > 1000
        assert not any(secret in dump for secret in secrets), f"a secret stands in the dump of {database}"
        assert not any(re.search(rb"\b" + letter.pin.encode() + rb"\b", dump) for letter in letters), (
            f"a PIN stands in the dump of {database}"
        )

    data = installation.running.settings.data
    holding = await asyncio.to_thread(files_holding, data, secrets)
    assert {name.split("/")[0] for name in holding} == {"mailbox"}, holding
    assert all(name.endswith(".eml") for name in holding), "and there in the messages alone, in no log"
    engines = [installation.running.bus.store] if installation.running.bus is not None else []
    assert engines
    for folder in engines:
        assert not await asyncio.to_thread(files_holding, folder, secrets)


@pytest.mark.requirement("B1", part="nothing personal in events, streams or logs")
async def test_names_and_addresses_stand_in_no_event_and_no_log(installation: Installation) -> None:
    school = await installation.school("email")
    mother = school.guardian(family_name="Riservatissimi", email="canarino.unico@famiglia.example")
    await school.enrol(school.pupil(family_name="Riservatissimi"), mother)
    letter = await installation.letter(mother["email"])
    needles = {b"Riservatissimi", b"canarino.unico", letter.code.encode()}
    assert not await asyncio.to_thread(files_holding, installation.running.logs, needles)
    bus = installation.running.bus
    assert bus is not None
    assert not await asyncio.to_thread(files_holding, bus.store, needles)
    for entry in await school.events():
        assert not any(needle in entry.raw for needle in needles)
