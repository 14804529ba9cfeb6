"""PostgreSQL: a pool, statements compiled once to asyncpg's SQL, and the migrations."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

import asyncpg
from sqlalchemy import ClauseElement
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler

from deskwire.errors import SetupError

COMMAND_SECONDS = 30
DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]  # SQLAlchemy leaves its dialects untyped


@dataclass(frozen=True, slots=True, eq=False)
class Statement:
    """SQL with ``$n`` placeholders, and which value goes where."""

    sql: str
    names: tuple[str, ...]
    defaults: dict[str, Any]

    def arguments(self, values: dict[str, Any]) -> list[Any]:
        if self.defaults:
            values = self.defaults | values
        return [values[name] for name in self.names]


def compiled(clause: ClauseElement) -> Statement:
    """A Core statement or ``text()`` as asyncpg runs it. Call it once, for a module constant."""
    result = clause.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
    if not isinstance(result, SQLCompiler):
        raise TypeError("only statements can be compiled")
    defaults = {name: value for name, value in result.params.items() if value is not None}
    return Statement(str(result), tuple(result.positiontup or ()), defaults)


@dataclass(frozen=True, slots=True)
class _Asked:
    """One of those who ask by the same statement."""

    order: int
    values: tuple[Any, ...]
    row: "asyncio.Future[asyncpg.Record | None]"


class SharedConnection:
    """A connection that several tasks use. What they ask goes one after the other; a row that
    several ask for by one statement in one go, which saves them a round trip each. Then each must
    have its row, else there is a `LookupError` for all. The tasks are to be cancelled together.
    """

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._connection = connection
        self._turn = asyncio.Lock()
        self._asked: dict[str, list[_Asked]] = {}

    def is_closed(self) -> bool:
        return self._connection.is_closed()

    async def fetch(self, sql: str, *values: Any) -> list[asyncpg.Record]:
        async with self._turn:
            return await self._connection.fetch(sql, *values)

    async def fetchval(self, sql: str, *values: Any) -> Any:
        async with self._turn:
            return await self._connection.fetchval(sql, *values)

    async def execute(self, sql: str, *values: Any) -> str:
        async with self._turn:
            return await self._connection.execute(sql, *values)

    async def fetchrow(self, sql: str, *values: Any, order: int = 0) -> asyncpg.Record | None:
        mine = _Asked(order, values, asyncio.get_running_loop().create_future())
        asked = self._asked.setdefault(sql, [])
        asked.append(mine)
        if asked[0] is mine:
            await self._answer(sql, asked)
        return await mine.row

    async def _answer(self, sql: str, asked: list[_Asked]) -> None:
        """For all who ask until it is their turn."""
        try:
            await asyncio.sleep(0)  # all who are about to ask do so
            async with self._turn:
                del self._asked[sql]
                asked.sort(key=attrgetter("order"))
                rows = await self._rows(sql, [each.values for each in asked])
        except Exception as error:
            for each in asked:
                each.row.set_exception(error)
        else:
            for each, row in zip(asked, rows, strict=True):
                each.row.set_result(row)

    async def _rows(
        self, sql: str, asked: list[tuple[Any, ...]]
    ) -> Sequence[asyncpg.Record | None]:
        if len(asked) == 1:
            return [await self._connection.fetchrow(sql, *asked[0])]
        rows = await self._connection.fetchmany(sql, asked)
        if len(rows) != len(asked):
            raise LookupError(f"{len(rows)} rows for {len(asked)} who asked by {sql}")
        return rows


class Session:
    """One connection, running compiled statements."""

    def __init__(self, connection: "asyncpg.pool.PoolConnectionProxy[asyncpg.Record]") -> None:
        self._own = connection
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self.connection: asyncpg.pool.PoolConnectionProxy[asyncpg.Record] | SharedConnection
        self.connection = connection

    @contextmanager
    def shared(self) -> Iterator[None]:
        """Meanwhile several tasks may use it at once."""
        self.connection = SharedConnection(self._own)
        try:
            yield
        finally:
            self.connection = self._own

    def alone(self, what: str) -> asyncio.Lock:
        """To be held by one of the tasks that use it at once, while it changes this."""
        return self._locks[what]

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        return await self.connection.fetch(statement.sql, *statement.arguments(values))

    async def fetch_one(
        self, statement: Statement, *, order: int = 0, **values: Any
    ) -> asyncpg.Record | None:
        """Of what several ask for in one go the lowest ``order`` comes first: by the row that is
        locked, so that two transactions do not wait for each other."""
        arguments = statement.arguments(values)
        if isinstance(self.connection, SharedConnection):
            return await self.connection.fetchrow(statement.sql, *arguments, order=order)
        return await self.connection.fetchrow(statement.sql, *arguments)

    async def fetch_row(self, statement: Statement, **values: Any) -> asyncpg.Record:
        """The one row that the statement always has."""
        row = await self.fetch_one(statement, **values)
        if row is None:
            raise LookupError(f"no row from {statement.sql}")
        return row

    async def fetch_value(self, statement: Statement, **values: Any) -> Any:
        return await self.connection.fetchval(statement.sql, *statement.arguments(values))

    async def execute(self, statement: Statement, **values: Any) -> None:
        await self.connection.execute(statement.sql, *statement.arguments(values))


class Database:
    """A pool of connections to one service's database."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool

    @asynccontextmanager
    async def session(self) -> AsyncIterator[Session]:
        """A connection outside of any transaction: for single statements."""
        async with self.pool.acquire() as connection:
            yield Session(connection)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Session]:
        async with self.pool.acquire() as connection, connection.transaction():
            yield Session(connection)

    async def fetch(self, statement: Statement, **values: Any) -> list[asyncpg.Record]:
        return await self.pool.fetch(statement.sql, *statement.arguments(values))

    async def fetch_one(self, statement: Statement, **values: Any) -> asyncpg.Record | None:
        return await self.pool.fetchrow(statement.sql, *statement.arguments(values))

    async def fetch_value(self, statement: Statement, **values: Any) -> Any:
        return await self.pool.fetchval(statement.sql, *statement.arguments(values))

    async def execute(self, statement: Statement, **values: Any) -> None:
        await self.pool.execute(statement.sql, *statement.arguments(values))


