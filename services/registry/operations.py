"""What an operator may do, in this process: the command line and the tests stand on these, and nothing beside."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import BinaryIO

from services.registry.api_keys import USUAL_SCOPES, ApiKeys, NewApiKey, Scope
from services.registry.codes import check_codice_meccanografico
from services.registry.domain.school import SCHOOL, AdoptPolicy, Command, OpenYear, RegisterSchool
from services.registry.enrolments import Enrolments
from services.registry.imports import parse_file
from services.registry.imports.labels import italian_school_year, school_year_label
from services.registry.imports.problems import Refused as FileRefused
from services.registry.ingress import Commands
from services.registry.intake import Intake, Options, new_report
from services.registry.locks import SchoolLocks
from services.registry.mailboxes import Mailboxes
from services.registry.people import People
from services.registry.policy_book import Policies
from services.registry.projections import project
from services.registry.queries import Queries, today
from services.registry.report import Report
from services.registry.settings import RegistrySettings
from services.registry.staffing import Staffing
from shared.collector import collector_at_rest
from shared.contracts.event import Context
from shared.contracts.policy import CredentialPolicy
from shared.decider import Refused
from shared.eventstore.commands import Executed
from shared.ids import new_id
from shared.messaging.ingress import Incoming
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings
from shared.sql import Statements
from shared.text import Unusable, tidy

SQL = Statements(__file__)
HERE = Path(__file__).parent
LONGEST = 500
"""Characters of a school's name and of a policy's reason."""
OPERATOR = "system:command-line"
"""The actor of what is done on the installation's own command line."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A command of a school system that could not be carried out; `reason` carries nothing of it."""

    id: int
    school: str
    message_id: str | None
    reason: str
    arrived_at: datetime


class Registry:
    """The registry's parts on an open runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self.runtime = runtime
        self.store = runtime.store
        self.queries = Queries(runtime.pool)
        self.policies = Policies(runtime.store)
        self.api_keys = ApiKeys(runtime.pool)
        self.intake = Intake(runtime.store, SchoolLocks(runtime.pool))
        self.enrolments = Enrolments(self.intake)
        self.people = People(runtime)
        self.mailboxes = Mailboxes(runtime, self.intake.locks)
        self.staffing = Staffing(runtime, self.intake.locks)
        self.commands = Commands(self.enrolments, self.mailboxes)

    @property
    def today(self) -> date:
        """The day in Italy."""
        return today(self.store.clock())

    async def register_school(
        self, code: str, name: str, customer_id: str, *, entry_grade: int = 1, actor: str = OPERATOR
    ) -> None:
        """`code` is the codice meccanografico. Raises `InvalidCode`, `Refused`; the same again changes nothing."""
        called = _tidied("name", name)
        school = check_codice_meccanografico(code)
        if await self.runtime.pool.fetchval(SQL("customer_id_taken"), school, customer_id):
            raise Refused("customer_id_taken", "another school has this customer id")
        await self._execute(school, RegisterSchool(school, called, customer_id, entry_grade), actor)

    async def adopt_policy(
        self,
        school: str,
        policy: CredentialPolicy,
        reason: str,
        in_force_from: date | None = None,
        *,
        seen: int | None = None,
        actor: str = OPERATOR,
    ) -> bool:
        """Adopt it from that local day on, or from this moment. True when something changes by it.

        `seen`: how many adoptions whoever decides knew of. Raises `Refused`.
        """
        command = AdoptPolicy(policy, _tidied("reason", reason), self.today, in_force_from, seen)
        return bool((await self._execute(school, command, actor)).events)

    async def open_year(
        self,
        school: str,
        year: str,
        starts: date | None = None,
        ends: date | None = None,
        *,
        actor: str = OPERATOR,
    ) -> None:
        """From 1 September to 31 August where not said otherwise."""
        usual = italian_school_year(school_year_label(year))
        await self._execute(school, OpenYear(usual.label, starts or usual.starts, ends or usual.ends), actor)

    async def import_file(
        self,
        name: str,
        content: BinaryIO | bytes | Path,
        options: Options,
        *,
        mapping: Mapping[str, str] | None = None,
        source: str | None = None,
    ) -> Report:
        """Read the file and carry out what it says. A file that cannot be read is a report too."""
        if not options.dry_run:
            return await self._import(name, content, options, mapping, source)
        with collector_at_rest():  # millions of small objects, which end with this call
            return await self._import(name, content, options, mapping, source)

    async def _import(
        self,
        name: str,
        content: BinaryIO | bytes | Path,
        options: Options,
        mapping: Mapping[str, str] | None,
        source: str | None,
    ) -> Report:
        report = new_report(Path(name).name, dry_run=options.dry_run)
        try:
            parsed = await asyncio.to_thread(parse_file, name, content, mapping=mapping, source=source)
        except FileRefused as refusal:
            report.refused(refusal)
            return report
        return await self.intake.take(parsed, report, options)

    async def add_api_key(
        self, school: str, name: str, scopes: Collection[Scope] = USUAL_SCOPES, *, actor: str = OPERATOR
    ) -> NewApiKey:
        """A key for one of the school's systems. Raises `Refused`, `NameTaken`."""
        if await self.queries.school(school) is None:
            raise Refused("school_unknown", "the school is not registered")
        return await self.api_keys.add(school, name, scopes, by=actor)

    async def revoke_api_key(self, school: str, name: str) -> bool:
        return await self.api_keys.revoke(school, name)

    async def quarantined(self, school: str | None = None) -> list[Quarantined]:
        """What awaits a decision, the oldest first."""
        rows = await self.runtime.pool.fetch(SQL("quarantined"), school)
        return [Quarantined(**row) for row in rows]

    async def retry_quarantined(self, quarantined: int) -> str | None:
        """Carry it out now; None when it went in, else why not. Raises `KeyError` when it is not there."""
        row = await self.runtime.pool.fetchrow(SQL("quarantined_payload"), quarantined)
        if row is None:
            raise KeyError(quarantined)
        payload = self.runtime.kek.unwrap(row["payload"], f"quarantine/{row['school']}".encode())
        (poison,) = await self.commands.handle([Incoming(row["school"], payload)])
        if poison is None:
            await self.settle_quarantined(quarantined)
            return None
        await self.runtime.pool.execute(SQL("still_quarantined"), quarantined, poison.reason)
        return poison.reason

    async def settle_quarantined(self, quarantined: int) -> bool:
        """Put aside for good, without carrying it out; False when it is not there."""
        return await self.runtime.pool.fetchval(SQL("settle"), quarantined) is not None

    async def _execute(self, school: str, command: Command, actor: str) -> Executed:
        context = Context(actor=actor, correlation=new_id())
        return await self.runtime.commands.execute(SCHOOL, school, command, school=school, context=context)


def _tidied(what: str, text: str) -> str:
    """As names of files are kept. Raises `Refused`: it goes into pages, mails and slips, and on terminals."""
    try:
        tidied, _ = tidy(text)
    except Unusable as bad:
        raise Refused(f"{what}_unusable", f"the {what} holds {bad}") from None
    if not tidied or len(tidied) > LONGEST:
        raise Refused(f"{what}_unusable", f"the {what} has 1 to {LONGEST} characters")
    return tidied


@asynccontextmanager
async def open_registry(common: CommonSettings, settings: RegistrySettings) -> AsyncIterator[Registry]:
    """For a command line: works on the database; the running service publishes what was appended."""
    async with open_runtime(
        "registry", common, settings, project, HERE / "migrations", relaying=False
    ) as runtime:
        yield Registry(runtime)
