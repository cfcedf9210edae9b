"""The identity service on a database of its own, with a registry and a notifications to hear from."""

import os
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from deploy.engines import PostgresEngine
from services.identity.app import MIGRATIONS, Parts, put_together
from services.identity.domain.account import account_id
from services.identity.operations import Issuance, issue_by_desk
from services.identity.settings import IdentitySettings
from shared.contracts.event import Context, Event, Personal, Recorded
from shared.contracts.identity import AccountOpened, AccountRole, CredentialsIssued
from shared.contracts.notifications import SealingKeyPublished
from shared.contracts.policy import EMAIL, PAPER, CredentialPolicy
from shared.contracts.registry import (
    CredentialPolicyAdopted,
    EnrolmentKind,
    GuardianDetails,
    GuardianLinked,
    GuardianshipCorrected,
    PupilDetails,
    Relationship,
    SchoolRegistered,
    SchoolYearOpened,
    StudentEnrolled,
)
from shared.eventstore.store import EventStore
from shared.eventstore.units import Append, Foreign, Unit
from shared.ids import new_id
from shared.keyring.keyring import KeyEncryptionKey
from shared.sealing import Binding, InitialSecret, new_private_key, open_secret, public_key_text
from shared.settings import CommonSettings
from tests import databases
from tests.conftest import Kernel

SITE = "http://localhost:8480"
SCHOOL = "MIIS00100A"
YEAR, NEXT_YEAR = "2026/2027", "2027/2028"
NOWHERE = "nats://127.0.0.1:1"
E = TypeVar("E", bound=Event)
__all__ = ["EMAIL", "PAPER", "SCHOOL", "World", "identity_world"]


class World:
    """What a test says happened elsewhere, and what identity made of it."""

    def __init__(self, parts: Parts, sources: dict[str, EventStore], environment: dict[str, str]) -> None:
        self.parts = parts
        self.over_the_bus = False
        self._environment = environment
        self.store = parts.runtime.store
        self.pool = parts.runtime.pool
        self.sources = sources
        self.keys: dict[str, X25519PrivateKey] = {}
        self.ahead = timedelta()
        self.store.clock = lambda: datetime.now(UTC) + self.ahead

    async def hear(self, source: str, *events: tuple[str, Event], school: str = SCHOOL) -> None:
        """Another service commits these (stream, event) pairs, and identity reads them as one batch (unless it
        hears of them over the bus)."""
        theirs = self.sources[source]
        recorded: list[Recorded[Event]] = []
        for stream, event in events:
            found = await theirs.load([stream])
            context = Context(actor="system:test", correlation=new_id())
            unit = Unit(school, context, (Append(stream, len(found.get(stream, ())), (event,)),))
            (outcome,) = await theirs.commit([unit])
            recorded += outcome.events  # type: ignore[union-attr]
        if self.over_the_bus:
            return
        after = (await self.store.cursors()).get(source, 0)
        reactions = self.parts.reactions
        react = reactions.react if source == "registry" else reactions.heed_notifications
        units = await react(recorded)
        await self.store.commit(units, foreign=Foreign(source, after, recorded))

    async def school(
        self, policy: CredentialPolicy, *, code: str = SCHOOL, customer: str = "liceo-prova", key: bool = True
    ) -> None:
        await self.hear(
            "registry",
            (f"school/{code}", SchoolRegistered(school=code, name="Liceo di prova", customer_id=customer)),
            (f"school/{code}", CredentialPolicyAdopted(school=code, policy=policy, reason="prova")),
            (
                f"school/{code}",
                SchoolYearOpened(school=code, year=YEAR, starts=date(2026, 9, 1), ends=date(2027, 8, 31)),
            ),
            school=code,
        )
        if key:
            await self.publish_key()

    @contextmanager
    def told(self, service: str) -> Iterator[None]:
        """The environment of a command line that joins this installation."""
        assert service == "identity"
        with pytest.MonkeyPatch.context() as patch:
            for name, value in self._environment.items():
                patch.setenv(name, value)
            yield

    async def publish_key(self, days: int = 1) -> None:
        key, key_id = new_private_key(), new_id()
        self.keys[key_id] = key
        event = SealingKeyPublished(
            key=key_id, public_key=public_key_text(key), retires=self.store.clock() + timedelta(days=days)
        )
        await self.hear("notifications", (f"sealing-key/{key_id}", event))

    async def events(self, wanted: type[E]) -> list[E]:
        """Identity's own, of one kind, in order."""
        found: list[E] = []
        async for batch in self.store.replay():
            found += [r.event for r in batch if isinstance(r.event, wanted)]
        return found

    async def all_events(self) -> list[Recorded[Event]]:
        return [recorded async for batch in self.store.replay() for recorded in batch]

    async def issued(self, account: str) -> CredentialsIssued:
        return [e for e in await self.events(CredentialsIssued) if e.account == account][-1]

    async def secret(self, account: str) -> InitialSecret:
        """What stands on the account's slip."""
        row = await self.pool.fetchrow("select * from private.sealed_slips where account = $1", account)
        assert row is not None
        binding = Binding(row["school"], row["credential"], row["generation"], row["key"])
        return open_secret(self.keys[row["key"]], row["sealed"], binding)

    async def user_code(self, account: str) -> str:
        opened = next(e for e in await self.events(AccountOpened) if e.account == account)
        assert opened.code.value is not None
        return opened.code.value.user_code

    async def issue_at_the_desk(self, holders: Sequence[str] | None = None, school: str = SCHOOL) -> Issuance:
        return await issue_by_desk(self.parts.runtime.commands, school, holders, actor="desk-1")

    async def a_guardian(self, policy: CredentialPolicy = PAPER) -> tuple[str, str, InitialSecret]:
        """Account, user code and initial secret of a guardian who was just issued them."""
        await self.school(policy)
        pupil, guardian = new_id(), new_id()
        await self.hear("registry", enrolled(pupil), linked(guardian, pupil))
        account = account_id(AccountRole.guardian, guardian)
        return account, await self.user_code(account), await self.secret(account)


