"""What the demo does as the operator would on the command line: schools, files, staff."""

import secrets
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from pathlib import Path

from deploy.attach import told_as
from deploy.demo.schools import DemoSchool
from deploy.environment import Wiring
from services.identity.app import MIGRATIONS
from services.identity.operations import NewStaffMember, add_staff
from services.identity.passwords import Hasher, Peppers
from services.identity.projections import project as project_identity
from services.identity.settings import IdentitySettings
from services.registry.intake import Options, Progress
from services.registry.operations import Registry, open_registry
from services.registry.report import Report
from services.registry.settings import RegistrySettings
from shared.contracts.identity import StaffRole
from shared.contracts.policy import PRESETS, CredentialPolicy
from shared.runtime import open_runtime
from shared.settings import CommonSettings

OPERATOR = "operator"
_WORDS = (
    "ciliegio",
    "lanterna",
    "vendemmia",
    "sentiero",
    "aquilone",
    "montagna",
    "fontana",
    "girasole",
    "brezza",
)


@asynccontextmanager
async def registry_of(wiring: Wiring) -> AsyncIterator[Registry]:
    with told_as("registry", wiring):
        common, settings = CommonSettings(), RegistrySettings()
    async with open_registry(common, settings) as registry:
        yield registry


async def register(registry: Registry, school: DemoSchool) -> None:
    await registry.register_school(
        school.codice, school.name, school.customer_id, entry_grade=school.entry_grade
    )
    wanted = with_passwords(PRESETS[school.policy])
    await registry.adopt_policy(school.codice, wanted, "circolare della scuola", actor=OPERATOR)


def with_passwords(policy: CredentialPolicy) -> CredentialPolicy:
    """This policy, with the staff's passwords enough until the end of next August: nobody has a passkey here."""
    until = date(datetime.now(UTC).year + 1, 9, 1)
    return policy.model_copy(update={"staff_password_only_until": until})


async def import_file(registry: Registry, file: Path, progress: Progress, *, dry_run: bool = False) -> Report:
    options = Options(actor=OPERATOR, progress=progress, dry_run=dry_run)
    return await registry.import_file(file.name, file, options)


async def open_staff_account(
    wiring: Wiring, school: str, role: StaffRole, given_name: str, family_name: str
) -> tuple[str, str]:
    """(user code, password) of a new member of staff, whose password is theirs to keep."""
    password = passphrase()
    with told_as("identity", wiring):
        common, settings = CommonSettings(), IdentitySettings()
    async with open_runtime(
        "identity", common, settings, project_identity, MIGRATIONS, relaying=False
    ) as runtime:
        hasher = Hasher(
            Peppers.from_files(settings.pepper_file, settings.previous_pepper_files),
            settings.cost,
            queue=settings.hash_queue,
        )
        try:
            member = NewStaffMember(school, (role,), given_name, family_name, password, final=True)
            code = await add_staff(runtime.commands, hasher, member, actor=OPERATOR)
        finally:
            hasher.close()
    return code, password


def passphrase() -> str:
    """Three words and a number: long enough, and easy to type in a demo."""
    return "-".join([*(secrets.choice(_WORDS) for _ in range(3)), str(secrets.randbelow(9000) + 1000)])
