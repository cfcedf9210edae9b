"""Real-looking files from end to end: read, decided, committed, and told on the command line (S3, M11)."""

import asyncio
import io
import json
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
import typer
from typer.testing import CliRunner

from deploy.commands import import_, school
from deploy.demo.generate import DATA
from services.registry.intake import Options
from services.registry.operations import Registry
from services.registry.report import Outcome
from services.registry.settings import RegistrySettings
from shared.contracts.policy import EMAIL, PAPER
from shared.contracts.registry import EnrolmentKind, GuardianLinked, StudentEnrolled
from tests.integration.registry_fixtures import events_of, kek_file, opened, registry_settings

__all__ = ["kek_file", "registry_settings"]
FACTS = json.loads((DATA / "schools.json").read_text())
PAPER_SCHOOL, MAIL_SCHOOL = FACTS["schools"]
OPERATOR = Options(actor="operator")


@pytest.fixture
async def registry(registry_settings: RegistrySettings, kek_file: Path) -> AsyncIterator[Registry]:
    async with opened(registry_settings, kek_file) as found:
        for facts, policy in ((PAPER_SCHOOL, PAPER), (MAIL_SCHOOL, EMAIL)):
            await found.register_school(facts["codice"], facts["name"], facts["customer_id"])
            await found.adopt_policy(facts["codice"], policy, "preset")
        yield found


async def test_two_years_of_a_paper_school(registry: Registry) -> None:
    first, second = (entry["file"] for entry in PAPER_SCHOOL["imports"])
    one = await registry.import_file(first, DATA / first, OPERATOR)
    assert (one.outcome, one.counts.errors) == (Outcome.complete, 0)
    assert one.counts.new_pupils == PAPER_SCHOOL["imports"][0]["pupils"]
    assert one.counts.new_guardians == PAPER_SCHOOL["imports"][0]["guardians"]
    head = await registry.store.head()
    again = await registry.import_file(first, DATA / first, OPERATOR)
    assert (await registry.store.head(), again.counts.events) == (head, 0)

    dry = await registry.import_file(second, DATA / second, Options(actor="operator", dry_run=True))
    assert await registry.store.head() == head
    two = await registry.import_file(second, DATA / second, OPERATOR)
    assert dry.counts == two.counts
    assert two.counts.kept + two.counts.new_pupils == PAPER_SCHOOL["imports"][1]["pupils"]
    assert two.counts.kept > 200

    ids: dict[str, str] = {}
    kinds: dict[tuple[str, str], EnrolmentKind] = {}
    for event in await events_of(registry):
        if isinstance(event, StudentEnrolled) and event.details.value is not None:
            external = event.details.value.external_id
            assert ids.setdefault(external, event.student) == event.student
            kinds[external, event.year] = event.kind
    stories = PAPER_SCHOOL["stories"]
    repeater = stories["repeater"]
    assert kinds[repeater, "2026/2027"] is EnrolmentKind.continuing


@pytest.mark.requirement("M2", part="two guardians with one mailbox stay two people")
async def test_who_shares_a_mailbox_or_a_guardian(registry: Registry) -> None:
    first = PAPER_SCHOOL["imports"][0]["file"]
    await registry.import_file(first, DATA / first, OPERATOR)
    links = [e for e in await events_of(registry) if isinstance(e, GuardianLinked)]
    by_external: dict[str, set[str]] = {}
    mailboxes: dict[str, str | None] = {}
    for link in links:
        assert link.details.value is not None
        by_external.setdefault(link.details.value.external_id, set()).add(link.guardian)
        mailboxes[link.details.value.external_id] = link.details.value.email
    one, other = PAPER_SCHOOL["stories"]["one_mailbox"]
    assert mailboxes[one] == mailboxes[other] is not None
    assert by_external[one] != by_external[other]
    assert all(len(ids) == 1 for ids in by_external.values())


async def test_the_mail_school_and_the_file_to_correct(registry: Registry) -> None:
    name = MAIL_SCHOOL["imports"][0]["file"]
    report = await registry.import_file(name, DATA / name, OPERATOR)
    assert report.counts.new_pupils == MAIL_SCHOOL["imports"][0]["pupils"]
    assert report.counts.errors == 0
    dirty = FACTS["bad_input"]["file"]
    report = await registry.import_file(dirty, DATA / dirty, OPERATOR)
    assert report.outcome is Outcome.partial
    errors = [p for p in report.problems if p.severity == "error"]
    assert errors
    assert all(p.line and p.message["it"] and p.message["en"] for p in errors)
    head = await registry.store.head()
    strict = await registry.import_file(dirty, DATA / dirty, Options(actor="operator", all_or_nothing=True))
    assert strict.outcome is Outcome.nothing
    assert await registry.store.head() == head


