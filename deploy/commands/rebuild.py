"""`custode rebuild`: projections anew from history, beside the live ones; or only compared with them."""

import asyncio
from enum import StrEnum
from typing import Annotated

import typer

from deploy import rebuilding
from deploy.commands.common import Exit, fail, note, print_json


class Service(StrEnum):
    registry = "registry"
    identity = "identity"
    notifications = "notifications"


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(rebuild)


def rebuild(
    service: Service,
    compare: Annotated[
        bool, typer.Option("--compare", help="Only say where live and rebuilt differ; change nothing.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Make a service's projections anew from the histories. It goes on working meanwhile.

    Exit code 1 when live and rebuilt differed: without `--compare` the rebuilt ones stand now.
    """
    try:
        report = asyncio.run(rebuilding.rebuild(service.value, switch=not compare))
    except rebuilding.CannotRebuild as missing:
        fail(str(missing))
    if as_json:
        print_json(
            {"service": service.value, "events": report.events, "differences": dict(report.differences)}
        )
    else:
        note(f"{report.events} events read; " + ("switched" if report.switched else "nothing was changed"))
        for table, rows in report.differences.items():
            note(f"   {table}: {rows} rows differed")
    if report.differences:
        raise typer.Exit(Exit.failed)
