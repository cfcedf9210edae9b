"""Projections as row sets: an event becomes rows to put, change or take away (DESIGN 4).

One function serves the commit and the rebuild. What a batch says of one row is folded before it touches the
table, so that a batch costs a few set-wise statements, however many events it has.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.event import Event, Recorded
from shared.database import Connection
from shared.sql import Statements

SQL = Statements(__file__)


@dataclass(frozen=True, slots=True)
class Put:
    """The whole row, new or instead of what stood under its key; columns not named take their defaults."""

    table: str
    row: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Change:
    """Some columns of the rows where the named columns have these values; no row, no effect."""

    table: str
    where: Mapping[str, Any]
    to: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Remove:
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
                shape, columns = _ready(run)
                await connection.execute(self._text(table, shape), *columns)

    async def together(
        self, connection: Connection, events: Sequence[Recorded[Event]], first: int
    ) -> tuple[list[str], list[list[Any]]] | None:
        """The same as data-modifying subqueries of one statement, and their parameters from `$first` on.

        They run beside each other, after the subquery `beforehand` and with its one row. None when the order of
        their rows matters: a row that is not named by its key, beside others of its table.
        """
        subqueries: list[str] = []
        parameters: list[list[Any]] = []
        ready: list[tuple[str, _Shape, list[list[Any]]]] = []
        for table, runs in (await self._runs(connection, events)).items():
            if len(runs) > 1 and not all(_by_key(run, self._columns[table].key) for run in runs):
                return None
            ready += ((table, *_ready(run)) for run in runs)
        for table, shape, columns in sorted(ready, key=lambda one: (one[0], one[1][0].__name__, *one[1][1:])):
            subqueries.append(self._text(table, shape, first + len(parameters), "beforehand, "))
            parameters += columns
        return subqueries, parameters

    async def _runs(
        self, connection: Connection, events: Sequence[Recorded[Event]]
    ) -> dict[str, list[list[Row]]]:
        by_table: dict[str, list[Row]] = {}
        for recorded in events:
            for row in self.project(recorded):
                by_table.setdefault(row.table, []).append(row)
        for table in by_table:
            if table not in self._columns:
                self._columns[table] = await self._describe(connection, table)
        return {table: list(_fold(rows, self._columns[table].key)) for table, rows in by_table.items()}

    async def _describe(self, connection: Connection, table: str) -> _Columns:
        rows = await connection.fetch(SQL("columns"), f"{self.schema}.{table}")
        return _Columns(
            {row["name"]: row["type"] for row in rows}, tuple(row["name"] for row in rows if row["in_key"])
        )

    def _text(self, table: str, shape: "_Shape", first: int = 1, beforehand: str = "") -> str:
        key = (table, shape, first, beforehand)
        text = self._statements.get(key)
        if text is None:
            text = self._statements[key] = self._statement(table, shape, first, beforehand)
        return text

    def _statement(self, table: str, shape: "_Shape", first: int, beforehand: str) -> str:
        kind, where, names = shape
        columns = self._columns[table]
        target = f"{self.schema}.{table}"
        arrays = ", ".join(f"${i}::{columns.types[name]}[]" for i, name in enumerate((*where, *names), first))
        fields = ", ".join([f"where_{n}" for n in where] + list(names))
        source = f"{beforehand}unnest({arrays}) as v ({fields})"
        test = " and ".join(f"t.{n} = v.where_{n}" for n in where)
        if kind is Put:
            rest = [n for n in columns.types if n not in columns.key]
            change = ", ".join(f"{n} = excluded.{n}" for n in rest)
            action = f"update set {change}" if rest else "nothing"
            listed = ", ".join(names)
            return (
                f"insert into {target} ({listed}) select v.* from {source} "  # noqa: S608
                f"on conflict ({', '.join(columns.key)}) do {action}"
            )
        if kind is Change:
            change = ", ".join(f"{n} = v.{n}" for n in names)
            return f"update {target} t set {change} from {source} where {test}"  # noqa: S608
        return f"delete from {target} t using {source} where {test}"  # noqa: S608


_Shape = tuple[type[Row], tuple[str, ...], tuple[str, ...]]
"""What one statement writes: its kind, the columns that name rows, the columns that they get."""


def _ready(run: Sequence[Row]) -> tuple[_Shape, list[list[Any]]]:
    """A run's shape, and its values column by column."""
    match run[0]:
        case Put(_, row):
            names = tuple(row)
            return (Put, (), names), [[r.row[n] for r in run if isinstance(r, Put)] for n in names]
        case Change(_, where, to):
            changes = [r for r in run if isinstance(r, Change)]
            columns = [[r.where[n] for r in changes] for n in where] + [
                [r.to[n] for r in changes] for n in to
            ]
            return (Change, tuple(where), tuple(to)), columns
        case Remove(_, where):
            return (Remove, tuple(where), ()), [
                [r.where[n] for r in run if isinstance(r, Remove)] for n in where
            ]


def _by_key(run: Sequence[Row], key: tuple[str, ...]) -> bool:
    return all(isinstance(row, Put) or set(row.where) == set(key) for row in run)


def _fold(rows: Sequence[Row], key: tuple[str, ...]) -> Iterable[list[Row]]:
    """Runs of rows that one statement can write: at most one say per row, alike in kind and columns.

    A row that is not named by its whole key may touch any other, so it stands alone and in its place.
    """
    said: dict[tuple[Any, ...], Row] = {}
    for row in rows:
        named = row.row if isinstance(row, Put) else row.where
        if not isinstance(row, Put) and set(named) != set(key):
            yield from _runs(said.values())
            said = {}
            yield [row]
            continue
        identity = tuple(named[k] for k in key)
        said[identity] = _merge(said.get(identity), row)
    yield from _runs(said.values())


def _merge(before: Row | None, row: Row) -> Row:
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
        match row:
            case Put(_, values):
                shape: tuple[Any, ...] = ("put", *values)
            case Change(_, _, to):
                shape = ("change", *to)
            case Remove():
                shape = ("remove",)
        runs.setdefault(shape, []).append(row)
    return runs.values()