def zeros() -> bytes:
    """A ZIP that would unpack to 4 GB of zeros."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("manifest.csv", "w") as member,
    ):
        for _ in range(64):
            member.write(bytes(1024 * 1024))
    return out.getvalue()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"PK\x03\x04 no zip", "zip_damaged"),
        ("cognome;nome\nVerdi;Anna\n".encode("utf-16"), "utf16"),
        (b"codice_alunno,cognome_alunno,nome_alunno\n1,Verdi,Anna\n", "columns_missing"),
        (zeros(), "zip_bomb"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
async def test_a_hopeless_file_is_a_clear_report(registry: Registry, content: bytes, code: str) -> None:
    head = await registry.store.head()
    report = await registry.import_file("file", content, OPERATOR)
    assert (report.outcome, report.problems[0].code) == (Outcome.nothing, code)
    assert await registry.store.head() == head


class CommandLine:
    """`custode …` on the test's own registry."""

    def __init__(self) -> None:
        self.app = typer.Typer()
        for group in (school, import_):
            group.add_to(self.app)

    async def __call__(self, *arguments: object) -> Any:
        words = [str(argument) for argument in arguments]
        return await asyncio.to_thread(CliRunner().invoke, self.app, words)


@pytest.fixture
def custode(
    monkeypatch: pytest.MonkeyPatch, registry: Registry, registry_settings: RegistrySettings, kek_file: Path
) -> Iterator[Callable[..., Any]]:
    told = registry_settings
    monkeypatch.setattr(school, "told_as", lambda service: nullcontext())
    monkeypatch.setattr(school, "configure_logging", to_stderr)
    monkeypatch.setenv("CUSTODE_KEYRING_KEK_FILE", str(kek_file))
    monkeypatch.setenv("CUSTODE_REGISTRY_DATABASE_URL", told.database_url.get_secret_value())
    monkeypatch.setenv("CUSTODE_REGISTRY_KEYRING_URL", told.keyring_url.get_secret_value())
    monkeypatch.setenv("LC_ALL", "it_IT.UTF-8")
    yield CommandLine()
    structlog.reset_defaults()


