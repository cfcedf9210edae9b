"""`custode audit replay | export | verify`: the history, for auditors."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import date, datetime, time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text

from audit import bundle
from audit.history import BrokenHistory, BundleSource, Entry, Source, StreamSource
from audit.replay import NothingFound, causes, of_school, story
from audit.telling import ROME, short, what, who
from deploy.attach import attached
from deploy.commands.common import fail, note, print_json
from shared.messaging.bus import Bus

audit = typer.Typer(
    help="Replay the whole history: complete, in causal order, as of any date.", no_args_is_help=True
)
Bundle = Annotated[Path | None, typer.Option("--bundle", help="Read an exported folder; nothing need run.")]
Until = Annotated[str | None, typer.Option("--until", help="As of this day's end: YYYY-MM-DD.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the command line."""
    app.add_typer(audit, name="audit")


@audit.command()
def replay(
    about: Annotated[
        str | None, typer.Argument(help="Id of an account, holder, credential or delivery: its whole story.")
    ] = None,
    school: Annotated[str | None, typer.Option("--school", help="Everything of one school.")] = None,
    until: Until = None,
    from_bundle: Bundle = None,
    as_json: AsJson = False,
) -> None:
    """Print who did what, why and because of which event, from all three services in causal order."""
    if (about is None) == (school is None):
        fail("name either an id or --school CODE")
    moment = _end_of(until)

    async def read(source: Source) -> list[Entry]:
        if about is not None:
            return await story(source, about, moment)
        return [entry async for entry in of_school(source, school or "", moment)]

    entries = _with_source(from_bundle, read)
    if as_json:
        print_json([dict(entry.envelope) for entry in entries])
        return
    Console().print(telling(entries))
    note(f"{len(entries)} events" + (f", as of {until}" if until else ""))


@audit.command()
def export(folder: Annotated[Path, typer.Argument(help="A new folder.")]) -> None:
    """Write the three histories to files that can be replayed and verified offline, years later."""
    try:
        folder.mkdir(parents=True)
    except OSError as refused:
        fail(f"{folder}: {refused.strerror}; choose a new folder")
    manifest = _with_source(None, lambda source: bundle.export(source, folder))
    for service, told in manifest["services"].items():
        note(f"{service:>14}  {told['entries']} entries  sha256 {told['sha256'][:16]}…")


@audit.command()
def verify(folder: Annotated[Path, typer.Argument(help="A folder that `export` wrote.")]) -> None:
    """Check an exported history: nothing missing, doubled or out of place."""
    try:
        counts = asyncio.run(bundle.verify(folder))
    except BrokenHistory as broken:
        fail(str(broken))
    except OSError as missing:
        fail(f"{folder} is not a bundle: {missing.strerror}")
    note("complete and in order: " + ", ".join(f"{service} {n}" for service, n in counts.items()))


def telling(entries: list[Entry]) -> Text:
    """The story, an entry a paragraph, so that it reads on any width."""
    because = causes(entries)
    text = Text()
    for entry in entries:
        text.append(f"{entry.time.astimezone(ROME):%d/%m/%Y %H:%M:%S}  ")
        text.append(entry.name, "bold")
        text.append(f"  {entry.service}:{entry.position}\n", "dim")
        text.append(
            f"    {entry.envelope['subject'].split('/')[0]} {short(entry.envelope['subject'].split('/')[1])}, "
        )
        text.append(f"by {who(entry)}")
        if entry.id in because:
            text.append(f", because of {because[entry.id]}")
        text.append("\n")
        if details := what(entry):
            text.append(f"    {details}\n", "dim")
    text.rstrip()
    return text


def _with_source(folder: Path | None, work: Callable[[Source], Awaitable[Any]]) -> Any:
    async def run() -> Any:
        async with _source(folder) as source:
            return await work(source)

    try:
        return asyncio.run(run())
    except (NothingFound, BrokenHistory) as said:
        fail(str(said))
    except TimeoutError:
        fail("the message bus does not answer: see `custode status`")


@asynccontextmanager
async def _source(folder: Path | None) -> AsyncIterator[Source]:
    if folder is not None:
        yield BundleSource(folder)
        return
    wiring = attached()
    bus = Bus(wiring.nats_url, "auditor", wiring.seed_file("auditor"))
    bus.start()
    try:
        yield StreamSource(await asyncio.wait_for(bus.connected(), 10))
    finally:
        await bus.close()


def _end_of(day: str | None) -> datetime | None:
    if day is None:
        return None
    try:
        return datetime.combine(date.fromisoformat(day), time.max, tzinfo=ROME)
    except ValueError:
        fail(f"{day!r} is not a date: write it as 2026-09-14")
