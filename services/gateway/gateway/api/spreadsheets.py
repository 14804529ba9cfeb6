"""Tables for spreadsheets: CSV (RFC 4180) in UTF-8 with a byte order mark, streamed."""

import asyncio
import csv
import io
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog
from fastapi import Response
from starlette.types import Receive, Scope, Send

from gateway.api.streaming import SEND_SECONDS, disconnected
from gateway.readmodel.lists import Page, Place

log = structlog.get_logger()

ROWS = 200
"""Read and sent at once: between two such pages no connection to the database is held."""

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a cell begins with that a spreadsheet would run (OWASP, CSV injection)."""

Columns = Mapping[str, Callable[[Any], Any]]


def table(head: str, row: str) -> dict[int | str, dict[str, Any]]:
    """The ``responses`` of a route that answers with such a table as these two lines begin."""
    example = f"\ufeff{head}\r\n{row}\r\n"
    schema = {"type": "string", "format": "csv", "examples": [example]}
    return {200: {"content": {"text/csv": {"schema": schema}}}}


class CsvStream(Response):
    """Sends until all is sent, the client leaves, or takes nothing any more."""

    media_type = "text/csv"

    def __init__(self, name: str, parts: AsyncIterator[bytes], first: bytes) -> None:
        super().__init__()
        self._head = [
            (b"content-type", b"text/csv; charset=utf-8"),
            (b"content-disposition", f'attachment; filename="{name}"'.encode()),
        ]
        self._parts = parts
        self._first = first

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["streams"] = True
        leaving = asyncio.create_task(disconnected(receive))
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self._head})
            await _send(send, self._first)
            async for part in self._parts:
                if leaving.done():
                    return
                await _send(send, part)
            await send({"type": "http.response.body", "body": b""})
        except TimeoutError:
            log.warning("export given up: nobody takes it")
        finally:
            leaving.cancel()


async def streamed(
    name: str,
    columns: Columns,
    page: Callable[[int, Place | None], Awaitable[Page]],
    rows: Callable[[str], Iterable[Any]],
) -> CsvStream:
    """A header, then the rows that each document of each page makes."""
    parts = _parts(columns, page, rows)
    return CsvStream(name, parts, await anext(parts))


async def _parts(
    columns: Columns,
    page: Callable[[int, Place | None], Awaitable[Page]],
    rows: Callable[[str], Iterable[Any]],
) -> AsyncIterator[bytes]:
    def made(found: Page) -> str:
        values = (row for each in found.rows for row in rows(each["doc"]))
        return _lines([[_cell(column(row)) for column in columns.values()] for row in values])

    found = await page(ROWS, None)
    yield ("\ufeff" + _lines([list(columns)]) + made(found)).encode()
    while found.next is not None:
        found = await page(ROWS, found.next)
        yield made(found).encode()


async def _send(send: Send, part: bytes) -> None:
    async with asyncio.timeout(SEND_SECONDS):
        await send({"type": "http.response.body", "body": part, "more_body": True})


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value.startswith(FORMULA) else value


def _lines(rows: Sequence[Sequence[Any]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue()
