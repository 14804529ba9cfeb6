"""Statements compiled once, migrations by many at once, and a database that cannot be used."""

import asyncio
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select, text

from deskwire import db
from deskwire.db import Database, Session, compiled
from deskwire.errors import SetupError
from deskwire.local import free_port
from deskwire.testing import FreshDatabase, database_url

TRACES = Table("traces", MetaData(), Column("mail_id", BigInteger), Column("note", Text))


async def test_text_and_core_run_as_compiled(database: Database) -> None:
    write = compiled(TRACES.insert().returning(TRACES.c.note))
    read = compiled(
        select(TRACES.c.note).where(TRACES.c.mail_id == text(":mail_id")).order_by(TRACES.c.note)
    )
    assert await database.fetch_value(write, mail_id=1, note="a:b") == "a:b"
    await database.execute(write, mail_id=1, note="c")
    assert [row["note"] for row in await database.fetch(read, mail_id=1)] == ["a:b", "c"]
    assert await database.fetch_one(read, mail_id=2) is None


async def test_a_name_may_be_used_twice_and_values_keep_their_defaults(database: Database) -> None:
    twice = compiled(text("SELECT CAST(:x AS int) + CAST(:x AS int) * CAST(:y AS int)"))
    assert await database.fetch_value(twice, x=2, y=10) == 22
    bound = compiled(select(TRACES.c.note).where(TRACES.c.mail_id == 7))
    assert 7 in bound.defaults.values()
    assert bound.arguments({}) == [7]


def test_a_value_that_is_missing_is_named() -> None:
    statement = compiled(text("SELECT :x"))
    with pytest.raises(KeyError, match="x"):
        statement.arguments({"y": 1})


async def test_a_transaction_is_all_or_nothing(database: Database) -> None:
    write = compiled(text("INSERT INTO traces (mail_id) VALUES (:mail_id)"))
    with suppress(LookupError):
        async with database.transaction() as session:
            await session.execute(write, mail_id=1)
            raise LookupError
    assert await database.pool.fetchval("SELECT count(*) FROM traces") == 0


DOUBLED = compiled(text("SELECT 2 * CAST(:number AS integer) AS doubled"))
SENT = compiled(text("SELECT CAST(:number AS integer) AS number WHERE :number > 0"))
INSERT = compiled(TRACES.insert())
NOTES = compiled(select(TRACES.c.note).where(TRACES.c.mail_id == text(":mail_id")))


async def test_rows_that_many_ask_for_at_once_are_each_their_own(database: Database) -> None:
    async with database.transaction() as session:
        with session.shared():
            asked = (session.fetch_row(DOUBLED, number=number) for number in range(300))
            sent = session.fetch_row(SENT, number=7)
            *rows, last = await asyncio.gather(*asked, sent)
    assert [row["doubled"] for row in rows] == [2 * number for number in range(300)]
    assert last["number"] == 7


async def test_what_many_ask_for_at_once_takes_one_round_trip(database: Database) -> None:
    async with database.pool.acquire() as connection:
        session = Session(connection)
        await session.fetch_row(DOUBLED, number=1)  # it is prepared
        queries: list[str] = []
        logger = connection.query_logger(lambda record: queries.append(record.query))
        with session.shared(), logger:
            await asyncio.gather(*(session.fetch_row(DOUBLED, number=n) for n in range(20)))
    assert queries == [DOUBLED.sql]


async def test_who_asks_at_once_may_ask_all_kinds_of_things(database: Database) -> None:
    async def ask(session: Session, number: int) -> list[Any]:
        first = await session.fetch_row(DOUBLED, number=number)
        await session.execute(INSERT, mail_id=number, note="at once")
        many = await session.fetch(NOTES, mail_id=number)
        value = await session.fetch_value(DOUBLED, number=first["doubled"])
        last = await session.fetch_one(SENT, number=number)
        return [value, len(many), last["number"] if last else None]

    async with database.transaction() as session:
        with session.shared():
            answers = await asyncio.gather(*(ask(session, n) for n in range(1, 30)))
    assert answers == [[4 * n, 1, n] for n in range(1, 30)]


async def test_a_missing_row_fails_all_who_ask_at_once_and_no_one_who_asks_alone(
    database: Database,
) -> None:
    async with database.transaction() as session:
        with session.shared():
            assert await session.fetch_one(SENT, number=0) is None
            asked = (session.fetch_one(SENT, number=number) for number in range(3))
            results = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(result) for result in results] == [LookupError] * 3


