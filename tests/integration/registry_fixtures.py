"""A registry on a database of its own, without the bus unless a test wants it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from deploy.engines import NatsEngine, PostgresEngine
from services.registry.imports import ClassFact, EnrolmentFact, GuardianFact, Parsed, PupilFact, Where
from services.registry.imports.labels import italian_school_year
from services.registry.operations import HERE, Registry
from services.registry.projections import project
from services.registry.settings import RegistrySettings
from shared.contracts.policy import PAPER
from shared.contracts.registry import Relationship
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings
from tests import databases

SCHOOL = "RMIC8AB00X"
OTHER_SCHOOL = "MIIS00100A"
YEAR, NEXT_YEAR = "2025/2026", "2026/2027"

OpenRegistry = Callable[[], Any]


@pytest.fixture
def kek_file(tmp_path: Path) -> Path:
    path = tmp_path / "kek"
    path.write_bytes(bytes(range(32)))
    return path


@pytest.fixture
async def registry_settings(postgres: PostgresEngine) -> AsyncIterator[RegistrySettings]:
    """A fresh database."""
    async with databases.fresh(postgres, "registry", ("registry", HERE / "migrations")) as name:
        yield RegistrySettings(
            database_url=SecretStr(postgres.role_url("registry", name)),
            migration_url=SecretStr(postgres.role_url("registry_owner", name)),
            keyring_url=SecretStr(postgres.urls("registry").keyring),
            listen="127.0.0.1:8101",
        )


@asynccontextmanager
async def opened(
    settings: RegistrySettings, kek: Path, nats: NatsEngine | None = None
) -> AsyncIterator[Registry]:
    common = CommonSettings(
        keyring_kek_file=kek,
        site_url="http://localhost:8080",
        nats_url="nats://127.0.0.1:1" if nats is None else nats.url,
    )
    if nats is not None:
        settings = settings.model_copy(update={"nats_seed_file": nats.seed_file("registry")})
    relaying = nats is not None
    async with open_runtime(
        "registry", common, settings, project, HERE / "migrations", relaying=relaying
    ) as r:
        yield Registry(r)


@pytest.fixture
async def registry(registry_settings: RegistrySettings, kek_file: Path) -> AsyncIterator[Registry]:
    async with opened(registry_settings, kek_file) as found:
        await with_school(found)
        yield found


async def with_school(registry: Registry, code: str = SCHOOL, customer: str = "verdi") -> None:
    await registry.register_school(code, "Istituto Comprensivo Verdi", customer)
    await registry.adopt_policy(code, PAPER, "circolare 12")


def pupil(external_id: str = "p1", **changes: Any) -> PupilFact:
    usual: dict[str, Any] = {
        "source": "secretariat",
        "family_name": "Verdi",
        "given_name": "Anna",
        "birth_date": date(2014, 2, 3),
    }
    return PupilFact(external_id=external_id, **(usual | changes))


def guardian(external_id: str = "g1", **changes: Any) -> GuardianFact:
    usual: dict[str, Any] = {
        "source": "secretariat",
        "family_name": "Verdi",
        "given_name": "Carla",
        "relationship": Relationship.mother,
        "email": "carla@example.org",
    }
    return GuardianFact(external_id=external_id, **(usual | changes))


def enrolment(
    who: PupilFact | None = None,
    *guardians: GuardianFact,
    year: str = YEAR,
    klass: str = "1A",
    line: int = 2,
    school: str = SCHOOL,
    **changes: Any,
) -> EnrolmentFact:
    usual: dict[str, Any] = {
        "kind": None,
        "starts": None,
        "ends": None,
        "end_reason": None,
        "ended": False,
        "at": Where("iscrizioni.csv", line),
    }
    return EnrolmentFact(
        pupil=who or pupil(),
        school=school,
        school_year=year,
        class_external_id=klass,
        guardians=guardians,
        **(usual | changes),
    )


def parsed(*enrolments: EnrolmentFact, source: str = "secretariat", **changes: Any) -> Parsed:
    """A file that says this; a class `1A` is the first grade's section A."""
    classes = {(e.school, e.school_year, e.class_external_id): e for e in enrolments}
    usual: dict[str, Any] = {
        "format": "secretariat",
        "source": source,
        "schools": (),
        "years": tuple(italian_school_year(year) for year in {e.school_year for e in enrolments}),
        "classes": tuple(
            ClassFact(klass, int(klass[0]), klass[1:], None, klass, school, year)
            for school, year, klass in classes
        ),
        "enrolments": enrolments,
        "endings": (),
        "problems": (),
        "bulk": False,
        "rows_read": len(enrolments),
        "errors": 0,
        "warnings": 0,
    }
    return Parsed(**(usual | changes))


async def events_of(registry: Registry, after: int = 0) -> list[Any]:
    """Every event since, in order."""
    return [recorded.event async for batch in registry.store.replay(after) for recorded in batch]


async def settled(runtime: Runtime, seconds: float = 10) -> None:
    """Until the relay has published all that the store holds."""
    deadline = asyncio.get_running_loop().time() + seconds
    while runtime.relay.acknowledged < await runtime.store.head():
        assert asyncio.get_running_loop().time() < deadline, "the relay did not catch up"
        await asyncio.sleep(0.05)
