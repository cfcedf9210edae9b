"""Pupils and guardians of a OneRoster ZIP: users, their roles, their birth dates, and who belongs to whom."""

import datetime as dt
import re
from typing import Final, NamedTuple

from services.registry.codes import sex_in
from services.registry.imports import oneroster_layout as layout
from services.registry.imports.cells import BadCell, Cells
from services.registry.imports.facts import GuardianFact, PupilFact, Where
from services.registry.imports.oneroster_tables import Tables
from services.registry.imports.people import read_codice_fiscale
from services.registry.imports.problems import Problems
from shared.contracts.registry import Relationship

_ENDED: Final = "tobedeleted"
_USUAL: Final = "{CF:"
_CF: Final = re.compile(r"\{\s*(?:CF|codice[ _]?fiscale)\s*:\s*([^}]*)\}", re.IGNORECASE)
_LIST: Final = re.compile(r"[,;|\s]+")


class _Columns(NamedTuple):
    """The headers as the file writes them."""

    sourcedId: str
    userIds: str
    givenName: str
    familyName: str
    email: str
    sms: str
    phone: str


class People:
    """Filled by `read`. Keys are sourcedIds. `ended` holds the users that a delta deletes."""

    def __init__(self, tables: Tables, problems: Problems, source: str) -> None:
        self.pupils: dict[str, PupilFact] = {}
        self.ended: dict[str, Where] = {}
        self.left_out: set[str] = set()
        self._tables = tables
        self._problems = problems
        self._source = source
        self._guardians: dict[str, GuardianFact] = {}
        self._roles: dict[str, str] = {}
        self._births: dict[str, dt.date] = {}
        self._sexes: dict[str, str] = {}
        self._known: set[str] = set()
        self._fiscal: dict[str, int] = {}
        self._agents: dict[str, tuple[int, list[str]]] = {}
        self._wards: dict[str, list[str]] = {}
        self._linked: set[str] = set()

    def read(self, pupils: set[str]) -> None:
        """Reads the users that are in `pupils` or have a guardian's role."""
        role_lines = self._read_roles()
        self._read_demographics(pupils)
        self._read_users(pupils)
        if not self._tables.bulk:
            return
        for user, line in role_lines.items():
            if user not in self._known:
                self._problems.warning("roles.csv", line, "userSourcedId", "role_of_nobody")
        for user in self.pupils:
            self._check_agents(user)
        wards = {agent for agents in self._wards.values() for agent in agents}
        alone = sum(1 for g in self._guardians if g not in self._linked and g not in wards)
        if alone:
            self._problems.warning("users.csv", None, None, "guardian_without_pupil", count=str(alone))

    def guardians_of(self, user: str) -> tuple[GuardianFact, ...]:
        """The guardians that the pupil's row names, then those whose rows name the pupil; each once."""
        _, named = self._agents.get(user, (0, []))
        links = dict.fromkeys([*named, *self._wards.get(user, ())])
        own = self.pupils[user].codice_fiscale
        found: list[GuardianFact] = []
        for link in links:
            guardian = self._guardians.get(link)
            if guardian is None or link in self.ended:
                continue
            if own is not None and guardian.codice_fiscale == own:
                self._problems.warning("users.csv", self._agents[user][0], "userIds", "fiscale_of_pupil")
                guardian = guardian._replace(codice_fiscale=None)
            found.append(guardian)
        return tuple(found)

    def _read_roles(self) -> dict[str, int]:
        """Guardians' roles by user (`parent` before others); returns the line of each user's first role."""
        lines: dict[str, int] = {}
        with self._tables.open("roles", layout.ROLES) as table:
            for line, (sid, status, name) in table:
                user, role = sid.strip(), name.strip().lower()
                lines.setdefault(user, line)
                if role in layout.GUARDIAN_ROLES and not (status and status.strip().lower() == _ENDED):
                    self._roles[user] = "parent" if self._roles.get(user) == "parent" else role
        return lines

    def _read_demographics(self, pupils: set[str]) -> None:
        with self._tables.open("demographics", layout.DEMOGRAPHICS) as table:
            cells = table.cells
            column = table.headers["birthDate"]
            for cells.line, (sid, _, birth, sex) in table:
                user = sid.strip()
                if user not in pupils:
                    self._sexes[user] = sex.strip().lower()
                    continue
                try:
                    born = cells.date(birth, column)
                except BadCell as bad:
                    cells.error(bad)
                    self.left_out.add(user)
                    continue
                if born:
                    self._births[user] = born

    def _read_users(self, pupils: set[str]) -> None:
        with self._tables.open("users", layout.USERS) as table:
            cells = table.cells
            columns = _Columns(*(table.headers[name] for name in _Columns._fields))
            known, roles = self._known, self._roles
            for cells.line, row in table:
                sid, status, role = row[0].strip(), row[1], row[9]
                if sid in known:
                    self._problems.warning(table.file, cells.line, columns.sourcedId, "id_twice")
                    continue
                known.add(sid)
                if role and (role := role.strip().lower()) in layout.GUARDIAN_ROLES:
                    roles.setdefault(sid, role)
                try:
                    if status and status.strip().lower() == _ENDED:
                        self.ended[cells.identifier(sid, columns.sourcedId)] = Where(table.file, cells.line)
                    if sid in pupils:
                        if sid not in self.left_out:
                            self._pupil(cells, columns, row)
                    elif sid in roles:
                        self._guardian(cells, columns, row)
                except BadCell as bad:
                    self.left_out.add(sid)
                    if sid not in self.ended:  # a deletion often gives nothing but the id
                        cells.error(bad)

    def _pupil(self, cells: Cells, columns: "_Columns", row: tuple[str, ...]) -> None:
        sid, _, user_ids, given, family, email, _, _, agents, _ = row
        sid = cells.identifier(sid, columns.sourcedId)
        born = self._births.get(sid)
        fiscal = _codice_fiscale(cells, user_ids, columns.userIds, born)
        if fiscal and (other := self._fiscal.setdefault(fiscal, cells.line)) != cells.line:
            cells.column = columns.userIds
            raise BadCell("same_codice_fiscale", line=str(other))
        self.pupils[sid] = PupilFact(
            self._source,
            sid,
            cells.name(family, columns.familyName),
            cells.name(given, columns.givenName),
            born,
            fiscal,
            cells.soft(cells.email, email, columns.email) if email else None,
        )
        self._agents[sid] = (cells.line, [a for a in _LIST.split(agents) if a] if agents else [])

    def _guardian(self, cells: Cells, columns: "_Columns", row: tuple[str, ...]) -> None:
        sid, _, user_ids, given, family, email, sms, phone, wards, _ = row
        sid = cells.identifier(sid, columns.sourcedId)
        fiscale = _codice_fiscale(cells, user_ids, columns.userIds, None)
        self._guardians[sid] = GuardianFact(
            self._source,
            sid,
            cells.name(family, columns.familyName),
            cells.name(given, columns.givenName),
            fiscale,
            self._relationship(sid, fiscale),
            cells.soft(cells.email, email, columns.email) if email else None,
            cells.soft(cells.phone, sms or phone, columns.sms if sms else columns.phone),
        )
        if wards:
            for ward in _LIST.split(wards):
                self._wards.setdefault(ward, []).append(sid)

    def _relationship(self, user: str, fiscale: str | None) -> Relationship:
        """OneRoster knows parents, not mothers and fathers: sex comes from demographics or the codice fiscale."""
        role = self._roles[user]
        if role == "guardian":
            return Relationship.legal_guardian
        sex = self._sexes.get(user) or (sex_in(fiscale) if fiscale else "")
        if role == "parent" and sex in {"female", "male"}:
            return Relationship.mother if sex == "female" else Relationship.father
        return Relationship.other

    def _check_agents(self, user: str) -> None:
        line, agents = self._agents[user]
        for agent in agents:
            if agent in self._guardians:
                self._linked.add(agent)
            elif agent not in self._known:
                self._problems.warning("users.csv", line, "agentSourcedIds", "agent_unknown", id=agent)
            elif agent not in self.left_out:
                self._problems.warning("users.csv", line, "agentSourcedIds", "agent_not_guardian", id=agent)


def _codice_fiscale(cells: Cells, user_ids: str, column: str, born: dt.date | None) -> str | None:
    if not user_ids:
        return None
    if user_ids.startswith(_USUAL) and (end := user_ids.find("}")) > 0:
        return read_codice_fiscale(cells, user_ids[len(_USUAL) : end], column, born)
    match = _CF.search(user_ids)
    return read_codice_fiscale(cells, match[1], column, born) if match else None
