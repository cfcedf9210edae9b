"""The command `custode`: nothing but the composition of its subcommands."""

import logging
import sys

import structlog
import typer

from deploy.commands import (
    audit,
    bus,
    contracts,
    demo,
    doctor,
    import_,
    rebuild,
    requirements,
    run,
    school,
    staff,
)
from deploy.commands.common import Exit, console, escape
from deploy.engines import EngineError
from deploy.migrate import SCHEMA_ERRORS
from deploy.settings import SettingsError

app = typer.Typer(
    name="custode",
    help="The keeper of a school's keys. Settings are environment variables with the prefix CUSTODE_.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
for group in (demo, run, doctor, school, staff, import_, bus, audit, rebuild, contracts, requirements):
    group.add_to(app)


def main() -> None:
    """Run the command line; an expected failure is a message and an exit code, never a traceback."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        app()
    except EngineError as error:
        console.print(f"[bold red]error[/]: {escape(str(error))}")
        sys.exit(Exit.usage if isinstance(error, SettingsError) else Exit.failed)
    except SCHEMA_ERRORS as wrong:
        console.print(f"[bold red]error[/]: {escape(str(wrong))}")
        sys.exit(Exit.failed)
    except KeyboardInterrupt:
        sys.exit(Exit.interrupted)


if __name__ == "__main__":
    main()
