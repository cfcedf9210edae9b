"""`custode doctor`: this machine and its settings; `--deep`: what runs; `--repair-bus`: a stream that differs."""

import asyncio
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Annotated

import asyncpg
import typer
from nats.errors import Error as NatsError

from deploy.attach import attached
from deploy.checks import Check, examine
from deploy.commands.common import Exit, fail, note, print_json, print_line
from deploy.environment import Wiring
from deploy.inspection import MEANING, Finding, Outcome, inspect
from deploy.inspection.repair import CannotRepair, Damage, Repaired, damages, repair
from deploy.settings import load_settings
from shared.messaging.bus import BusUnavailable
from shared.messaging.streams import NoLeader, StreamMissing

_AWAY = (
    OSError,
    TimeoutError,
    NatsError,
    BusUnavailable,
    NoLeader,
    StreamMissing,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
)


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(doctor)


def doctor(
    deep: Annotated[
        bool, typer.Option("--deep", help="Look at what runs: histories, streams, secrets, projections.")
    ] = False,
    repair_bus: Annotated[
        bool, typer.Option("--repair-bus", help="Make a stream anew that differs from its database.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Repair without asking.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Look whether this machine and these settings can run it, and say what to do where they cannot.

    With --deep, look at the installation that runs, from outside its services; it goes on working meanwhile.
    """
    if deep and repair_bus:
        fail("--deep looks and --repair-bus changes: one of them at a time", Exit.usage)
    if repair_bus:
        _repair_bus(yes=yes, as_json=as_json)
    elif deep:
        _deep(as_json=as_json)
    else:
        _machine(as_json=as_json)


def _machine(*, as_json: bool) -> None:
    checks = examine(load_settings())
    failed = any(check.outcome == "failed" for check in checks)
    if as_json:
        print_json({"ok": not failed, "checks": [check.as_json() for check in checks]})
    else:
        for check in checks:
            _print_check(check)
    raise typer.Exit(Exit.failed if failed else Exit.ok)


def _print_check(check: Check) -> None:
    print_line(f"{check.outcome:<8} {check.subject}: {check.found}")
    if check.advice:
        print_line(f"{'':<8} -> {check.advice}")


def _deep(*, as_json: bool) -> None:
    wiring = attached()
    findings = asyncio.run(inspect(wiring, progress=lambda what: note(f"looking at {what}")))
    fine = all(finding.outcome is Outcome.ok for finding in findings)
    if as_json:
        print_json({"ok": fine, "findings": [finding.as_json() for finding in findings]})
    else:
        _print_findings(findings)
    raise typer.Exit(Exit.ok if fine else Exit.failed)


def _print_findings(findings: Sequence[Finding]) -> None:
    """Each invariant with what was looked at, and what to do where it does not hold."""
    order = list(MEANING)
    for invariant, group in groupby(
        sorted(findings, key=lambda f: order.index(f.invariant)), lambda f: f.invariant
    ):
        of_it = list(group)
        print_line(f"{invariant.value}: {MEANING[invariant][0]}")
        for finding in of_it:
            counted = ", ".join(f"{number} {what}" for what, number in finding.counts.items())
            said = "; ".join(part for part in (finding.text, counted) if part)
            print_line(f"   {finding.outcome.value:<15} {finding.service:<14} {said}".rstrip())
        if advice := next((f.advice for f in of_it if f.advice), None):
            print_line(f"   {'':<15} -> {advice}")


def _repair_bus(*, yes: bool, as_json: bool) -> None:
    wiring = attached()
    try:
        found = asyncio.run(damages(wiring))
        for damage in found:
            _say(damage)
        if found and not yes and not _confirmed():
            fail("nothing was changed")
        done = asyncio.run(_repair(wiring, found))
    except CannotRepair as why:
        fail(str(why))
    except _AWAY as trouble:
        ours = isinstance(trouble, BusUnavailable | StreamMissing)
        said = str(trouble) if ours else f"a database or the bus does not answer ({type(trouble).__name__})"
        fail(f"{said}: see `custode status`")
    if as_json:
        told = [
            {"stream": one.stream, "entries": one.entries, "kept": str(one.kept), "set_back": one.set_back}
            for one in done
        ]
        print_json({"repaired": told})
    elif not done:
        print_line("every stream is what its database is: nothing to repair")
    for one in done:
        note(f"{one.stream}: {one.entries} entries, equal byte for byte")
        if one.set_back:
            note(f"   look with `custode doctor --deep` at what became of it in {', '.join(one.set_back)}")


def _confirmed() -> bool:
    if not sys.stdin.isatty():
        fail("repeat with --yes to do it: nobody is here to be asked", Exit.usage)
    return typer.confirm("Do it?", err=True)


def _say(damage: Damage) -> None:
    """What is wrong with a stream, and what will be done."""
    one = damage.comparison
    ahead = f"; it is ahead of it, {one.last} against {one.head}" if one.ahead else ""
    note(f"the stream {one.name} differs from its database, first at position {damage.first}{ahead}")
    note(f"   to do: keep the {one.differing} foreign messages in a file, delete the stream, make it anew;")
    note(f"   {one.service} publishes its {one.head} entries again, with the same bytes and numbers")
    for reader, position in damage.passed.items():
        note(f"   {reader} has read the foreign message (it stands at {position}): it reads again from there")
    if one.ahead:
        note("   if its database was restored from a backup, what it lost is in that file and nowhere else")


async def _repair(wiring: Wiring, found: Sequence[Damage]) -> list[Repaired]:
    return [await repair(wiring, damage, note) for damage in found]
