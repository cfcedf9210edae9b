"""`custode up | down | status | clean`: an installation for daily use."""

import asyncio
import os
import shutil
import signal
import time
from typing import Annotated

import typer

from deploy.commands.common import Exit, fail, note, print_json, print_line, running_installation
from deploy.daemon import DetachedStart, start_detached
from deploy.folder import Lock, RunFile, read_marker, read_run_file, remove_folder
from deploy.settings import Settings, load_settings
from deploy.status import PartStatus, look
from deploy.supervisor import Running
from shared.settings import Environment

DOWN_SECONDS = 90.0
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def add_to(app: typer.Typer) -> None:
    """Add these subcommands to the command line."""
    for command in (up, down, status, clean):
        app.command()(command)


def up(
    detach: Annotated[
        bool, typer.Option("--detach", "-d", help="Return when it runs; stop it with `down`.")
    ] = False,
) -> None:
    """Start PostgreSQL, NATS, the services and the site, and keep them running."""
    settings = load_settings()
    if (holder := Lock(settings.data).holder()) is not None:
        fail(f"it is running already (process {holder}): see `custode status`")
    if not detach:
        raise typer.Exit(asyncio.run(_serve(settings)))
    found = start_detached(settings, note)
    if isinstance(found, DetachedStart):
        fail(f"it did not start:\n{found.said}")
    _print_addresses(found)


async def _serve(settings: Settings) -> Exit:
    """Keep an installation up until SIGINT, SIGTERM or SIGHUP."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    running = Running(settings, progress=lambda part, text: note(f"{part:>14}  {text}"))
    starting = asyncio.create_task(running.__aenter__())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait((starting, stopping), return_when=asyncio.FIRST_COMPLETED)
    if stopping.done() and not starting.done():
        starting.cancel()
        await asyncio.wait((starting,))
        return Exit.interrupted
    stopping.cancel()
    await starting
    try:
        found = read_run_file(settings.data)
        if found is not None:
            _print_addresses(found)
        note("running; Ctrl-C stops it")
        await stop.wait()
    finally:
        await running.close()
    return Exit.ok


def _print_addresses(found: RunFile) -> None:
    print_line(f"site      {found['site']}")
    if found["mailbox"]:
        print_line(f"mailbox   {found['mailbox']}")


def down() -> None:
    """Stop what `up` started, and wait until it has ended."""
    settings = load_settings()
    if not stop_running(settings):
        fail(f"nothing runs over {settings.data}", Exit.not_running)
    note("stopped")


def stop_running(settings: Settings) -> bool:
    """Stop the installation over the data folder; False when nothing runs. Leaves with `failed` if it stays."""
    lock = Lock(settings.data)
    holder = lock.holder()
    if not holder:
        return False
    os.kill(holder, signal.SIGTERM)
    deadline = time.monotonic() + DOWN_SECONDS
    while lock.holder() == holder:
        if time.monotonic() > deadline:
            fail(f"process {holder} has not ended after {DOWN_SECONDS:.0f} seconds")
        time.sleep(0.05)
    return True


def status(as_json: AsJson = False) -> None:
    """Say what runs, where, and whether it is ready. Exit code 1 when a part is not, 3 when nothing runs."""
    settings = load_settings()
    found = read_run_file(settings.data)
    if found is None:
        if as_json:
            print_json({"state": "stopped", "data": str(settings.data)})
            raise typer.Exit(Exit.not_running)
        running_installation(settings)
        return
    parts = asyncio.run(look(found))
    healthy = found["state"] == "running" and all(part.ready for part in parts)
    if as_json:
        keys = ("state", "instance", "site", "mailbox", "nats", "ports")
        shown = {key: found[key] for key in keys} | {"data": str(settings.data), "ready": healthy}
        print_json(shown | {"parts": [part.as_json() for part in parts]})
    else:
        _print_addresses(found)
        for part in parts:
            print_line(_status_line(part))
    raise typer.Exit(Exit.ok if healthy else Exit.failed)


def _status_line(part: PartStatus) -> str:
    where = f"process {part.pid}" if part.pid else "no process"
    again = f", restarted {part.restarts} times" if part.restarts else ""
    return (
        f"{part.name:<14} {'ready' if part.ready else 'NOT READY':<10} {where}{again}  {part.reason}".rstrip()
    )


def clean(
    yes: Annotated[bool, typer.Option("--yes", help="Also when it was used in production.")] = False,
) -> None:
    """Stop it and delete its data folder: every database, every key, every mail. There is no way back."""
    settings = load_settings()
    folder = settings.data
    if not folder.exists():
        note(f"nothing to clean: there is no {folder}")
        return
    marker = read_marker(folder)
    if marker is None:
        if any(folder.iterdir()):
            fail(f"{folder} is no data folder of Custode: nothing was deleted")
        folder.rmdir()
        return
    if marker.get("environment") == Environment.production and not yes:
        fail(f"{folder} was used in production: repeat with --yes to delete it for ever", Exit.usage)
    stop_running(settings)
    remove_folder(folder)
    shutil.rmtree(folder, ignore_errors=True)
    note(f"deleted {folder}")