async def _keep_session(_connection: Any) -> None:
    """No reset between uses: no code leaves session state behind (no SET, LISTEN, session lock)."""


LOST_CONNECTION = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection ended in the middle of something
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.IdleInTransactionSessionTimeoutError,
    OSError,
    TimeoutError,
)
"""The database is away, not the statement wrong: the whole transaction may be run again."""


@asynccontextmanager
async def connect(
    database_url: str, *, size: int = 8, plan_values: bool = False
) -> AsyncIterator[Database]:
    """A pool that is known to work; otherwise a `SetupError` that says what is wrong.

    ``plan_values``: each statement is planned anew for its values, for statements whose best way
    depends on how frequent these are.
    """
    settings = {"jit": "off"}  # no statement here is worth 800 ms of compiling
    if plan_values:  # of pages that are in memory, or on a disk without a head
        settings |= {"plan_cache_mode": "force_custom_plan", "random_page_cost": "1.1"}
    try:
        pool = await asyncpg.create_pool(
            database_url,
            min_size=1,
            max_size=size,
            command_timeout=COMMAND_SECONDS,
            reset=_keep_session,
            timeout=5,
            server_settings=settings,
        )
    except asyncpg.InterfaceError as error:
        raise SetupError(f"DESKWIRE_DATABASE_URL cannot be used: {error}") from error
    except (asyncpg.PostgresError, OSError, TimeoutError) as error:
        raise SetupError(unusable(database_url, error)) from error
    try:
        yield Database(pool)
    finally:
        await _close(pool)


async def _close(pool: "asyncpg.Pool[asyncpg.Record]") -> None:
    try:
        async with asyncio.timeout(5):
            await pool.close()
    except TimeoutError:
        pool.terminate()


def unusable(database_url: str, error: Exception) -> str:
    """One line on why the database cannot be used, without the password."""
    place = database_url.rpartition("@")[2] or database_url
    if isinstance(error, asyncpg.InvalidCatalogNameError):
        return f"PostgreSQL at {place} has no such database: create it, then run `deskwire migrate`"
    if isinstance(
        error, asyncpg.InvalidPasswordError | asyncpg.InvalidAuthorizationSpecificationError
    ):
        return f"PostgreSQL at {place} refuses the credentials: check DESKWIRE_DATABASE_URL"
    reason = str(error) or type(error).__name__
    return f"PostgreSQL at {place} cannot be reached: {reason}. Is it running?"


async def migrate(database_url: str, package: str) -> None:
    """Bring one service's database to the newest schema; safe to run by many at once."""
    from deskwire.migrations.runner import upgrade  # slow to import, and services never need it

    await upgrade(database_url, package)