def to_stderr(*_: object) -> None:
    """As the command's own logging does, for this test only."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))


@pytest.mark.requirement("S3", part="as files on the command line")
async def test_the_command_line_imports_and_says_what_is_wrong(
    custode: Callable[..., Any], registry: Registry
) -> None:
    dirty = DATA / FACTS["bad_input"]["file"]
    head = await registry.store.head()
    dry = await custode("import", dirty, "--dry-run", "--json")
    assert dry.exit_code == 4, dry.output
    assert await registry.store.head() == head
    strict = await custode("import", dirty, "--all-or-nothing")
    assert strict.exit_code == 1
    assert await registry.store.head() == head
    done = await custode("import", dirty)
    assert done.exit_code == 4
    counts = json.loads(dry.stdout)["counts"]
    assert f"{counts['new_pupils']:>8}  new pupils" in done.stdout
    (some,) = [p for p in json.loads(dry.stdout)["problems"] if p["code"] == "date_impossible"][:1]
    assert f"{some['file']}:{some['line']}:{some['column']}: error: Questa data non esiste." in done.stdout
    clean = DATA / MAIL_SCHOOL["imports"][0]["file"]
    assert (await custode("import", clean)).exit_code == 0


async def test_the_command_line_keeps_schools(custode: Callable[..., Any], registry: Registry) -> None:
    added = await custode(
        "school",
        "add",
        "fiis00100b",
        "--name",
        "IIS Fiesole",
        "--customer-id",
        "fiesole",
        "--preset",
        "email",
    )
    assert (added.exit_code, added.stdout.strip()) == (0, "FIIS00100B"), added.output
    assert "http://localhost:8080/s/fiesole" in added.stderr
    words = ("school", "add", "FIIS00100B", "--name", "IIS Fiesole", "--customer-id", "fiesole", "--preset")
    head = await registry.store.head()
    assert (await custode(*words, "email")).exit_code == 0
    other = await custode(*words, "paper")
    assert (other.exit_code, other.stdout) == (1, "")
    assert "custode school policy" in other.stderr
    assert await registry.store.head() == head
    taken = await custode(
        "school", "add", "FIIS00200B", "--name", "Altro", "--customer-id", "fiesole", "--preset", "paper"
    )
    assert taken.exit_code == 1
    assert (
        await custode("school", "add", "X", "--name", "Y", "--customer-id", "zz", "--preset", "paper")
    ).exit_code == 2
    shown = await custode("school", "policy", "FIIS00100B")
    assert json.loads(shown.stdout)["guardian"]["channel"] == "email"
    assert (await custode("school", "policy", "FIIS00100B", "--preset", "paper")).exit_code == 2
    adopted = await custode("school", "policy", "FIIS00100B", "--preset", "paper", "--reason", "circolare 3")
    assert adopted.exit_code == 0
    made = await custode("school", "api-key", "FIIS00100B", "registro")
    secret = made.stdout.strip()
    found = await registry.api_keys.find(secret)
    assert found is not None
    assert found.school == "FIIS00100B"
    kept = await registry.runtime.pool.fetchval("select key_hash from private.api_keys")
    assert secret.encode() not in kept
    assert (await custode("school", "api-key", "FIIS00100B", "registro")).exit_code == 1
    assert (await custode("school", "api-key", "FIIS00100B", "registro", "--revoke")).exit_code == 0
    assert await registry.api_keys.find(secret) is None
    assert (await custode("school", "year", "FIIS00100B", "2026/27")).exit_code == 0
    assert await registry.queries.years("FIIS00100B") == ["2026/2027"]
    assert (await custode("school", "quarantine", "--retry", "99")).exit_code == 1


async def test_the_command_line_plans_previews_and_changes_a_policy(
    custode: Callable[..., Any], registry: Registry
) -> None:
    words = ("school", "policy", PAPER_SCHOOL["codice"])
    day = (registry.today + timedelta(days=30)).isoformat()
    head = await registry.store.head()
    preview = await custode(*words, "--preset", "email", "--from", day, "--preview")
    assert preview.exit_code == 0, preview.output
    told = json.loads(preview.stdout)
    assert (told["in_force_from"], told["wrong"]) == (day, [])
    assert any("those already given do not change" in said for said in told["consequences"])
    assert await registry.store.head() == head
    planned = await custode(*words, "--preset", "email", "--from", day, "--reason", "circolare 40")
    assert planned.exit_code == 0, planned.output
    assert json.loads((await custode(*words)).stdout)["guardian"]["channel"] == "slip"
    until = await custode(
        *words, "--staff-password-until", "2100-01-01", "--from", day, "--reason", "circolare 41"
    )
    assert until.exit_code == 0, until.output
    history = json.loads((await custode(*words, "--history")).stdout)
    assert [v["standing"] for v in history["history"]] == ["in_force", "replaced", "planned"]
    (last,) = history["planned"]
    assert last["policy"]["guardian"]["channel"] == "email"
    assert last["policy"]["staff_password_only_until"] == "2100-01-01"
    past = await custode(*words, "--preset", "email", "--from", "2020-01-01", "--reason", "x")
    assert past.exit_code == 1 and "today or later" in past.stderr
    unknown = await custode("school", "policy", "RMIC99999X")
    assert unknown.exit_code == 1 and "not registered" in unknown.stderr


async def test_quarantine_is_listed_by_school(custode: Callable[..., Any], registry: Registry) -> None:
    insert = (
        "insert into events.quarantine (school, message_id, payload, reason) values ($1, $2, $3, 'not JSON')"
    )
    for facts in (PAPER_SCHOOL, MAIL_SCHOOL):
        await registry.runtime.pool.execute(insert, facts["codice"], facts["customer_id"], b"x")
    code = MAIL_SCHOOL["codice"]
    for words in ((code.lower(),), ("--school", code)):
        listed = await custode("school", "quarantine", *words)
        assert listed.exit_code == 0
        assert code in listed.stdout and PAPER_SCHOOL["codice"] not in listed.stdout
    assert len((await custode("school", "quarantine")).stdout.splitlines()) == 2
