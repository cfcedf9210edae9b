"""An installation with a small history of every kind, to be looked at and spoilt."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import httpx

from deploy.engines import PostgresEngine, temporary_folder
from deploy.settings import Settings
from deploy.supervisor import Running
from tests.acceptance.installation import Installation, School, fresh_password, until


@asynccontextmanager
async def lived_in() -> AsyncIterator[Installation]:
    """A family that came by mail and chose a password, a class with printed slips, and one pupil left out."""
    with temporary_folder() as folder:
        settings = Settings(data=folder / "data", base_port=0, instance="inspection")
        async with Running(settings) as running, httpx.AsyncClient(trust_env=False, timeout=60) as http:
            installation = Installation(running, http)
            await _by_mail(installation, await installation.school("email"))
            await _on_paper(await installation.school("paper"))
            await installation.settled()
            yield installation


async def _by_mail(installation: Installation, school: School) -> None:
    mother = school.guardian()
    await school.enrol(school.pupil(), mother, school.guardian(relationship="father"))
    letter = await installation.letter(mother["email"])
    chosen = fresh_password()
    async with installation.visitor() as visitor:
        await visitor.open(f"/s/{school.customer_id}")
        await visitor.submit("/accesso/", {"codice": letter.code, "password": letter.password})
        form = {"attuale": letter.password, "nuova": chosen, "ripeti": chosen}
        await visitor.submit("/accesso/cambio-password", form)
        assert visitor.status == 200
    await school.happened("EmailAccepted", 2)


async def _on_paper(school: School) -> None:
    await school.enrol(school.pupil(), school.guardian())
    await school.enrol(school.pupil(), kind="continuing")
    await school.happened("DeliveryRequested", 2)
    await school.print_class()


@asynccontextmanager
async def spoilt(installation: Installation, database: str, *statements: str) -> AsyncIterator[None]:
    """The database as somebody left it who may do anything: history's guards are off for these statements. The
    first makes the damage, the others undo it at the end."""
    postgres = installation.running.postgres
    assert isinstance(postgres, PostgresEngine)
    damage, *undo = statements
    admin = await asyncpg.connect(postgres.admin_url(database))
    try:
        await admin.execute("set session_replication_role = replica")
        changed = await admin.execute(damage)
        assert changed.split()[-1] != "0", "the damage was none"
        yield
        for statement in undo:
            await admin.execute(statement)
    finally:
        await admin.close()


async def at_rest(installation: Installation) -> None:
    """Until every reader has read what there is."""

    async def level() -> bool:
        answers = [await installation.running.readiness(s) for s in ("registry", "identity", "notifications")]
        return all(answer.ready for answer in answers)

    await until(level, 30, "readiness")
