"""An intake whose lock is gone decides nothing any more (S3, M5): one pupil stays one."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from deploy.engines import PostgresEngine
from services.registry.enrolments import Entered, Wanted
from services.registry.intake import Options, new_report
from services.registry.locks import TURN_LOST
from services.registry.operations import Registry
from services.registry.requests import EnrolmentRequest
from services.registry.settings import RegistrySettings
from shared.contracts.event import Context
from shared.contracts.registry import StudentEnrolled
from shared.eventstore.units import Unit
from tests.integration.registry_fixtures import (
    SCHOOL,
    YEAR,
    enrolment,
    events_of,
    kek_file,
    opened,
    parsed,
    pupil,
    registry,
    registry_settings,
)

__all__ = ["kek_file", "registry", "registry_settings"]

CONTEXT = Context(actor="operator", correlation="0")
Cut = Callable[[], Awaitable[None]]


@pytest.fixture
async def another(
    registry: Registry, registry_settings: RegistrySettings, kek_file: Path
) -> AsyncIterator[Registry]:
    """A second copy of the service, on the same database."""
    async with opened(registry_settings, kek_file) as copy:
        yield copy


@pytest.fixture
async def cut(postgres: PostgresEngine, registry_settings: RegistrySettings) -> AsyncIterator[Cut]:
    """Ends the connection that holds a school's lock, as a network does."""
    name = registry_settings.database_url.get_secret_value().rsplit("/", 1)[1].split("?")[0]
    admin = await asyncpg.connect(postgres.admin_url(name))

    async def now() -> None:
        ended = await admin.fetch(
            "select pg_terminate_backend(pid, 5000) from pg_locks where locktype = 'advisory' and database ="
            " (select oid from pg_database where datname = current_database())"
        )
        assert [row[0] for row in ended] == [True]

    yield now
    await admin.close()


async def take(by: Registry, external_id: str = "p1") -> None:
    file = parsed(enrolment(pupil(external_id)))
    await by.intake.take(file, new_report("file.csv", dry_run=False), Options(actor="operator"))


async def enter(by: Registry, external_id: str = "p1") -> Entered:
    request = EnrolmentRequest.model_validate(
        {
            "source": "secretariat",
            "school": SCHOOL,
            "school_year": YEAR,
            "class": {"id": "1A", "grade": 1, "section": "A"},
            "pupil": {
                "id": external_id,
                "family_name": "Verdi",
                "given_name": "Anna",
                "birth_date": "2014-02-03",
            },
        }
    )
    answer = await by.enrolments.enter(Wanted(request, CONTEXT))
    assert isinstance(answer, Entered)
    return answer


def just_before_its_commit(registry: Registry, happens: Callable[[], Awaitable[object]]) -> None:
    """Between deciding and committing, once."""
    commit = registry.store.commit

    async def later(*args: Any, **named: Any) -> Any:
        registry.store.commit = commit  # type: ignore[method-assign]
        await happens()
        return await commit(*args, **named)

    registry.store.commit = later  # type: ignore[method-assign]


async def test_who_lost_the_turn_commits_nothing(registry: Registry, another: Registry, cut: Cut) -> None:
    async with registry.intake.locks.held([SCHOOL]) as turn:
        await cut()
        async with another.intake.locks.held([SCHOOL]):
            with pytest.raises(TURN_LOST):
                await registry.store.commit([Unit(SCHOOL, CONTEXT, (), (turn.kept(SCHOOL),))])


async def test_a_broken_lock_that_nobody_took_is_no_harm(registry: Registry, cut: Cut) -> None:
    just_before_its_commit(registry, cut)
    await take(registry)
    assert sum(isinstance(event, StudentEnrolled) for event in await events_of(registry)) == 1


@pytest.mark.parametrize("first", [take, enter])
@pytest.mark.parametrize("second", [take, enter])
async def test_an_intake_that_lost_its_turn_decides_again(
    registry: Registry,
    another: Registry,
    cut: Cut,
    first: Callable[[Registry], Awaitable[object]],
    second: Callable[[Registry], Awaitable[object]],
) -> None:
    async def overtaken() -> None:
        await cut()
        await asyncio.wait_for(second(another), 10)

    await take(registry, "classmate")
    just_before_its_commit(registry, overtaken)
    await first(registry)
    assert sum(isinstance(event, StudentEnrolled) for event in await events_of(registry)) == 2
