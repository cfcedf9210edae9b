"""OneRoster 1.2 CSV (1.1 too) to facts.

The order of reading keeps little in memory: enrolments in homeroom classes first, then only the people that they and
the guardians' roles name. OneRoster says nothing of custody: those fields stay None.
"""

import datetime as dt
import posixpath
from typing import Final

from services.registry.imports import oneroster_layout as layout
from services.registry.imports.archive import Archive
from services.registry.imports.cells import BadCell
from services.registry.imports.facts import EndingFact, EnrolmentFact, Parsed, Where
from services.registry.imports.oneroster_people import People
from services.registry.imports.oneroster_places import Places
from services.registry.imports.oneroster_tables import Tables
from services.registry.imports.problems import Problems, Refused

_ENDED: Final = "tobedeleted"


def locate(archive: Archive) -> tuple[Archive, str] | None:
    """The archive and folder that hold `manifest.csv`: at the root, one folder down, or in a nested ZIP."""
    folders = {posixpath.dirname(n) for n in archive.names if posixpath.basename(n).lower() == "manifest.csv"}
    if folders:
        return archive, min(folders, key=lambda folder: (folder.count("/") + bool(folder), folder))
    inner = [name for name in archive.names if name.lower().endswith(".zip")]
    if len(inner) == 1:
        return locate(archive.inner(inner[0]))
    return None


def parse(archive: Archive, folder: str, *, source: str | None = None) -> Parsed:
    """Reads a OneRoster archive whose manifest is in `folder`. `source` overrides the manifest's system code."""
    return _OneRoster(archive, folder, source).parsed()


class _OneRoster:
    def __init__(self, archive: Archive, folder: str, source: str | None) -> None:
        self.problems = Problems()
        self.tables = Tables(archive, folder, self.problems)
        self.source = source or self.tables.source
        self.places = Places(self.tables, self.problems)
        self.people = People(self.tables, self.problems, self.source)
        self.endings: list[EndingFact] = []
        self.enrolments: list[EnrolmentFact] = []

    def parsed(self) -> Parsed:
        self._refuse_incomplete()
        self.places.read()
        rows = self._enrolment_rows()
        self.people.read(pupils={row.user for row in rows})
        self._assemble(rows)
        self._end_the_rest()
        return Parsed(
            format="oneroster",
            source=self.source,
            schools=tuple(self.places.schools.values()),
            years=tuple(self.places.years.values()),
            classes=tuple(place.fact for place in self.places.classes.values() if not place.ended),
            enrolments=tuple(self.enrolments),
            endings=tuple(self.endings),
            problems=self.problems.all(),
            bulk=self.tables.bulk,
            rows_read=self.tables.rows_read,
            errors=self.problems.errors,
            warnings=self.problems.warnings,
        )

    def _refuse_incomplete(self) -> None:
        for name in layout.REQUIRED_FILES:
            if self.tables.bulk and not self.tables.has(name):
                raise Refused("member_missing", file=f"{name}.csv")

    def _enrolment_rows(self) -> list["_Enrolment"]:
        """Pupils' rows in homeroom classes; rows of subject classes and of teachers are passed over."""
        rows: list[_Enrolment] = []
        with self.tables.open("enrollments", layout.ENROLLMENTS) as table:
            cells = table.cells
            for cells.line, (_, status, class_id, user_id, role, begin, end) in table:
                klass = class_id.strip()
                if role.strip().lower() != "student" or klass in self.places.other_classes:
                    continue
                ended = status.strip().lower() == _ENDED
                try:
                    if klass not in self.places.classes and (self.tables.bulk or not ended):
                        cells.column = table.headers["classSourcedId"]
                        raise BadCell(
                            "class_out" if klass in self.places.left_out else "class_unknown", id=klass
                        )
                    klass = cells.identifier(class_id, table.headers["classSourcedId"])
                    user = cells.identifier(user_id, table.headers["userSourcedId"])
                    starts = cells.date(begin, table.headers["beginDate"])
                    ends = cells.date(end, table.headers["endDate"])
                    if starts and ends and ends < starts:
                        raise BadCell("dates_reversed")
                except BadCell as bad:
                    cells.error(bad)
                    continue
                rows.append(_Enrolment(user, klass, starts, ends, ended, Where(table.file, cells.line)))
        return rows

    def _assemble(self, rows: list["_Enrolment"]) -> None:
        taken: dict[str, list[_Enrolment]] = {}
        for row in rows:
            place = self.places.classes.get(row.klass)
            pupil = self.people.pupils.get(row.user)
            if place is None or pupil is None:
                self._without_row(row)
                continue
            earlier = taken.setdefault(row.user, [])
            year = place.fact.school_year
            clash = next(
                (
                    e
                    for e in earlier
                    if self.places.classes[e.klass].fact.school_year == year and e.overlaps(row)
                ),
                None,
            )
            if clash:
                if clash.klass == row.klass:
                    self.problems.warning(
                        row.at.file, row.at.line, None, "duplicate_row", line=str(clash.at.line)
                    )
                else:
                    self.problems.error(row.at.file, row.at.line, None, "two_classes")
                continue
            earlier.append(row)
            session = self.places.years[year]
            starts = row.starts if row.starts and row.starts > session.starts else None
            # Products write the year's last day for everyone: that ends nothing.
            ends = row.ends if row.ends and row.ends < place.ends else None
            ended = row.ended or place.ended or row.user in self.people.ended
            self.enrolments.append(
                EnrolmentFact(
                    pupil,
                    place.fact.school,
                    year,
                    row.klass,
                    None,
                    starts,
                    ends,
                    None,
                    self.people.guardians_of(row.user),
                    ended or ends is not None,
                    row.at,
                )
            )

    def _without_row(self, row: "_Enrolment") -> None:
        """An enrolment whose pupil or class is not a fact of this file: an ending by ids, or a finding."""
        if row.ended:
            self.endings.append(
                EndingFact("enrolment", self.source, row.user, row.klass or None, row.ends, row.at)
            )
            return
        if row.user in self.people.ended:
            return  # said once, of the person
        code = "pupil_out" if row.user in self.people.left_out else "user_unknown"
        self.problems.error(row.at.file, row.at.line, "userSourcedId", code, id=row.user)

    def _end_the_rest(self) -> None:
        """Deleted people and classes of which no enrolment of this file speaks."""
        spoken = {e.pupil.external_id for e in self.enrolments}
        for user, at in self.people.ended.items():
            if user not in spoken:
                self.endings.append(EndingFact("person", self.source, user, None, None, at))
        for klass, at in self.places.ended_classes.items():
            self.endings.append(EndingFact("class", self.source, klass, klass, None, at))


class _Enrolment:
    """A row of enrollments.csv that concerns a pupil and a homeroom class."""

    __slots__ = ("at", "ended", "ends", "klass", "starts", "user")

    def __init__(
        self, user: str, klass: str, starts: dt.date | None, ends: dt.date | None, ended: bool, at: Where
    ) -> None:
        self.user = user
        self.klass = klass
        self.starts = starts
        self.ends = ends
        self.ended = ended
        self.at = at

    def overlaps(self, other: "_Enrolment") -> bool:
        """Whether both hold at one time. Ended rows clash with nothing: they make room for the next class."""
        if self.ended or other.ended:
            return False
        first, second = sorted((self, other), key=lambda e: e.starts or dt.date.min)
        return first.ends is None or second.starts is None or second.starts < first.ends
