"""Tickets as CSV: what is in it, and that it is streamed."""

import asyncio
import csv
import io
import socket
from pathlib import Path

import pytest
from gateway_api import Desk

from gateway.api import spreadsheets
from gateway.api.ticket_lists import Asked

TICKETS = "/api/v1/tickets"
EXPORT = f"{TICKETS}/export.csv"
MANY = 10_000
BUSY = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
        AND backend_type = 'client backend' AND state <> 'idle'
"""


def rows_of(body: bytes) -> list[dict[str, str]]:
    text = body.decode("utf-8-sig")
    assert text.endswith("\r\n")
    return list(csv.DictReader(io.StringIO(text, newline=""), strict=True))


async def test_filtered_list_as_a_table(desk: Desk) -> None:
    api = desk.api
    client = await api.made("/api/v1/clients", {"name": '=HYPERLINK("x")'})
    subjects = ["Plain", "=1+1", "+1", "-1", "@SUM(A1)", 'He said "no", twice', "é", "a=b"]
    for subject in subjects:
        await api.made(TICKETS, {"subject": subject, "body": "b", "client_id": client["id"]})
    other = {"subject": "Other", "body": "b", "priority": "high", "tags": ["a", "b"]}
    await api.made(TICKETS, other)
    answer = await api.get(f"{EXPORT}?sort=number&priority=low")
    assert answer.status == 200
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"] == 'attachment; filename="tickets.csv"'
    assert answer.body.startswith("\ufeffid,reference,subject,".encode())
    rows = rows_of(answer.body)
    neutral = ["Plain", "'=1+1", "'+1", "'-1", "'@SUM(A1)", 'He said "no", twice', "é", "a=b"]
    assert [row["subject"] for row in rows] == neutral
    assert {row["client"] for row in rows} == {'\'=HYPERLINK("x")'}
    assert rows[0]["reference"] == "TCK-1"
    assert (rows[0]["contact"], rows[0]["billable"], rows[0]["due_at"]) == ("", "false", "")
    high = rows_of((await api.get(f"{EXPORT}?priority=high")).body)
    assert [(row["tags"], row["client"]) for row in high] == [("a, b", "")]


async def test_within_the_client_of_the_key(desk: Desk) -> None:
    one = await desk.api.made("/api/v1/clients", {"name": "Acme"})
    for client in (one["id"], None):
        await desk.api.made(TICKETS, {"subject": "s", "body": "b", "client_id": client})
    bound = await desk.key("tickets:read", client_id=one["id"])
    assert [row["client"] for row in rows_of((await bound.get(EXPORT)).body)] == ["Acme"]
    assert (await (await desk.key("clients:read")).get(EXPORT)).status == 403


async def test_empty_list_is_its_header(lonely_desk: Desk) -> None:
    assert rows_of((await lonely_desk.api.get(EXPORT)).body) == []
    for query in ("limit=5", "cursor=x", "sort=subject"):
        assert (await lonely_desk.api.get(f"{EXPORT}?{query}")).status == 422


@pytest.fixture
async def full_desk(lonely_desk: Desk) -> Desk:
    """Subjects that make a row larger than it is anywhere."""
    doc = (
        '{"id":%s,"reference":"TCK-%s","subject":"' + "x" * 2_000 + '","status":"open",'
        '"priority":"low","category":null,"source":"api","client":null,"contact":null,'
        '"assigned_to":null,"assets":[],"tags":[],"billable":false,"time_worked":0,"entry_count":1,'
        '"due_at":null,"first_response_at":null,"created_at":"2026-01-01T00:00:00Z",'
        '"updated_at":"2026-01-01T00:00:00Z","closed_at":null,"merged_into":null}'
    )
    await lonely_desk.database.pool.execute(
        """
        INSERT INTO tickets (id, number, reference, status, priority, source, created_at,
                             updated_at, version, doc)
        SELECT n, n, 'TCK-' || n, 'open', 'low', 'api', now(), now(), 1, replace($1, '%s', n::text)
        FROM generate_series(1, $2::int) n
        """,
        doc,
        MANY,
    )
    return lonely_desk


def memory() -> int:
    """KiB that this process holds."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4


async def test_memory_does_not_grow_with_the_list(full_desk: Desk) -> None:
    """20 MB go through; the client, in this process too, keeps none of them."""
    reader, writer = await asking(full_desk)
    before, most, taken = memory(), 0, 0
    while part := await reader.read(65_536):
        taken += len(part)
        most = max(most, memory())
    writer.close()
    assert taken > MANY * 2_000
    assert most - before < 12 * 1024


async def asking(desk: Desk) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connection = socket.socket()
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
    connection.setblocking(False)
    await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", desk.api.port))
    reader, writer = await asyncio.open_connection(sock=connection, limit=65_536)
    head = f"GET {EXPORT} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {desk.api.key}\r\n"
    writer.write(f"{head}Connection: close\r\n\r\n".encode())
    return reader, writer


@pytest.mark.parametrize("leaves", [True, False])
async def test_who_leaves_or_takes_nothing_is_let_go(
    full_desk: Desk, leaves: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Meanwhile no connection to the database is busy with it."""
    asked: list[int] = []
    page = Asked.page

    async def counted(self: Asked, *given: object) -> object:
        asked.append(1)
        return await page(self, *given)  # type: ignore[arg-type]  # as they came

    monkeypatch.setattr(Asked, "page", counted)
    monkeypatch.setattr(spreadsheets, "SEND_SECONDS", 0.5)
    _reader, writer = await asking(full_desk)
    async with asyncio.timeout(10):
        while not asked:
            await asyncio.sleep(0.01)
    if leaves:
        writer.close()
    await asyncio.sleep(1.5)
    so_far = len(asked)
    assert so_far < MANY / spreadsheets.ROWS / 2
    assert await full_desk.database.pool.fetchval(BUSY) == 1  # who asks
    await asyncio.sleep(0.5)
    assert len(asked) == so_far
    writer.close()
