"""Projections as row sets: an event becomes rows to put, change or take away (DESIGN 4).

One function serves the commit and the rebuild. What a batch says of one row is folded before it touches the
table, so that a batch costs a few set-wise statements, however many events it has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import Any, NamedTuple

import orjson

from shared.contracts.event import Event, Recorded
from shared.database import Connection
from shared.sql import Statements

SQL = Statements(__file__)


class Put(NamedTuple):
    """The whole row, new or instead of what stood under its key; columns not named take their defaults."""

    table: str
    row: Mapping[str, Any]


class Change(NamedTuple):
    """Some columns of the rows where the named columns have these values; no row, no effect."""

    table: str
    where: Mapping[str, Any]
    to: Mapping[str, Any]


class Remove(NamedTuple):
    table: str
    where: Mapping[str, Any]


Row = Put | Change | Remove
Project = Callable[[Recorded[Event]], Iterable[Row]]


@dataclass(frozen=True, slots=True)
class _Columns:
    types: dict[str, str]
    key: tuple[str, ...]


@dataclass(slots=True)
class Projector:
    """Applies row sets to the tables of the schema `projections` (or a shadow schema, in a rebuild)."""

    project: Project
    schema: str = "projections"
    _columns: dict[str, _Columns] = field(default_factory=dict)
    _statements: dict[tuple[Any, ...], str] = field(default_factory=dict)

    async def apply(self, connection: Connection, events: Sequence[Recorded[Event]]) -> None:
        for table, runs in (await self._runs(connection, events)).items():
            for run in runs:
                shape, rows = ready(run)
                await connection.execute(self._text(table, shape), rows)

    async def together(
        self, connection: Connection, events: Sequence[Recorded[Event]], first: int
    ) -> tuple[list[str], list[str]] | None:
        """The same as data-modifying subqueries of one statement, and their parameters from `$first` on.

        They run beside each other, after the subquery `beforehand` and with its one row. None when the order of
        their rows matters: a row that is not named by its key, beside others of its table.
        """
        subqueries: list[str] = []
        parameters: list[str] = []
        prepared: list[tuple[str, Shape, str]] = []
        for table, runs in (await self._runs(connection, events)).items():
            if len(runs) > 1 and not all(_by_key(run, self._columns[table].key) for run in runs):
                return None
            prepared += ((table, *ready(run)) for run in runs)
        for table, shape, rows in sorted(prepared, key=lambda one: (one[0], one[1][0].__name__, *one[1][1:])):
            subqueries.append(self._text(table, shape, first + len(parameters), "beforehand, "))
            parameters.append(rows)
        return subqueries, parameters

    async def _runs(
        self, connection: Connection, events: Sequence[Recorded[Event]]
    ) -> dict[str, list[list[Row]]]:
        by_table = self._said(events)
        for table in by_table:
            if table not in self._columns:
                self._columns[table] = await self._describe(connection, table)
        return self._folded(by_table)

    def _said(self, events: Iterable[Recorded[Event]]) -> dict[str, list[Row]]:
        """What these events say, by table."""
        by_table: dict[str, list[Row]] = {}
        for recorded in events:
            for row in self.project(recorded):
                by_table.setdefault(row.table, []).append(row)
        return by_table

    def _folded(self, by_table: Mapping[str, Sequence[Row]]) -> dict[str, list[list[Row]]]:
        return {table: list(_fold(rows, self._columns[table].key)) for table, rows in by_table.items()}

    async def _describe(self, connection: Connection, table: str) -> _Columns:
        rows = await connection.fetch(SQL("columns"), f"{self.schema}.{table}")
        return _Columns(
            {row["name"]: row["type"] for row in rows}, tuple(row["name"] for row in rows if row["in_key"])
        )

    def _text(self, table: str, shape: "Shape", first: int = 1, beforehand: str = "") -> str:
        key = (table, shape, first, beforehand)
        text = self._statements.get(key)
        if text is None:
            text = self._statements[key] = self._statement(table, shape, first, beforehand)
        return text

    def _statement(self, table: str, shape: "Shape", first: int, beforehand: str) -> str:
        kind, where, names = shape
        columns = self._columns[table]
        target = f"{self.schema}.{table}"
        read_as = {f"where_{n}": columns.types[n] for n in where} | {n: columns.types[n] for n in names}
        fields = ", ".join(f"{n} {_READ_AS.get(t, t)}" for n, t in read_as.items())
        value = {n: f"v.{n}::{t}" if t in _READ_AS else f"v.{n}" for n, t in read_as.items()}
        source = f"{beforehand}json_to_recordset(${first}) as v ({fields})"
        test = " and ".join(f"t.{n} = {value[f'where_{n}']}" for n in where)
        if kind is Put:
            rest = [n for n in columns.types if n not in columns.key]
            change = ", ".join(f"{n} = excluded.{n}" for n in rest)
            action = f"update set {change}" if rest else "nothing"
            listed, values = ", ".join(names), ", ".join(value[n] for n in names)
            return (
                f"insert into {target} ({listed}) select {values} from {source} "  # noqa: S608
                f"{self._which(table, value)} on conflict ({', '.join(columns.key)}) do {action}"
            )
        if kind is Change:
            change = ", ".join(f"{n} = {value[n]}" for n in names)
            return f"update {target} t set {change} from {source} where {test}"  # noqa: S608
        return f"delete from {target} t using {source} where {test}"  # noqa: S608

    def _which(self, table: str, value: Mapping[str, str]) -> str:
        """Which of the rows to put: all of them. `value`: by column, what it is to be."""
        return ""


Shape = tuple[type[Row], tuple[str, ...], tuple[str, ...]]
"""What one statement writes: its kind, the columns that name rows, the columns that they get."""


_READ_AS = {"jsonb": "text", "json": "text"}
"""A row says such a value as text."""


def as_json(content: Any) -> str:
    """A parameter for PostgreSQL's JSON functions: asyncpg takes far longer over arrays."""
    return orjson.dumps(content, default=_as_text).decode()


