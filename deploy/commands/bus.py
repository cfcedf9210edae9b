"""`custode bus`: who may speak on the embedded bus."""

import asyncio
from typing import Annotated

import typer

from deploy.commands.common import Exit, fail, print_json, print_line, running_installation
from deploy.commands.school import on_registry
from deploy.engines import NatsEngine
from deploy.engines.host import this_host
from deploy.engines.nats_keys import SCHOOL, school_user
from deploy.settings import load_settings


def add_to(app: typer.Typer) -> None:
    """Add this group to the command line."""
    group = typer.Typer(help="Who may speak on the bus.", no_args_is_help=True)
    group.callback()(_group)
    group.command()(admit)
    app.add_typer(group, name="bus")


def _group() -> None:
    """Who may speak on the bus."""


def admit(
    school: Annotated[str, typer.Argument(help="codice meccanografico, such as MIIS00100A")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")] = False,
) -> None:
    """Give a registered school's systems an account on the bus; prints the file with its key. Harmless when
    repeated."""
    code = school.upper()
    if not SCHOOL.fullmatch(code):
        fail(f"{school!r} is no codice meccanografico: two letters, then eight letters or digits", Exit.usage)
    settings = load_settings()
    if settings.nats_url is not None:
        fail("the bus is not the embedded one: its accounts are made where it runs", Exit.usage)
    found = running_installation(settings)
    if on_registry(lambda registry: registry.queries.school(code)) is None:
        fail(f"the school {code} is not registered: register it with `custode school add`, then repeat")
    host = this_host(settings.engine_user, settings.engine_folder)
    engine = NatsEngine(settings.data / "nats", port=found["ports"]["nats"], host=host)
    seed = asyncio.run(engine.add_school(code))
    told = {
        "school": code,
        "url": engine.url,
        "user": school_user(code),
        "seed_file": str(seed),
        "subject": f"ingress.{code}.cmd",
        "inbox_prefix": f"_INBOX_{school_user(code)}",
    }
    if as_json:
        print_json(told)
        return
    for name, value in told.items():
        print_line(f"{name:<13} {value}")
