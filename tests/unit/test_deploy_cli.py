"""The command line is composed of the command that is asked for, and of all of them for help."""

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from deploy.cli import _MODULES, composed


def commands(*arguments: str) -> set[str]:
    group = get_command(composed(arguments))
    assert isinstance(group, TyperGroup)
    return set(group.commands)


def test_every_command_stands_in_the_help() -> None:
    assert commands() == set(_MODULES)
    assert commands("unknown") == set(_MODULES)


@pytest.mark.parametrize("command", _MODULES)
def test_a_command_is_in_the_module_that_is_imported_for_it(command: str) -> None:
    assert command in commands(command, "--help")
