"""The CSVs of one OneRoster ZIP: what the manifest says of them, and each as a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from services.registry.imports import oneroster_layout as layout
from services.registry.imports.archive import Archive
from services.registry.imports.cells import Cells
from services.registry.imports.problems import Problems, Refused, shown
from services.registry.imports.table import Layout, Row, Table

DEFAULT_SOURCE: Final = "oneroster"
_VERSIONS: Final = ("1.1", "1.2")
_MODES: Final = frozenset({"bulk", "delta", "absent"})


class OpenTable:
    """A table with its cells' reader. Empty where the file is not in the ZIP."""

    def __init__(self, file: str, table: Table | None, columns: Layout, problems: Problems) -> None:
        self.file: Final = file
        self.cells: Final = Cells(file, problems)
        self.headers: Final = table.headers if table else dict(zip(columns.read, columns.read, strict=True))
        self._table = table

    def __iter__(self) -> Iterator[Row]:
        return iter(self._table or ())


class Tables:
    """Opens the files of a OneRoster ZIP by name. `bulk` is False as soon as people or enrolments are a delta."""

    def __init__(self, archive: Archive, folder: str, problems: Problems) -> None:
        self.rows_read = 0
        self._archive = archive
        self._problems = problems
        self._members: dict[str, str] = {}
        prefix = f"{folder}/" if folder else ""
        for name in archive.names:
            if name.startswith(prefix) and "/" not in name[len(prefix) :]:
                lowered = name[len(prefix) :].lower()
                if lowered in self._members:
                    raise Refused("zip_duplicate", file=name)
                self._members[lowered] = name
        self._modes: dict[str, str] = {}
        properties = self._manifest()
        if folder:
            problems.warning("manifest.csv", None, None, "unzipped_folder", folder=folder)
        self.source: Final = self._source(properties)
        self.bulk: Final = "delta" not in {self._modes.get(name) for name in ("users", "enrollments")}

    def has(self, name: str) -> bool:
        return f"{name.lower()}.csv" in self._members and self._modes.get(name) != "absent"

    @contextmanager
    def open(self, name: str, columns: Layout) -> Iterator[OpenTable]:
        file = f"{name}.csv"
        if not self.has(name):
            yield OpenTable(file, None, columns, self._problems)
            return
        with self._archive.open(self._members[file.lower()]) as member:
            table = Table(file, member, columns, self._problems)
            yield OpenTable(file, table, columns, self._problems)
        self.rows_read += table.rows_read

    def _manifest(self) -> dict[str, str]:
        properties: dict[str, str] = {}
        with self._archive.open(self._members["manifest.csv"]) as member:
            for _, (name, value) in Table("manifest.csv", member, layout.MANIFEST, self._problems):
                properties[name.strip().lower()] = value.strip()
        version = properties.get("oneroster.version", "1.2")
        if not version.startswith(_VERSIONS):
            self._problems.warning("manifest.csv", None, None, "version", version=version)
        for key, value in properties.items():
            if key.startswith("file."):
                self._mode(key.removeprefix("file."), value.lower())
        return properties

    def _mode(self, lowered: str, mode: str) -> None:
        """Takes note of `file.<name>`. Announced and needed but not there: refused."""
        name = next((n for n in _READ if n.lower() == lowered), None)
        if name is None:
            return
        if mode not in _MODES:
            self._problems.warning("manifest.csv", None, "value", "manifest_value", property=f"file.{name}")
            mode = "bulk"
        file = f"{lowered}.csv"
        if mode == "absent" and file in self._members:
            self._problems.warning("manifest.csv", None, "value", "manifest_says_absent", file=f"{name}.csv")
        if mode != "absent" and file not in self._members:
            raise Refused("member_missing", file=f"{name}.csv")
        self._modes[name] = mode

    def _source(self, properties: dict[str, str]) -> str:
        given = properties.get("source.systemcode") or properties.get("source.systemname") or ""
        return shown(" ".join(given.split())) or DEFAULT_SOURCE


_READ: Final = (*layout.REQUIRED_FILES, "roles", "demographics")
