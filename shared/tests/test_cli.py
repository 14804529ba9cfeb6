"""`deskwire`: help, schemas, keys, blobs, documents, the embedded run."""

import json
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import asyncpg
import pytest
from command_line import (
    NOWHERE,
    deskwire,
    run_sql,
)

from deskwire.services import SERVICES
from deskwire.testing import database_url


@pytest.fixture
async def empty_databases(postgres_server: str) -> AsyncIterator[str]:
    """A template of URLs, of five databases without any schema."""
    prefix = f"cli_{uuid4().hex}_"
    server = await asyncpg.connect(postgres_server)
    for service in SERVICES:
        await server.execute(f'CREATE DATABASE "{prefix}{service.name}"')
    yield database_url(postgres_server, prefix + "{service}")
    for service in SERVICES:
        await server.execute(f'DROP DATABASE "{prefix}{service.name}" WITH (FORCE)')
    await server.close()


def test_help_waits_for_nothing_slow() -> None:
    slow = "{'asyncpg', 'sqlalchemy', 'alembic', 'aio_pika', 'pydantic', 'uvicorn', 'obstore'}"
    code = f"import sys, deskwire.cli; print({slow} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


async def test_help_names_every_command() -> None:
    shown = "\n".join((await deskwire("--help")).lines())
    for name in ("up", "migrate", "topology", "keys", "dlq", "outbox", "doctor", "reproject"):
        assert re.search(rf"\b{name}\b", shown)


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        ("migrate", {}, "DESKWIRE_DATABASE_URL"),
        ("migrate", {"DATABASE_URL": NOWHERE}, "say of which with --service"),
        ("migrate --service tickets", {"DATABASE_URL": NOWHERE}, "no service tickets"),
        ("migrate --service gateway", {"DATABASE_URL": NOWHERE}, "cannot be reached"),
        ("dlq list --service gateway", {"DATABASE_URL": NOWHERE}, "cannot be reached"),
        ("doctor", {"DATABASE_URLS": "gateway"}, "not JSON"),
        ("doctor", {"DATABASE_URLS": "[]"}, "no object"),
        ("keys list", {"DATABASE_URLS": '{"ticket-svc": "x"}'}, "has no gateway"),
        ("migrate", {"DATABASE_URL_FILE": "/no/such/file"}, "/no/such/file: No such file"),
        ("topology apply", {}, "set DESKWIRE_BROKER_URL"),
        ("topology apply", {"BROKER_URL": "memory://x"}, "inside another process"),
        ("reproject", {"BROKER_URL": "memory://x"}, "inside another process"),
        ("topology check", {"BROKER_URL": "amqp://127.0.0.1:1/"}, "127.0.0.1:1/ cannot be"),
        ("outbox republish --since noon", {"DATABASE_URL": NOWHERE}, "noon is no date"),
    ],
)
async def test_what_cannot_work_is_one_line(
    arguments: str, settings: dict[str, str], words: str
) -> None:
    assert words in (await deskwire(*arguments.split(), **settings)).refused()


# Databases


async def test_migrate_brings_all_to_the_newest_schema(
    empty_databases: str, tmp_path: Path
) -> None:
    file = tmp_path / "url"
    file.write_text(empty_databases + "\n")
    for _ in range(2):
        lines = (await deskwire("migrate", DATABASE_URL_FILE=str(file))).lines()
        assert lines == [f"{service.name} has the newest schema" for service in SERVICES]
    for service in SERVICES:
        url = empty_databases.replace("{service}", service.name)
        assert await run_sql(url, "SELECT * FROM inbox") == []
    tickets = empty_databases.replace("{service}", "ticket-svc")
    rows_known = "SELECT reltuples FROM pg_class WHERE relname = 'settings'"
    assert [row["reltuples"] for row in await run_sql(tickets, rows_known)] == [1]


async def test_migrate_brings_one_service_alone(empty_databases: str) -> None:
    settings = {"DATABASE_URL": empty_databases}
    one = await deskwire("migrate", "--service", "gateway", **settings)
    assert one.lines() == ["gateway has the newest schema"]
    refused = (await deskwire("dlq", "list", "--service", "notify-svc", **settings)).refused()
    assert "the database of notify-svc has no schema" in refused


