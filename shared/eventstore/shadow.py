"""The tables of a rebuild, made like the live ones in a schema of their own, and put in their place."""

from collections.abc import Mapping, Sequence
from typing import Self

import asyncpg

from shared.database import Connection
from shared.eventstore.projection import Project, Projector, Put, Row
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
        """Rows that stand in only one of live and rebuilt, by table."""
        found = {}
        for table in self.tables:
            live, rebuilt = f'projections."{table}"', f'{SCHEMA}."{table}"'
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


class Filling(Projector):
    """Writes to the shadow: by COPY as long as a table is given nothing but new rows.

    A row that is not named by its key is looked for by an index, as in the live table.
    """

    def __init__(self, project: Project, shadow: Shadow) -> None:
        super().__init__(project, SCHEMA)
        self._shadow = shadow
        self._repeating: set[str] = set()

    async def _write(self, connection: Connection, table: str, run: Sequence[Row]) -> None:
        first = run[0]
        if isinstance(first, Put):
            if table not in self._repeating and await self._copied(connection, table, run, list(first.row)):
                return
        elif set(first.where) != set(self._columns[table].key):
            await self._shadow.completed(connection, table)
        await super()._write(connection, table, run)

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
        self, connection: Connection, table: str, run: Sequence[Row], columns: Sequence[str]
    ) -> bool:
        """False where a row stands already, or a value is one that only JSON can say: from now on the long way."""
        rows = [tuple(row.row.values()) for row in run if isinstance(row, Put)]
        try:
            async with connection.transaction():
                await connection.copy_records_to_table(
                    table, schema_name=SCHEMA, columns=columns, records=rows
                )
        except (asyncpg.UniqueViolationError, *_NOT_FOR_COPY):
            self._repeating.add(table)
            return False
        return True