def enrolled(
    student: str,
    kind: EnrolmentKind = EnrolmentKind.first_year,
    year: str = YEAR,
    born: date | None = date(2012, 3, 4),
) -> tuple[str, Event]:
    details = PupilDetails(
        family_name="Ferrarotti", given_name="Ludovica", birth_date=born, source="test", external_id=student
    )
    event = StudentEnrolled(
        student=student,
        year=year,
        class_id="1A",
        kind=kind,
        starts=None,
        details=Personal(person=student, value=details),
    )
    return f"student/{student}", event


def linked(
    guardian: str, student: str, year: str = YEAR, *, email: str | None = None, data_access: bool = True
) -> tuple[str, Event]:
    details = GuardianDetails(
        family_name="Ferrarotti", given_name="Ernesto", email=email, source="test", external_id=guardian
    )
    event = GuardianLinked(
        guardian=guardian,
        student=student,
        year=year,
        relationship=Relationship.father,
        data_access=data_access,
        justifies_online=False,
        details=Personal(person=guardian, value=details),
    )
    return f"guardian/{guardian}", event


def corrected(guardian: str, student: str, *, data_access: bool) -> tuple[str, Event]:
    event = GuardianshipCorrected(
        guardian=guardian,
        student=student,
        relationship=Relationship.father,
        data_access=data_access,
        justifies_online=False,
    )
    return f"guardian/{guardian}", event


def names(events: Sequence[Event]) -> list[str]:
    return [event.contract_name() for event in events]


@asynccontextmanager
async def identity_world(
    postgres: PostgresEngine, folder: Path, *, nats_url: str = NOWHERE, seed: Path | None = None, **more: Any
) -> AsyncIterator[World]:
    """All parts of identity, cheap to hash with, on a fresh database; nothing works in the background."""
    key = os.urandom(32)
    home = folder / new_id()
    home.mkdir()
    (home / "kek").write_bytes(key)
    (home / "pepper").write_bytes(os.urandom(32))
    kernel = Kernel(postgres=postgres, stack=[], made=[], kek=KeyEncryptionKey(key))
    database = await databases.create(postgres, "identity", ("identity", MIGRATIONS))
    kernel.made.append(database)
    urls = {
        "DATABASE_URL": postgres.role_url("identity", database),
        "MIGRATION_URL": postgres.role_url("identity_owner", database),
        "KEYRING_URL": postgres.urls("identity").keyring,
        "PEPPER_FILE": str(home / "pepper"),
    }
    environment = {f"CUSTODE_IDENTITY_{name}": value for name, value in urls.items()}
    environment |= {"CUSTODE_NATS_URL": nats_url, "CUSTODE_KEYRING_KEK_FILE": str(home / "kek")}
    common = CommonSettings(nats_url=nats_url, keyring_kek_file=home / "kek", site_url=SITE)
    cheap = {"argon2_memory": 1024, "argon2_passes": 1, "nats_seed_file": seed}
    settings = IdentitySettings.model_validate(
        {name.lower(): value for name, value in urls.items()} | cheap | more
    )
    sources = {service: await kernel.store(service) for service in ("registry", "notifications")}
    try:
        async with put_together(common, settings) as parts:
            yield World(parts, sources, environment)
    finally:
        await kernel.close()