async def test_migrate_without_a_database(postgres_server: str) -> None:
    url = database_url(postgres_server, f"missing-{uuid4().hex}")
    done = await deskwire("migrate", "--service", "gateway", DATABASE_URL=url)
    assert "has no such database: create it" in done.refused()


# Keys


async def test_keys_are_made_listed_and_revoked(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps({"gateway": databases["gateway"]})}
    create = ("keys", "create", "--name", "Front end", "--client", "7", "--expires", "2099-01-31")
    (key,) = (await deskwire(*create, "--scopes", "tickets:read, clients:read", **settings)).lines()
    assert re.fullmatch(r"dw_1_[0-9a-f]{40}", key)
    columns, row = (await deskwire("keys", "list", **settings)).lines()
    shown = dict(zip(columns.split("\t"), row.split("\t"), strict=True))
    assert shown["name"] == "Front end"
    assert (shown["client_id"], shown["agent_id"]) == ("7", "-")
    assert shown["scopes"] == "clients:read,tickets:read"
    assert shown["expires_at"] == "2099-01-31 00:00:00Z"
    assert shown["revoked_at"] == "-"
    assert (await deskwire("keys", "revoke", "1", **settings)).lines() == ["revoked 1"]
    _, row = (await deskwire("keys", "list", **settings)).lines()
    assert datetime.now(UTC).strftime("%Y-%m") in row.split("\t")[6]


async def test_keys_that_cannot_be(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    create = ("keys", "create", "--name", "x", "--scopes")
    assert "nonsense" in (await deskwire(*create, "nonsense", **settings)).refused()
    late = await deskwire(*create, "admin", "--expires", "soon", **settings)
    assert "soon is no date" in late.refused()
    assert "no key 9" in (await deskwire("keys", "revoke", "9", **settings)).refused()


async def test_blobs_says_what_is_deleted_next(databases: dict[str, str], tmp_path: Path) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases), "BLOB_URL": f"file://{tmp_path}"}
    await run_sql(
        databases["ticket-svc"], "INSERT INTO discarded_blobs (blob_id) VALUES ('tickets/x/1')"
    )
    lines = (await deskwire("blobs", **settings)).lines()
    assert lines == ["blob\twhy", "tickets/x/1\tdiscarded"]


async def test_mails_are_tried_and_shown_before_anybody_gets_them(tmp_path: Path) -> None:
    (line,) = (await deskwire("templates", "check")).lines()
    assert line.endswith("mails in de, en, es, fr, nl can be written")
    pages = tmp_path / "pages"
    await deskwire("templates", "preview", str(pages), "--language", "de")
    assert "Ticket geschlossen" in (pages / "index.html").read_text()
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / "de.toml").write_text('[note]\nlead = "{nobody}"')
    refused = (await deskwire("templates", "check", TEMPLATES=str(tmp_path))).refused()
    assert "mail note in de" in refused


async def test_docs_are_written_and_found_stale(tmp_path: Path) -> None:
    folder = ("docs", "--folder", str(tmp_path))
    await deskwire(*folder)
    assert json.loads((tmp_path / "asyncapi.json").read_text())["asyncapi"] == "3.0.0"
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"].startswith("3.")
    assert "Ticket closed - [TCK-12]" in (tmp_path / "mails.html").read_text()
    assert "| `ticket.opened.v1` | TicketOpened |" in (tmp_path / "messages.md").read_text()
    fresh = "fresh: asyncapi.json mails.html messages.md openapi.json"
    assert (await deskwire(*folder, "--check")).lines() == [fresh]
    (tmp_path / "asyncapi.json").write_text("{}")
    assert "asyncapi.json in" in (await deskwire(*folder, "--check")).refused()
    assert (tmp_path / "asyncapi.json").read_text() == "{}"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


async def test_up_runs_the_embedded_run(
    taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(taken_port))
    monkeypatch.setenv("VAR", str(tmp_path))
    done = await deskwire("up")
    assert done.code == 1
    assert f"port {taken_port} is taken" in done.err
