"""Every column of every import format takes every hostile string: stored as it is, or refused with row and column."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from services.registry.imports import Problem, Refused, parse_file
from services.registry.imports.secretariat_layout import COLUMNS, GUARDIAN_AT
from services.registry.intake import Options
from services.registry.operations import Registry
from services.registry.report import Report
from tests.hostile.files import YEAR, columns_of, oneroster, secretariat, tables, tag, written, zipped
from tests.hostile.strings import BYTES, HOSTILE, cleaned
from tests.integration.registry_fixtures import SCHOOL, kek_file, registry, registry_settings

__all__ = ["kek_file", "registry", "registry_settings"]
OPTIONS = Options("system:test", only_school=SCHOOL)
STORED_SQL = Path(__file__).with_name("stored.sql").read_text()

# Free text: where it is kept. Every other column has a form of its own, which none of the strings has.
KEPT_AT = {
    "sezione": "section",
    "indirizzo": "curriculum",
    "codice_alunno": "pupil",
    "cognome_alunno": "family_name",
    "nome_alunno": "given_name",
    "codice_genitore": "guardian",
    "cognome_genitore": "guardian_family_name",
    "nome_genitore": "guardian_given_name",
}
"""The secretariat's columns of free text, and where they are kept."""


class Problems:
    """A report's findings by file and line."""

    def __init__(self, report: Report) -> None:
        self.report = report

    def at(self, line: int, file: str | None = None) -> list[tuple[str | None, str, str]]:
        """(column, severity, code) of each finding of a row."""
        return [
            (p.column, p.severity, p.code)
            for p in self.report.problems
            if p.line == line and file in (None, p.file)
        ]


async def stored(registry: Registry) -> list[asyncpg.Record]:
    return await registry.runtime.pool.fetch(STORED_SQL)


def of(rows: list[asyncpg.Record], who: str) -> asyncpg.Record | None:
    return next((row for row in rows if row["pupil"] == who or row["guardian"] == f"{who}-g"), None)


async def test_every_column_of_the_secretariats_file(registry: Registry) -> None:
    found = {}
    for column in COLUMNS:
        file = secretariat(column)
        report = await registry.import_file("a.csv", file.content, OPTIONS)
        assert not report.unreadable, (column, report.problems)
        found[column] = (file, Problems(report))
    rows = await stored(registry)
    wrong = [
        f"{column} <- {name}: {why}"
        for column, (file, problems) in found.items()
        for name, text in HOSTILE.items()
        if (why := _wrong(column, text, problems.at(file.lines[name]), of(rows, tag(column, name))))
    ]
    assert not wrong, "\n".join(wrong)


def _wrong(column: str, text: str, told: list[Any], row: asyncpg.Record | None) -> str | None:
    """What is wrong with what became of one cell; None when it was stored as it is or refused as it should be."""
    errors = [where for where, severity, _ in told if severity == "error"]
    if errors:
        of_guardian = COLUMNS.index(column) >= GUARDIAN_AT
        if errors != [column]:
            return f"refused, but not as of this column: {told}"
        half_done = row is not None and (row["guardian"] is not None or not of_guardian)
        return "refused, and went in all the same" if half_done else None
    if row is None:
        return f"neither stored nor refused: {told}"
    if column in KEPT_AT:
        kept, expected = row[KEPT_AT[column]] or "", cleaned(text)
        if column == "sezione":
            expected = expected.upper()
        if column.startswith("codice_"):  # Excel writes ="007" to keep the zeros
            expected = expected.removeprefix('="').removesuffix('"') if expected.startswith("=") else expected
        return f"stored as {kept!r}" if kept != expected else None
    said = column in [where for where, _, _ in told]
    return (
        "ignored without a word"
        if cleaned(text) and not said and not _has_the_form(column, row, text)
        else None
    )


def _has_the_form(column: str, row: asyncpg.Record, text: str) -> bool:
    """Some strings do have the form that a column wants."""
    kept = {
        "classe": ("grade", int(text) if text.isdecimal() else 0),
        "email_istituzionale_alunno": ("institutional_email", text),
        "email_iscrizione_genitore": ("email", text),
        "telefono_genitore": ("phone", text),
        "lingua_genitore": ("language", text.lower()),
    }
    where, expected = kept.get(column, ("", None))
    return (
        row[where] == expected
        if where
        else column in ("accesso_dati", "giustifica_online") and text == "true"
    )


PASSED_OVER = {"agentSourcedIds", "status", "role", "classType", "type", "sex", "title", "grades"}
"""Columns of OneRoster in which a word that we do not know is another system's business."""
ONEROSTER_KEPT_AT = {
    ("users", "givenName", "pupil"): "given_name",
    ("users", "familyName", "pupil"): "family_name",
    ("users", "givenName", "guardian"): "guardian_given_name",
    ("users", "familyName", "guardian"): "guardian_family_name",
    ("users", "email", "guardian"): "email",
    ("users", "email", "pupil"): "institutional_email",
}


