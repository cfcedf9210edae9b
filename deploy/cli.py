"""The command `custode`: nothing but the composition of its subcommands.

Only the module of the command that is asked for is imported: most commands need none of the services.
"""

import logging
import sys
from collections.abc import Sequence
from importlib import import_module

import structlog
import typer

from deploy.commands.common import Exit, console, escape
from deploy.engines import EngineError
from deploy.settings import SettingsError

_MODULES = {
    "demo": "demo",
    "up": "run",
    "down": "run",
    "clean": "run",
    "status": "run",
    "doctor": "doctor",
    "school": "school",
    "staff": "staff",
    "import": "import_",
    "bus": "bus",
    "audit": "audit",
    "rebuild": "rebuild",
    "contracts": "contracts",
    "requirements": "requirements",
}


def composed(arguments: Sequence[str]) -> typer.Typer:
    """The command line for these arguments: the one command that they begin with, or all of them (for help, or
    for a command that does not exist)."""
    app = typer.Typer(
        name="custode",
        help="The keeper of a school's keys. Settings are environment variables with the prefix CUSTODE_.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )

    @app.callback()
    def _named() -> None:
        """Keeps the name of a command on the command line where there is one command only."""

    asked = _MODULES.get(arguments[0]) if arguments else None
    for module in [asked] if asked else dict.fromkeys(_MODULES.values()):
        import_module(f"deploy.commands.{module}").add_to(app)
    return app


def main() -> None:
    """Run the command line; an expected failure is a message and an exit code, never a traceback."""
    quiet = structlog.make_filtering_bound_logger(logging.WARNING)
    structlog.configure(wrapper_class=quiet, logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    try:
        composed(sys.argv[1:])()
    except EngineError as error:
        console.print(f"[bold red]error[/]: {escape(str(error))}")
        sys.exit(Exit.usage if isinstance(error, SettingsError) else Exit.failed)
    except KeyboardInterrupt:
        sys.exit(Exit.interrupted)
    except Exception as wrong:
        from deploy.migrate import SCHEMA_ERRORS

        if not isinstance(wrong, SCHEMA_ERRORS):
            raise
        console.print(f"[bold red]error[/]: {escape(str(wrong))}")
        sys.exit(Exit.failed)


if __name__ == "__main__":
    main()
