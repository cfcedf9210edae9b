"""Import files in which one column holds one hostile string after another, everything else being in order."""

import csv
import io
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from services.registry.imports import oneroster_layout
from services.registry.imports.secretariat_layout import COLUMNS
from services.registry.imports.table import Layout
from tests.hostile.strings import HOSTILE
from tests.integration.registry_fixtures import SCHOOL

YEAR = "2026/2027"
NAMES = tuple(HOSTILE)


@dataclass
class Written:
    """A CSV file as bytes, and the line at which each of its records starts, by what we call the record."""

    content: bytes = b""
    lines: dict[str, int] = field(default_factory=dict)


def written(header: Sequence[str], records: Mapping[str, Mapping[str, str]]) -> Written:
    """`records` by name; cells that are not given are empty. Quoted where CSV wants it (RFC 4180)."""
    out, file, line = io.StringIO(newline=""), Written(), 1
    writer = csv.writer(out)
    for name, record in {"": dict(zip(header, header, strict=True)), **records}.items():
        file.lines[name] = line
        start = out.tell()
        writer.writerow([record.get(column, "") for column in header])
        out.seek(start)
        line += out.read().count("\n")
    file.content = out.getvalue().encode("utf-8", "surrogatepass")
    return file


def tag(column: str, name: str) -> str:
    """The id of the pupil in whose row the string called `name` stands; of the guardian, with `-g`."""
    return f"{column}:{NAMES.index(name)}"


def secretariat(column: str) -> Written:
    """A pupil with a mother for each string."""
    records = {}
    for name, text in HOSTILE.items():
        usual = {
            "codice_meccanografico": SCHOOL,
            "anno_scolastico": YEAR,
            "classe": "1",
            "sezione": "A",
            "codice_alunno": tag(column, name),
            "cognome_alunno": "Rossi",
            "nome_alunno": "Anna",
            "codice_genitore": f"{tag(column, name)}-g",
            "cognome_genitore": "Rossi",
            "nome_genitore": "Carla",
            "ruolo_genitore": "MADRE",
        }
        records[name] = usual | {column: text}
    return written(COLUMNS, records)


@dataclass
class Bundle:
    """A OneRoster ZIP and its files as written."""

    content: bytes
    files: dict[str, Written]

    def at(self, name: str) -> set[tuple[str, int]]:
        """Every (file, line) at which a record of the pupil called `name` starts."""
        return {
            (f"{file}.csv", told.lines[key])
            for file, told in self.files.items()
            for key in (name, f"{name}-g")
            if key in told.lines
        }


def tables() -> dict[str, Layout]:
    """The tables of a ZIP in which a pupil has rows of their own."""
    return {
        "classes": oneroster_layout.CLASSES,
        "users": oneroster_layout.USERS,
        "roles": oneroster_layout.ROLES,
        "enrollments": oneroster_layout.ENROLLMENTS,
        "demographics": oneroster_layout.DEMOGRAPHICS,
        "orgs": oneroster_layout.ORGS,
        "academicSessions": oneroster_layout.SESSIONS,
    }


def columns_of(layout: Layout) -> list[str]:
    misspelt = set(layout.aliases)
    return sorted(
        {*layout.read, *layout.known, *layout.never} - misspelt - {"dataLastModified", "prefferedGivenName"}
    )


def oneroster(table: str, column: str, of: str = "pupil", strings: Mapping[str, str] = HOSTILE) -> Bundle:
    """A class with a pupil and a mother for each string; `of` tells whose row of `users` and `roles` is hostile."""
    records: dict[str, dict[str, dict[str, str]]] = {name: {} for name in tables()}
    records["orgs"]["school"] = {"sourcedId": "S", "name": "Scuola", "type": "school", "identifier": SCHOOL}
    year = {"startDate": "2026-09-01", "endDate": "2027-08-31", "schoolYear": "2027", "type": "schoolYear"}
    records["academicSessions"]["year"] = {"sourcedId": "Y", "title": "Anno", **year}
    for name, text in strings.items():
        for file, key, record in _records(tag(f"{table}.{column}.{of}", name), name):
            changed = file == table and key == (f"{name}-g" if of == "guardian" else name)
            records[file][key] = record | ({column: text} if changed else {})
        if table == "orgs":
            usual = records["orgs"]["school"] | {"sourcedId": f"S{NAMES.index(name)}"}
            records["orgs"][name] = usual | {column: text}
        elif table == "academicSessions":
            usual = {"sourcedId": f"Y{NAMES.index(name)}", "parentSourcedId": "Y", **year, "type": "term"}
            records["academicSessions"][name] = usual | {column: text}
    files = {name: written(columns_of(layout), records[name]) for name, layout in tables().items()}
    return Bundle(zipped({f"{name}.csv": file.content for name, file in files.items()}), files)


def _records(who: str, name: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    number = NAMES.index(name)
    title = f"1{chr(65 + number // 26)}{chr(65 + number % 26)}"
    yield (
        "classes",
        name,
        {
            "sourcedId": f"{who}-c",
            "title": title,
            "classType": "homeroom",
            "schoolSourcedId": "S",
            "termSourcedIds": "Y",
        },
    )
    mother = f"{who}-g"
    yield (
        "users",
        name,
        {
            "sourcedId": who,
            "givenName": "Anna",
            "familyName": "Rossi",
            "agentSourcedIds": mother,
        },
    )
    yield "users", f"{name}-g", {"sourcedId": mother, "givenName": "Carla", "familyName": "Rossi"}
    yield "roles", name, {"userSourcedId": who, "role": "student"}
    yield "roles", f"{name}-g", {"userSourcedId": mother, "role": "parent"}
    yield (
        "enrollments",
        name,
        {
            "sourcedId": f"{who}-e",
            "classSourcedId": f"{who}-c",
            "userSourcedId": who,
            "role": "student",
        },
    )
    yield "demographics", name, {"sourcedId": who, "birthDate": "2014-02-03"}


def zipped(files: Mapping[str, bytes], manifest: bytes | None = None) -> bytes:
    properties = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    properties |= {f"file.{name.removesuffix('.csv')}": "bulk" for name in files}
    lines = "".join(f"{name},{value}\r\n" for name, value in properties.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.csv", manifest or f"propertyName,value\r\n{lines}".encode())
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