def matrix() -> Iterator[tuple[str, str, str]]:
    for table, layout in tables().items():
        for column in columns_of(layout):
            yield table, column, "pupil"
            if table in ("users", "roles"):
                yield table, column, "guardian"


def test_every_column_of_oneroster() -> None:
    wrong = []
    for table, column, whose in matrix():
        bundle = oneroster(table, column, whose)
        parsed = parse_file("a.zip", bundle.content)
        pupils = {e.pupil.external_id for e in parsed.enrolments}
        told = {(p.file, p.line) for p in parsed.problems}
        if column not in tables()[table].read:
            if parsed.errors or len(pupils) != len(HOSTILE):
                wrong.append(f"{table}.{column} is not read, and yet: {parsed.problems[:2]}")
            continue
        for name in HOSTILE:
            there = tag(f"{table}.{column}.{whose}", name) in pupils
            if not there and not told & bundle.at(name) and column not in PASSED_OVER:
                wrong.append(f"{table}.{column} ({whose}) <- {name}: neither taken nor refused")
    assert not wrong, "\n".join(wrong)


async def test_free_text_of_oneroster(registry: Registry) -> None:
    wrong = []
    for (table, column, whose), where in ONEROSTER_KEPT_AT.items():
        bundle = oneroster(table, column, whose)
        problems = Problems(await registry.import_file("a.zip", bundle.content, OPTIONS))
        rows = {row["pupil"]: row for row in await stored(registry)}
        for name, text in HOSTILE.items():
            row = rows.get(tag(f"{table}.{column}.{whose}", name))
            said = {at for file, line in bundle.at(name) for at, _, _ in problems.at(line, file)}
            kept = row[where] if row is not None else None
            if (kept or "") != cleaned(text) and column not in said:
                wrong.append(f"{table}.{column} ({whose}) <- {name}: kept as {kept!r}, told is {said}")
    assert not wrong, "\n".join(wrong)


async def test_bytes_that_are_no_text(registry: Registry) -> None:
    """Only the row that holds them suffers; Windows-1252 is read as such (IMPORTS)."""
    header, *_ = secretariat("nome_alunno").content.splitlines()
    for name, text in BYTES.items():
        rows = [
            f"{SCHOOL},{YEAR},1,A,,{name}{n},Rossi,".encode() + given + b"," * 17
            for n, given in enumerate((b"Anna", text, b"Bruno"))
        ]
        report = await registry.import_file("a.csv", b"\r\n".join([header, *rows]), OPTIONS)
        kept = {row["pupil"]: row["given_name"] for row in await stored(registry)}
        assert kept[f"{name}0"] == "Anna" and kept[f"{name}2"] == "Bruno"
        if f"{name}1" in kept:
            assert kept[f"{name}1"] == text.decode("cp1252")
        else:
            assert [(p.line, p.severity) for p in report.problems] == [(3, "error")]


@pytest.mark.parametrize("name", BYTES)
def test_bytes_that_are_no_text_in_a_zip(name: str) -> None:
    bundle = oneroster("users", "pronouns", strings={"one letter": "O"})
    files = {f"{file}.csv": told.content.replace(b"Anna", BYTES[name]) for file, told in bundle.files.items()}
    parse_file("a.zip", zipped(files))


def test_every_property_of_the_manifest() -> None:
    """Its values reach every person as the name of the source."""
    bundle = oneroster("users", "pronouns", strings={"one letter": "O"})
    files = {f"{file}.csv": told.content for file, told in bundle.files.items()}
    usual = {
        "manifest.version": "1.0",
        "oneroster.version": "1.2",
        "source.systemName": "S",
        "file.users": "bulk",
    }
    for name, text in HOSTILE.items():
        for changed in (*usual, "source.systemCode", text):
            rows = {key: {"propertyName": key, "value": value} for key, value in usual.items()}
            rows[changed] = {"propertyName": changed, "value": text}
            told = written(["propertyName", "value"], rows).content
            try:
                parsed = parse_file("a.zip", zipped(files, told))
            except Refused:
                continue
            assert parsed.source.isprintable() and 0 < len(parsed.source) <= 64, (changed, name)


def test_every_name_of_a_file_and_every_header() -> None:
    """They come back in the report: legible, and on one line."""
    row = secretariat("nome_alunno").content.split(b"\r\n")[1].decode()
    for name, text in HOSTILE.items():
        header = ",".join([*COLUMNS, '"' + text.replace('"', '""') + '"'])
        content = f"{header}\r\n{row},x\r\n".encode("utf-8", "surrogatepass")
        try:
            problems: Sequence[Problem] = parse_file(text, content).problems
        except Refused as refused:
            problems = [Problem(refused.file or "", None, None, refused.code, "error", refused.params)]
        for problem in problems:
            for said in (problem.file, problem.column or "", problem.text("it"), problem.text("en")):
                assert said.isprintable() and len(said) < 400, (name, said[:200])