async def test_an_error_reaches_all_who_asked(database: Database) -> None:
    async with database.pool.acquire() as connection:
        session = Session(connection)
        with session.shared():
            asked = (session.fetch_row(DOUBLED, number=number) for number in (1, 2**30, 3))
            results = await asyncio.gather(*asked, return_exceptions=True)
        assert {type(result) for result in results} == {asyncpg.NumericValueOutOfRangeError}
        assert (await session.fetch_row(DOUBLED, number=4))["doubled"] == 8


async def test_the_pool_outlives_its_connections(database: Database) -> None:
    one = compiled(text("SELECT 1"))
    await database.fetch_value(one)
    await database.pool.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    results = await asyncio.gather(*(database.fetch_value(one) for _ in range(20)))
    assert results == [1] * 20


FIRST = """
from alembic import op
revision, down_revision = "0001", None
def upgrade():
    op.execute("CREATE TABLE things (id int)")
    op.execute("INSERT INTO things VALUES (1)")
"""
SECOND = """
from alembic import op
revision, down_revision = "0002", "0001"
def upgrade():
    op.execute("SELECT pg_sleep(0.3)")
    op.execute("INSERT INTO things VALUES (2)")
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A service that has nothing but migrations."""
    name = f"throwaway_{uuid4().hex}"
    versions = tmp_path / name / "migrations" / "versions"
    versions.mkdir(parents=True)
    (tmp_path / name / "__init__.py").touch()
    (versions / "0001_first.py").write_text(FIRST)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    return name


async def test_migrations_may_be_run_by_many_at_once(
    fresh_database: FreshDatabase, package: str, tmp_path: Path
) -> None:
    url = fresh_database()
    await db.migrate(url, package)
    (tmp_path / package / "migrations" / "versions" / "0002_second.py").write_text(SECOND)
    await asyncio.gather(*(db.migrate(url, package) for _ in range(3)))
    async with db.connect(url) as database:
        rows = await database.pool.fetch("SELECT id FROM things ORDER BY id")
        version = await database.pool.fetchval("SELECT version_num FROM alembic_version")
    assert [row["id"] for row in rows] == [1, 2]
    assert version == "0002"


async def test_a_migration_that_fails_leaves_nothing(
    fresh_database: FreshDatabase, package: str, tmp_path: Path
) -> None:
    url = fresh_database()
    broken = SECOND.replace("pg_sleep(0.3)", "1/0")
    (tmp_path / package / "migrations" / "versions" / "0002_second.py").write_text(broken)
    with pytest.raises(Exception, match="division by zero"):
        await db.migrate(url, package)
    async with db.connect(url) as database:
        assert await database.pool.fetchval("SELECT to_regclass('things')") is None


async def open_and_close(url: str) -> None:
    async with db.connect(url):
        pass


async def migrate(url: str) -> None:
    await db.migrate(url, "deskwire")


@pytest.mark.parametrize("act", [open_and_close, migrate])
async def test_what_is_wrong_is_told_in_one_line_without_the_password(
    postgres_server: str, act: object
) -> None:
    assert callable(act)
    host = postgres_server.rpartition("@")[2].partition("/")[0]
    port = free_port()
    wrong = {
        f"postgresql://me:s3cret@127.0.0.1:{port}/x": "cannot be reached",
        database_url(postgres_server, "nowhere"): "has no such database: create it",
        f"postgresql://nobody:s3cret@{host}/postgres": "refuses the credentials",
    }
    for url, told in wrong.items():
        with pytest.raises(SetupError, match=told) as caught:
            await act(url)
        assert str(caught.value).startswith(f"PostgreSQL at {url.rpartition('@')[2]} ")
        assert "s3cret" not in str(caught.value)
        assert "\n" not in str(caught.value)


async def test_a_url_that_is_none_is_told() -> None:
    with pytest.raises(SetupError, match="DESKWIRE_DATABASE_URL"):
        await open_and_close("mysql://me:s3cret@127.0.0.1/x")


async def test_migrating_what_is_not_installed_is_told(fresh_database: FreshDatabase) -> None:
    with pytest.raises(SetupError, match="the package no_such_service is not installed"):
        await db.migrate(fresh_database(), "no_such_service")
