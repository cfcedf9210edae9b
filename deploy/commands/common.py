"""What all subcommands share: exit codes, output, and how an error is told.

Progress and messages go to stderr; stdout carries results only, one JSON document with `--json`.
"""

import json
import sys
from enum import IntEnum
from typing import NoReturn

import typer
from rich.console import Console

from deploy.folder import RunFile, read_run_file
from deploy.settings import Settings
from shared.text import legible

console = Console(stderr=True, highlight=False, soft_wrap=True)


class Exit(IntEnum):
    """Exit codes; they never change their meaning."""

    ok = 0
    failed = 1
    usage = 2
    not_running = 3
    interrupted = 130


def fail(message: str, code: Exit = Exit.failed) -> NoReturn:
    """Say what went wrong on stderr and leave with `code`."""
    console.print(f"[bold red]error[/]: {escape(message)}")
    raise typer.Exit(code)


def escape(text: str) -> str:
    """Text as it is, whatever brackets it holds; what would act on the terminal is told as U+XXXX."""
    return "\n".join(map(legible, text.split("\n"))).replace("[", "\\[")


def note(message: str) -> None:
    """A line for whoever watches; never part of the result."""
    console.print(escape(message))


def print_json(document: object) -> None:
    """The result, as one JSON document on stdout."""
    json.dump(document, sys.stdout, indent=2, ensure_ascii=False)
    sys.stdout.write("\n")


def print_line(text: str) -> None:
    """A line of the result on stdout; whatever a name holds, it does nothing to the terminal."""
    sys.stdout.write(f"{legible(text)}\n")


def running_installation(settings: Settings) -> RunFile:
    """What runs over the data folder; leaves with `not_running` when nothing does."""
    found = read_run_file(settings.data)
    if found is None:
        fail(f"nothing runs over {settings.data}: start it with `custode up`", Exit.not_running)
    return found
