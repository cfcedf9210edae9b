"""`custode import`: a file of a school's system goes in, and what is wrong with it is told row by row."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from deploy.commands.common import Exit, console, fail, print_json, print_line
from deploy.commands.school import registry_here
from services.registry.intake import Options
from services.registry.operations import OPERATOR
from services.registry.report import Outcome, Report, ReportedProblem

NOTHING, PARTIAL = 1, 4
"""Exit codes: nothing went in; it went in, without the rows in error."""

_FIGURES = (
    ("enrolments", "enrolments in the file"),
    ("new_pupils", "new pupils"),
    ("kept", "pupils known from before"),
    ("moved", "moved to another class"),
    ("withdrawn", "withdrawn"),
    ("unchanged", "unchanged"),
    ("corrected", "corrected"),
    ("new_classes", "new classes"),
    ("new_guardians", "new guardians"),
    ("new_guardianships", "new guardianships"),
    ("proposals", "maybe known already, for the desk"),
    ("missing", "enrolled and not in the file"),
    ("kind_assumed", "taken as new, without an enrolment kind"),
    ("without_email", "guardians without an e-mail address"),
    ("warnings", "warnings"),
    ("errors", "errors"),
)
_OUTCOMES = {
    Outcome.complete: ("it went in", "it would go in"),
    Outcome.partial: ("it went in, without the rows in error", "it would go in, without the rows in error"),
    Outcome.nothing: ("nothing went in", "nothing would go in"),
}


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command("import")(import_file)


def import_file(
    file: Annotated[
        Path, typer.Argument(exists=True, dir_okay=False, help="OneRoster 1.2 ZIP, or a secretariat's CSV.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would happen.")] = False,
    all_or_nothing: Annotated[
        bool, typer.Option("--all-or-nothing", help="One error, and nothing goes in.")
    ] = False,
    source: Annotated[
        str | None, typer.Option("--source", help="Whose ids these are, if not the file's own.")
    ] = None,
    column: Annotated[
        list[str] | None,
        typer.Option(
            "--column", help="The secretariat's CSV: OUR-COLUMN=HEADER-IN-THE-FILE. May be repeated."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Take in a school's file. Exit code 0: all of it; 4: without the rows in error; 1: nothing."""
    report = asyncio.run(_take(file, dry_run, all_or_nothing, source, _mapping(column or [])))
    if as_json:
        print_json(report.model_dump(mode="json"))
    else:
        _tell(report)
    raise typer.Exit(
        {Outcome.complete: 0, Outcome.partial: PARTIAL, Outcome.nothing: NOTHING}[report.outcome]
    )


def _mapping(columns: list[str]) -> Mapping[str, str]:
    found = {}
    for column in columns:
        ours, sign, theirs = column.partition("=")
        if not (ours and sign and theirs):
            fail("--column wants OUR-COLUMN=HEADER-IN-THE-FILE", Exit.usage)
        found[ours] = theirs
    return found


async def _take(
    file: Path, dry_run: bool, all_or_nothing: bool, source: str | None, mapping: Mapping[str, str]
) -> Report:
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=console,
        transient=True,
    )
    async with registry_here() as registry:
        with bar:
            task = bar.add_task(file.name, total=None)
            options = Options(
                actor=OPERATOR,
                dry_run=dry_run,
                all_or_nothing=all_or_nothing,
                progress=lambda done, total: bar.update(task, completed=done, total=total),
            )
            return await registry.import_file(
                file.name, file, options, mapping=mapping or None, source=source
            )


def _tell(report: Report) -> None:
    italian = os.environ.get("LC_ALL", os.environ.get("LANG", "")).startswith("it")
    for problem in report.problems:
        text = problem.message["it" if italian else "en"]
        print_line(f"{_place(problem)} {problem.severity}: {text}")
    counts = report.counts.model_dump()
    for name, label in _FIGURES:
        if counts[name]:
            print_line(f"{counts[name]:>8}  {label}")
    did, would = _OUTCOMES[report.outcome]
    print_line(f"{report.file}: {would if report.dry_run else did}")


def _place(problem: ReportedProblem) -> str:
    """file:line:column, as compilers say it; the column by its name."""
    parts = [problem.file, *(str(part) for part in (problem.line, problem.column) if part is not None)]
    return ":".join(parts) + ":"
