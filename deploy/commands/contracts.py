"""`custode contracts`: the published language, as AsyncAPI 3 and JSON Schema."""

from pathlib import Path
from typing import Annotated

import typer

from deploy.commands.common import fail, print_line
from shared.contracts import published


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(contracts)


def contracts(
    folder: Annotated[Path, typer.Argument(help="Where to write them.")] = published.PUBLISHED,
) -> None:
    """Write AsyncAPI 3 and a JSON Schema for every event; refuse a contract that changed without a new version."""
    try:
        new = published.write(folder)
    except published.ContractChanged as changed:
        fail(str(changed))
    for name in new:
        print_line(f"new  {name}")
    print_line(f"{len(published.schemas())} contracts")
