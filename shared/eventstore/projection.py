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
        by_table: dict[str, list[Row]] = {}
        for recorded in events:
            for row in self.project(recorded):
                by_table.setdefault(row.table, []).append(row)
        for table, rows in by_table.items():
            if table not in self._columns:
                self._columns[table] = await self._describe(connection, table)
            for run in _fold(rows, self._columns[table].key):
                await self._write(connection, table, run)

    async def _describe(self, connection: Connection, table: str) -> _Columns:
        rows = await connection.fetch(SQL("columns"), f"{self.schema}.{table}")
        return _Columns(
            {row["name"]: row["type"] for row in rows}, tuple(row["name"] for row in rows if row["in_key"])
        )

    async def _write(self, connection: Connection, table: str, run: Sequence[Row]) -> None:
        first = run[0]
        names: tuple[str, ...]
        where: tuple[str, ...]
        records: list[Mapping[str, Any]]
        match first:
            case Put(_, row):
                names, where = tuple(row), ()
                records = [r.row for r in run if isinstance(r, Put)]
            case Change(_, of, to):
                names, where = tuple(to), tuple(of)
                records = [
                    {**{f"where_{n}": v for n, v in r.where.items()}, **r.to}
                    for r in run
                    if isinstance(r, Change)
                ]
            case Remove(_, of):
                names, where = (), tuple(of)
                records = [
                    {f"where_{n}": v for n, v in r.where.items()} for r in run if isinstance(r, Remove)
                ]
        shape = (type(first), table, names, where)
        statement = self._statements.get(shape)
        if statement is None:
            statement = self._statements[shape] = self._statement(first, table, names, where)
        fields = [f"where_{n}" for n in where] + list(names)
        columns = [[record[name] for record in records] for name in fields]
        await connection.execute(statement, *columns)

    def _statement(self, kind: Row, table: str, names: Sequence[str], where: Sequence[str]) -> str:
        columns = self._columns[table]
        target = f"{self.schema}.{table}"
        typed = [*where, *names]
        arrays = ", ".join(f"${i}::{columns.types[name]}[]" for i, name in enumerate(typed, 1))
        fields = ", ".join([f"where_{n}" for n in where] + list(names))
        match kind:
            case Put():
                rest = [n for n in columns.types if n not in columns.key]
                change = ", ".join(f"{n} = excluded.{n}" for n in rest)
                action = f"update set {change}" if rest else "nothing"
                listed = ", ".join(names)
                return (
                    f"insert into {target} ({listed}) select * from unnest({arrays}) "  # noqa: S608
                    f"on conflict ({', '.join(columns.key)}) do {action}"
                )
            case Change():
                change = ", ".join(f"{n} = v.{n}" for n in names)
                test = " and ".join(f"t.{n} = v.where_{n}" for n in where)
                return f"update {target} t set {change} from unnest({arrays}) as v ({fields}) where {test}"  # noqa: S608
            case Remove():
                test = " and ".join(f"t.{n} = v.where_{n}" for n in where)
                return f"delete from {target} t using unnest({arrays}) as v ({fields}) where {test}"  # noqa: S608


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
