"""The tables of a rebuild, made like the live ones in a schema of their own, and put in their place."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple, Self

import asyncpg

from shared.contracts.event import Event, Recorded
from shared.database import Connection
from shared.eventstore.projection import Project, Projector, Put, Row, Shape, as_json, ready
from shared.sql import Statements

SQL = Statements(__file__)
SCHEMA = "rebuilding"
_NOT_FOR_COPY = (AttributeError, TypeError, ValueError, asyncpg.DataError)
"""What asyncpg says of a value that is of another type than its column."""


class Shadow:
    """They have no index but their key until they are full: `completed` makes the others."""

    def __init__(self, tables: Sequence[str], later: dict[str, list[str]]) -> None:
        self.tables = tables
        self._later = later

    @classmethod
    async def made(cls, connection: Connection) -> Self:
        later: dict[str, list[str]] = {}
        async with connection.transaction():
            tables = [row["table_name"] for row in await connection.fetch(SQL("shadow_tables"))]
            await connection.execute(f"drop schema if exists {SCHEMA} cascade; create schema {SCHEMA}")
            for table in tables:
                like = f'like projections."{table}" including all excluding indexes'
                await connection.execute(f'create table {SCHEMA}."{table}" ({like})')
                rows = await connection.fetch(SQL("indexes"), f'projections."{table}"', SCHEMA)
                for row in rows:
                    if row["is_key"]:
                        await connection.execute(row["definition"])
                later[table] = [row["definition"] for row in rows if not row["is_key"]]
        return cls(tables, later)

    async def completed(self, connection: Connection, table: str | None = None) -> None:
        """All indexes of this table, or of all tables; what is there is not made again. Full, they are analysed."""
        async with connection.transaction():
            for name in self.tables if table is None else [table]:
                for definition in self._later.pop(name, []):
                    await connection.execute(definition)
                if table is None:
                    await connection.execute(f'analyze {SCHEMA}."{name}"')

    async def differences(self, connection: Connection) -> dict[str, int]:
        """Rows that stand in only one of live and rebuilt, by table; counted only where the sums of all rows differ."""
        found = {}
        for table in self.tables:
            live, rebuilt = f'projections."{table}"', f'{SCHEMA}."{table}"'
            if await connection.fetchval(f"select ({sums(live)}) = ({sums(rebuilt)})"):
                continue
            count = await connection.fetchval(
                f"select count(*) from ((table {live} except table {rebuilt}) "  # noqa: S608
                f"union all (table {rebuilt} except table {live})) d"
            )
            if count:
                found[table] = int(count)
        return found

    async def switched(self, connection: Connection, service_role: str) -> None:
        """The live tables go, these come in their place, their indexes under the same names."""
        for table in self.tables:
            await connection.execute(f'drop table projections."{table}"')
            await connection.execute(f'alter table {SCHEMA}."{table}" set schema projections')
            await connection.execute(
                f'grant select, insert, update, delete on projections."{table}" to "{service_role}"'
            )

    async def dropped(self, connection: asyncpg.Connection) -> None:
        await connection.execute(f"drop schema if exists {SCHEMA} cascade")


class Prepared(NamedTuple):
    """What one statement writes to a table. `rows`: values in the order of the shape's columns; JSON for the long way."""

    table: str
    shape: Shape
    rows: list[tuple[Any, ...]] | str


class Filling(Projector):
    """Writes to the shadow: by COPY as long as a table is given nothing but new rows.

    `prepare` needs no connection, so that it can be done elsewhere; `write` is to be called in the order of history.
    A row that is not named by its key is looked for by an index, as in the live table.
    """

    def __init__(self, project: Project, shadow: Shadow) -> None:
        super().__init__(project, SCHEMA)
        self._shadow = shadow
        self._repeating: set[str] = set()

    @property
    def repeating(self) -> frozenset[str]:
        """The tables that `prepare` need not say in rows for COPY any more."""
        return frozenset(self._repeating)

    async def look(self, connection: Connection) -> None:
        """Before anything is prepared: which columns the tables have."""
        for table in self._shadow.tables:
            self._columns[table] = await self._describe(connection, table)

    def prepare(self, events: Iterable[Recorded[Event]], repeating: frozenset[str]) -> list[Prepared]:
        """What these events, one after the other, say."""
        return [
            Prepared(
                table, *(_tuples(run) if isinstance(run[0], Put) and table not in repeating else ready(run))
            )
            for table, runs in self._folded(self._said(events)).items()
            for run in runs
        ]

    async def write(self, connection: Connection, prepared: Prepared) -> None:
        table, shape, rows = prepared
        kind, where, names = shape
        if not isinstance(rows, str):
            if table not in self._repeating and await self._copied(connection, table, rows, names):
                return
            rows = as_json([dict(zip(names, row, strict=True)) for row in rows])
        elif kind is not Put and set(where) != set(self._columns[table].key):
            await self._shadow.completed(connection, table)
        await connection.execute(self._text(table, shape), rows)

    def _which(self, table: str, value: Mapping[str, str]) -> str:
        """Those that say anything new: history repeats itself, and each time costs a version of a row."""
        columns = self._columns[table]
        if value.keys() != columns.types.keys():
            return ""
        stands = ", ".join(f"t.{name}" for name in value)
        key = " and ".join(f"t.{name} = {value[name]}" for name in columns.key)
        # Answered for each row by the index of the key, whatever the planner knows of a table that grows.
        return (
            f"where (select ({stands}) is distinct from ({', '.join(value.values())}) "  # noqa: S608
            f'from {SCHEMA}."{table}" t where {key}) is not false'
        )

    async def _copied(
        self, connection: Connection, table: str, rows: Sequence[tuple[Any, ...]], columns: Sequence[str]
    ) -> bool:
        """False where a row stands already, or a value is one that only JSON can say: from now on the long way."""
        try:
            async with connection.transaction():
                await connection.copy_records_to_table(
                    table, schema_name=SCHEMA, columns=columns, records=rows
                )
        except (asyncpg.UniqueViolationError, *_NOT_FOR_COPY):
            self._repeating.add(table)
            return False
        return True


def sums(table: str) -> str:
    """One row that is the same for the same rows in any order: how many, and two sums over what they are.

    A record's hash is a sum over its columns: hashed once more, or an exchange between two rows would not show.
    """
    hashes = ", ".join(
        f"coalesce(sum(hashint8extended(hash_record_extended(t.*, {seed}), {seed})), 0)" for seed in (1, 2)
    )
    return f"select row(count(*), {hashes}) from {table} t"  # noqa: S608


def _tuples(run: Sequence[Row]) -> tuple[Shape, list[tuple[Any, ...]]]:
    rows = [row.row for row in run if isinstance(row, Put)]
    return (Put, (), tuple(rows[0])), [tuple(row.values()) for row in rows]
