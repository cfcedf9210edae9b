"""`custode staff add | reset | list`: accounts of those who work at a school. The password comes from the terminal or
from stdin, never from the command line."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import datetime
from getpass import getpass
from typing import Annotated

import typer

from deploy.attach import told_as
from deploy.commands.common import Exit, fail, print_json, print_line
from services.identity.app import MIGRATIONS
from services.identity.operations import NewStaffMember, add_staff, reset_staff_password, wait_for_school
from services.identity.passwords import Hasher, Peppers
from services.identity.projections import project
from services.identity.queries import Queries, StaffMember
from services.identity.settings import IdentitySettings
from shared.contracts.identity import StaffRole
from shared.decider import Refused
from shared.runtime import Runtime, open_runtime
from shared.settings import CommonSettings

ACTOR = "system:command-line"
School = Annotated[str, typer.Option("--school", help="codice meccanografico, such as MIIS00100A")]
PasswordStdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from the first line of stdin.")
]
AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]


def add_to(app: typer.Typer) -> None:
    """Add this group to the command line."""
    group = typer.Typer(help="Accounts of those who work at a school.", no_args_is_help=True)
    group.command("add")(add)
    group.command("reset")(reset)
    group.command("list")(list_)
    app.add_typer(group, name="staff")


def add(
    school: School,
    role: Annotated[list[StaffRole], typer.Option("--role", help="May be given more than once.")],
    given_name: Annotated[str, typer.Option("--given-name")],
    family_name: Annotated[str, typer.Option("--family-name")],
    password_stdin: PasswordStdin = False,
    again: Annotated[
        bool, typer.Option("--again", help="Open another account for a namesake with the same role.")
    ] = False,
    final: Annotated[
        bool,
        typer.Option(
            "--final", help="The password need not be changed at the first sign-in, within 14 days."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Open a staff account and print its user code."""
    password = _asked(password_stdin)
    member = NewStaffMember(school.upper(), tuple(role), given_name, family_name, password, final)
    code = asyncio.run(_add(member, again))
    if as_json:
        print_json({"school": member.school, "user_code": code, "must_change": not final})
    else:
        print_line(code)


def reset(
    school: School,
    user_code: Annotated[str, typer.Option("--user-code", help="As `custode staff list` shows it.")],
    password_stdin: PasswordStdin = False,
    remove_passkeys: Annotated[
        bool, typer.Option("--remove-passkeys", help="They were lost: the password registers the next one.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Give a staff member a temporary password: all their sessions end, and it must be changed within 14 days."""
    expires = asyncio.run(_reset(school.upper(), user_code, _asked(password_stdin), remove_passkeys))
    if as_json:
        print_json({"school": school.upper(), "expires": expires.isoformat(), "must_change": True})
    else:
        print_line(f"valid until {expires.date().isoformat()}")


def list_(
    school: Annotated[str | None, typer.Option("--school", help="Of this school only.")] = None,
    as_json: AsJson = False,
) -> None:
    """Who has a staff account, and with which roles."""
    found = asyncio.run(_list(school.upper() if school else None))
    if as_json:
        print_json([_as_dict(member) for member in found])
        return
    for member in found:
        name = f"{member.family_name or '—'} {member.given_name or ''}".strip()
        print_line(f"{member.school}  {member.user_code or '—':<8}  {','.join(member.roles):<24}  {name}")


def _asked(on_stdin: bool) -> str:
    if on_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        fail("no terminal to ask for the password: give it with --password-stdin", Exit.usage)
    password = getpass("Password: ")
    if getpass("Once more: ") != password:
        fail("the two are not alike")
    return password


@asynccontextmanager
async def _at_work() -> AsyncIterator[tuple[Runtime, Hasher]]:
    """As identity, on its database. What is refused ends the command."""
    with told_as("identity"):
        common, settings = CommonSettings(), IdentitySettings()
        peppers = Peppers.from_files(settings.pepper_file, settings.previous_pepper_files)
        hasher = Hasher(peppers, settings.cost)
        try:
            async with open_runtime(
                "identity", common, settings, project, MIGRATIONS, relaying=False
            ) as runtime:
                yield runtime, hasher
        except Refused as refused:
            fail(
                refused.text,
                Exit.failed if refused.reason in ("weak_password", "staff_known") else Exit.usage,
            )
        finally:
            hasher.close()


async def _add(member: NewStaffMember, again: bool) -> str:
    async with _at_work() as (runtime, hasher):
        # The service reads of a new school in a moment; an import just before need not be waited for.
        await wait_for_school(runtime.pool, member.school)
        staff = await Queries(runtime.pool).staff(member.school)
        if not again and any(_is_namesake(member, known) for known in staff):
            raise Refused(
                "staff_known",
                "there is an account for this name and role at this school (`custode staff list`); "
                "for a namesake open another with --again",
            )
        return await add_staff(runtime.commands, hasher, member, actor=ACTOR)


def _is_namesake(member: NewStaffMember, known: StaffMember) -> bool:
    """The same name, however it is written, with one of the roles wanted."""
    names = [
        [" ".join((name or "").casefold().split()) for name in (each.given_name, each.family_name)]
        for each in (member, known)
    ]
    return names[0] == names[1] and not {role.value for role in member.roles}.isdisjoint(known.roles)


async def _reset(school: str, user_code: str, password: str, remove_passkeys: bool) -> datetime:
    async with _at_work() as (runtime, hasher):
        return await reset_staff_password(
            runtime.commands,
            hasher,
            school,
            user_code,
            password,
            actor=ACTOR,
            remove_passkeys=remove_passkeys,
        )


async def _list(school: str | None) -> list[StaffMember]:
    with told_as("identity"):
        async with open_runtime(
            "identity", CommonSettings(), IdentitySettings(), project, MIGRATIONS, relaying=False
        ) as runtime:
            return await Queries(runtime.pool).staff(school)


def _as_dict(member: StaffMember) -> dict[str, object]:
    return {
        "school": member.school,
        "user_code": member.user_code,
        "roles": list(member.roles),
        "family_name": member.family_name,
        "given_name": member.given_name,
    }
