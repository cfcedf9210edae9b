"""`custode demo`: the main job on two schools, told as it goes."""

import asyncio
import signal
from typing import Annotated

import typer

from deploy.commands.common import fail, note
from deploy.demo.memory import Memory
from deploy.demo.stage import DemoFailed, Stage
from deploy.demo.teller import Teller
from deploy.demo.tour import take
from deploy.settings import load_settings
from deploy.supervisor import Running
from shared.settings import Environment


def add_to(app: typer.Typer) -> None:
    """Add this subcommand to the command line."""
    app.command()(demo)


def demo(
    once: Annotated[bool, typer.Option("--once", help="Exit when the story is told.")] = False,
) -> None:
    """Do the main job on a real-looking school network, then keep serving until Ctrl-C."""
    settings = load_settings()
    if settings.environment is Environment.production:
        fail("this is a production installation: the demo invents schools and people")
    try:
        asyncio.run(_run(once))
    except DemoFailed as failed:
        fail(str(failed))


async def _run(once: bool) -> None:
    settings = load_settings()
    teller = Teller()
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    telling = asyncio.current_task()
    assert telling is not None

    def end() -> None:
        if stop.is_set():
            return
        stop.set()
        if not serving.is_set():
            telling.cancel()

    serving = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, end)
    teller.chapter("Starting PostgreSQL, NATS, Caddy, the mailbox and three services")
    try:
        async with Running(settings, progress=lambda part, text: note(f"   {part:>13}  {text}")) as running:
            await take(Stage(running, Memory.of(settings.data), teller))
            if once:
                return
            serving.set()
            note(
                "\nServing; Ctrl-C stops everything. A second `make demo` goes on from here, `make clean` forgets."
            )
            await stop.wait()
    except asyncio.CancelledError:
        if not stop.is_set():
            raise
        raise typer.Exit(130) from None
