"""A client of Server-Sent Events that knows no more than the standard says."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any

from gateway_api import Api


class Stream:
    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.status = 0
        self.headers: dict[str, str] = {}
        self.last_event_id = ""
        self.comments: list[str] = []
        self._reader = reader
        self.writer = writer
        self._text = ""

    async def head(self) -> None:
        lines = (await self._reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(lines[0].split()[1])
        for line in filter(None, lines[1:]):
            name, _, value = line.partition(": ")
            self.headers[name.lower()] = value

    async def next(self) -> Any:
        """The data of the next event; None at the end of the stream."""
        while True:
            block = await self._block()
            if block is None:
                return None
            data = []
            for line in block.split("\n"):
                name, _, value = line.partition(":")
                value = value.removeprefix(" ")
                if name == "id":
                    self.last_event_id = value
                elif name == "data":
                    data.append(value)
                elif not name:
                    self.comments.append(value)
            if data:
                return json.loads("\n".join(data))

    async def take(self, count: int) -> list[Any]:
        async with asyncio.timeout(20):
            return [await self.next() for _ in range(count)]

    async def marked(self) -> str:
        """The id that the stream begins with."""
        async with asyncio.timeout(10):
            while not self.last_event_id:
                for line in (await self._block() or "").split("\n"):
                    if line.startswith("id: "):
                        self.last_event_id = line[4:]
        return self.last_event_id

    async def _block(self) -> str | None:
        while "\n\n" not in self._text:
            size = int(await self._reader.readline() or b"0", 16)
            if size == 0:
                return None
            self._text += (await self._reader.readexactly(size + 2))[:-2].decode()
        block, self._text = self._text.split("\n\n", 1)
        return block


@asynccontextmanager
async def listening(
    api: Api, query: str = "", last_event_id: str = "", limit: int = 2**24
) -> AsyncIterator[Stream]:
    reader, writer = await asyncio.open_connection("127.0.0.1", api.port, limit=limit)
    stream = Stream(reader, writer)
    lines = [f"GET /api/v1/events{query} HTTP/1.1", "Host: x", f"Authorization: Bearer {api.key}"]
    if last_event_id:
        lines.append(f"Last-Event-ID: {last_event_id}")
    writer.write("\r\n".join([*lines, "", ""]).encode())
    try:
        await stream.head()
        yield stream
    finally:
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()
