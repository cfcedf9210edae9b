"""`custode school`: schools, their policy, years and keys, and what their systems sent that could not be carried out."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated, TypeVar

import asyncpg
import typer
from pydantic import TypeAdapter, ValidationError

from deploy.attach import told_as
from deploy.commands import school_policy as policies
from deploy.commands.common import Exit, fail, note, print_json, print_line
from services.registry.api_keys import USUAL_SCOPES, KeptApiKey, NameTaken, Scope
from services.registry.codes import InvalidCode
from services.registry.imports.cells import BadCell
from services.registry.operations import Registry, open_registry
from services.registry.settings import RegistrySettings
from shared.contracts.policy import PRESETS, CredentialPolicy
from shared.decider import Refused
from shared.logging import configure_logging
from shared.settings import CommonSettings

T = TypeVar("T")
DAYS = ["%Y-%m-%d"]
Code = Annotated[str, typer.Argument(help="codice meccanografico, such as MIIS00100A")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


class Preset(StrEnum):
    """The policies of the two circulars."""

    paper = "paper"
    email = "email"


def add_to(app: typer.Typer) -> None:
    """Add this group to the command line."""
    group = typer.Typer(help="Schools: policy, years, keys, quarantine.", no_args_is_help=True)
    group.command("add")(add)
    group.command("list")(list_)
    group.command("policy")(policy)
    group.command("year")(year)
    group.command("api-key")(api_key)
    group.command("quarantine")(quarantine)
    app.add_typer(group, name="school")


@asynccontextmanager
async def registry_here() -> AsyncIterator[Registry]:
    """The registry of the installation that runs, worked on from this process."""
    with told_as("registry"):
        common, settings = CommonSettings(), RegistrySettings()
    configure_logging("registry", common.environment, common.log_format)
    logging.getLogger().setLevel(logging.WARNING)
    async with AsyncExitStack() as stack:
        try:
            registry = await stack.enter_async_context(open_registry(common, settings))
        except (OSError, asyncpg.PostgresError) as fault:
            fail(f"the registry's database does not answer ({type(fault).__name__}): see `custode status`")
        yield registry


def on_registry(work: Callable[[Registry], Awaitable[T]]) -> T:
    """Run `work` there; what it refuses is a message and an exit code."""

    async def run() -> T:
        async with registry_here() as registry:
            return await work(registry)

    try:
        return asyncio.run(run())
    except Refused as refused:
        fail(refused.text)
    except InvalidCode as wrong:
        fail(str(wrong), Exit.usage)
    except BadCell:
        fail("a school year is written as 2026/2027", Exit.usage)
    except NameTaken as taken:
        fail(str(taken))


def add(
    code: Code,
    name: Annotated[str, typer.Option("--name", help="As it stands on the school's papers.")],
    customer_id: Annotated[
        str, typer.Option("--customer-id", help="The stable part of its own address: a-z, 0-9, hyphens.")
    ],
    preset: Annotated[Preset, typer.Option("--preset", help="How it hands out its keys.")],
    reason: Annotated[
        str, typer.Option("--reason", help="The circular that says so.")
    ] = "at the school's registration",
    entry_grade: Annotated[int, typer.Option("--entry-grade", min=1, max=13)] = 1,
) -> None:
    """Register a school with its policy. Harmless when repeated; a policy that stands is never changed by it."""
    wanted = PRESETS[preset.value]

    async def work(registry: Registry) -> None:
        stands = await registry.queries.policy(code.upper(), registry.store.clock())
        if stands is not None and stands != wanted:
            raise Refused(
                "policy_stands",
                "the school is registered already, with another policy: nothing was changed; "
                "to adopt another use `custode school policy`",
            )
        await registry.register_school(code, name, customer_id, entry_grade=entry_grade)
        if stands is None:
            await registry.adopt_policy(code.upper(), wanted, reason)

    try:
        on_registry(work)
    except ValidationError:
        fail("a customer id is 2 to 40 of a-z, 0-9 and hyphens, and starts with none", Exit.usage)
    print_line(code.upper())
    with told_as("registry"):
        site = CommonSettings().site_url.rstrip("/")
    note(f"its families sign in at {site}/s/{customer_id}")


def list_(as_json: AsJson = False) -> None:
    """The registered schools."""
    found = on_registry(lambda registry: registry.queries.schools())
    if as_json:
        print_json(
            [{"school": s.code, "name": s.name, "customer_id": s.customer_id} for s in found],
        )
        return
    for school in found:
        print_line(f"{school.code}  {school.customer_id:<16}  {school.name}")


def policy(
    code: Code,
    preset: Annotated[
        Preset | None, typer.Option("--preset", help="The rules of one of the circulars.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", exists=True, dir_okay=False, help="A policy as JSON.")
    ] = None,
    staff_password_until: Annotated[
        datetime | None,
        typer.Option(
            "--staff-password-until",
            formats=DAYS,
            help="Until the day before, staff need no passkey; alone: the policy of that day, with this changed.",
        ),
    ] = None,
    in_force_from: Annotated[
        datetime | None,
        typer.Option("--from", formats=DAYS, help="The day it comes into force; now if not said."),
    ] = None,
    reason: Annotated[str | None, typer.Option("--reason", help="The circular that says so.")] = None,
    preview: Annotated[
        bool, typer.Option("--preview", help="Say what it would change, for how many; adopt nothing.")
    ] = False,
    history: Annotated[bool, typer.Option("--history", help="Every adoption, as JSON.")] = False,
) -> None:
    """Show a school's policy as JSON, or adopt another, with a reason. What was issued before keeps its terms."""
    school = code.upper()
    if preset is not None and file is not None:
        fail("either --preset or --file", Exit.usage)
    if history:
        print_json(on_registry(lambda registry: policies.history(registry, school)))
        return
    wanted = PRESETS[preset.value] if preset is not None else None if file is None else _read_policy(file)
    if wanted is None and staff_password_until is None:
        print_json(on_registry(lambda registry: policies.in_force(registry, school)))
        return
    day = None if in_force_from is None else in_force_from.date()
    until = None if staff_password_until is None else staff_password_until.date()
    change = policies.Change(school, wanted, until, day, preset=preset is not None)
    if preview:
        print_json(on_registry(lambda registry: policies.preview(registry, change)))
        return
    if reason is None:
        fail("a policy is adopted with a reason: --reason", Exit.usage)
    changed = on_registry(lambda registry: policies.adopt(registry, change, reason))
    note("adopted" if changed else "nothing changed: this is the policy already")