def _as_text(value: Any) -> str:
    return f"\\x{value.hex()}" if isinstance(value, bytes) else str(value)


def ready(run: Sequence[Row]) -> tuple[Shape, str]:
    """A run's shape, and its rows."""
    match run[0]:
        case Put(_, row):
            return (Put, (), tuple(row)), as_json([r.row for r in run if isinstance(r, Put)])
        case Change(_, where, to):
            changes = [{**_named(r.where), **r.to} for r in run if isinstance(r, Change)]
            return (Change, tuple(where), tuple(to)), as_json(changes)
        case Remove(_, where):
            removed = [_named(r.where) for r in run if isinstance(r, Remove)]
            return (Remove, tuple(where), ()), as_json(removed)


def _named(where: Mapping[str, Any]) -> dict[str, Any]:
    return {f"where_{name}": value for name, value in where.items()}


def _by_key(run: Sequence[Row], key: tuple[str, ...]) -> bool:
    return all(isinstance(row, Put) or set(row.where) == set(key) for row in run)


def _fold(rows: Sequence[Row], key: tuple[str, ...]) -> Iterable[list[Row]]:
    """Runs of rows that one statement can write: at most one say per row, alike in kind and columns.

    A row that is not named by its whole key may touch any other, so it stands alone and in its place.
    """
    said: dict[Any, Row] = {}
    key_of, whole_key = itemgetter(*key), set(key)
    for row in rows:
        if isinstance(row, Put):
            identity = key_of(row.row)
        elif row.where.keys() == whole_key:
            identity = key_of(row.where)
        else:
            yield from _runs(said.values())
            said = {}
            yield [row]
            continue
        before = said.get(identity)
        said[identity] = row if before is None else _merge(before, row)
    yield from _runs(said.values())


def _merge(before: Row, row: Row) -> Row:
    if isinstance(row, Change):
        if isinstance(before, Put):
            return Put(row.table, {**before.row, **row.to})
        if isinstance(before, Change):
            return Change(row.table, row.where, {**before.to, **row.to})
        if isinstance(before, Remove):
            return before
    return row


def _runs(rows: Iterable[Row]) -> Iterable[list[Row]]:
    runs: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        columns = row.row if isinstance(row, Put) else row.to if isinstance(row, Change) else ()
        runs.setdefault((type(row), *columns), []).append(row)
    return runs.values()
