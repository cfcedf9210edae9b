"""`custode requirements`: every row, with the tests that prove it."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from deploy.commands.common import note, print_json
from deploy.requirements import Row, Standing, read_rows

_STYLE = {
    Standing.proved: "green",
    Standing.in_part: "yellow",
    Standing.failing: "bold red",
    Standing.open: "dim",
}


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(requirements)


def requirements(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Print every requirement with the tests that prove it, as the last `make test` saw them."""
    rows, recorded = read_rows()
    if as_json:
        print_json({"recorded": recorded, "rows": [_as_dict(row) for row in rows]})
        return
    table = Table(box=None, pad_edge=False)
    for title in ("row", "standing", "what", "proved by"):
        table.add_column(title, overflow="fold")
    for row in rows:
        proofs = "\n".join(
            f"{p.test.removeprefix('tests/')}{f' ({p.part})' if p.part else ''}"
            f"{'' if p.outcome == 'passed' else f' [{p.outcome}]'}"
            for p in row.proofs
        )
        standing = row.standing
        table.add_row(row.id, f"[{_STYLE[standing]}]{standing}[/]", row.text, proofs)
    Console().print(table)
    if recorded is None:
        note("no test run is recorded here: run `make test`")
        return
    counts = {s: sum(row.standing is s for row in rows) for s in Standing}
    note(f"recorded {recorded}: " + ", ".join(f"{n} {s}" for s, n in counts.items() if n))


def _as_dict(row: Row) -> dict[str, object]:
    return {
        "id": row.id,
        "text": row.text,
        "standing": row.standing.value,
        "tests": [{"test": p.test, "part": p.part, "outcome": p.outcome} for p in row.proofs],
    }