def _read_policy(file: Path) -> CredentialPolicy:
    try:
        return CredentialPolicy.model_validate_json(file.read_bytes())
    except ValidationError as wrong:
        places = sorted({".".join(str(part) for part in error["loc"]) for error in wrong.errors()})
        fail(f"{file.name} is no policy; look at: {', '.join(places)}", Exit.usage)


def year(
    code: Code,
    label: Annotated[str, typer.Argument(help="such as 2026/2027")],
    starts: Annotated[datetime | None, typer.Option("--starts", formats=["%Y-%m-%d"])] = None,
    ends: Annotated[datetime | None, typer.Option("--ends", formats=["%Y-%m-%d"])] = None,
) -> None:
    """Open a school year: from 1 September to 31 August where not said otherwise."""
    first, last = (None if moment is None else moment.date() for moment in (starts, ends))
    on_registry(lambda registry: registry.open_year(code.upper(), label, first, last))


def api_key(
    code: Code,
    name: Annotated[str | None, typer.Argument(help="Which of the school's systems it is for.")] = None,
    scopes: Annotated[
        list[Scope] | None,
        typer.Option("--scope", help="What it may do; may be repeated. Enrol and import if not said."),
    ] = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="From now on this key opens nothing.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="The school's keys, with their last use.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a key for one of a school's systems, and print it: this once, and never again."""
    school = code.upper()
    if listed:
        _list_keys(school, as_json)
        return
    if name is None:
        fail("say which of the school's systems the key is for", Exit.usage)
    if revoke:
        if not on_registry(lambda registry: registry.revoke_api_key(school, name)):
            fail("the school has no valid key of this name")
        note("revoked")
        return
    wanted = frozenset(scopes or USUAL_SCOPES)
    made = on_registry(lambda registry: registry.add_api_key(school, name, wanted))
    note("keep it well: it is shown this once")
    if as_json:
        print_json({"id": made.id, "school": school, "key": made.secret})
    else:
        print_line(made.secret)


def _list_keys(school: str, as_json: bool) -> None:
    found = on_registry(lambda registry: registry.api_keys.of_school(school))
    if as_json:
        print_json([TypeAdapter(KeptApiKey).dump_python(key, mode="json") for key in found])
        return
    for key in found:
        used = (
            "never used" if key.last_used_at is None else f"last used {key.last_used_at:%Y-%m-%d %H:%M} UTC"
        )
        state = "revoked" if key.revoked_at is not None else used
        print_line(f"{key.name:<24}  {' '.join(key.scopes):<18}  made {key.created_at:%Y-%m-%d}  {state}")


def quarantine(
    code: Annotated[str | None, typer.Argument(help="Of this school only.")] = None,
    school: Annotated[str | None, typer.Option("--school", help="The same as CODE.")] = None,
    retry: Annotated[int | None, typer.Option("--retry", help="Try this one again.")] = None,
    settle: Annotated[int | None, typer.Option("--settle", help="Put this one aside for good.")] = None,
    as_json: AsJson = False,
) -> None:
    """What schools' systems sent that could not be carried out, with the reason."""
    if retry is not None:
        _retry(retry)
        return
    if settle is not None:
        if not on_registry(lambda registry: registry.settle_quarantined(settle)):
            fail(f"there is no {settle} in quarantine")
        note("settled")
        return
    only = code or school
    found = on_registry(lambda registry: registry.quarantined(only.upper() if only else None))
    if as_json:
        print_json(
            [
                {
                    "id": each.id,
                    "school": each.school,
                    "message_id": each.message_id,
                    "reason": each.reason,
                    "arrived_at": each.arrived_at.isoformat(),
                }
                for each in found
            ]
        )
        return
    for each in found:
        shown = json.dumps(each.message_id, ensure_ascii=True) if each.message_id is not None else "-"
        print_line(f"{each.id}  {each.school}  {each.arrived_at:%Y-%m-%d %H:%M}Z  {shown}  {each.reason}")


def _retry(quarantined: int) -> None:
    try:
        still = on_registry(lambda registry: registry.retry_quarantined(quarantined))
    except KeyError:
        fail(f"there is no {quarantined} in quarantine")
    if still is not None:
        fail(f"it stays in quarantine: {still}")
    note("carried out")
