"""A way to a server, for tests that cut it or change what comes over it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

from deskwire.local import free_port


class Wire:
    """A way to a server, on which a test cuts and changes what the server says."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname, parts.port)
        self.port = free_port()
        self.url = url.replace(f":{parts.port}", f":{self.port}")
        self.said: Callable[[bytes], bytes] = bytes
        self.cuts: list[int] = []
        """After so many bytes from the server a connection ends, one after the other."""
        self.connections = 0
        self.heard = b""

    @asynccontextmanager
    async def up(self, host: str = "127.0.0.1") -> AsyncIterator["Wire"]:
        self.url = self.url.replace("127.0.0.1", host)
        server = await asyncio.start_server(self._pass, host, self.port)
        try:
            yield self
        finally:
            server.close()

    async def _pass(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        cut = self.cuts.pop(0) if self.cuts else None
        there, here = await asyncio.open_connection(*self._server)
        up = asyncio.create_task(self._copy(reader, here, self._hear, None))
        await self._copy(there, writer, self.said, cut)
        up.cancel()
        for end in (writer, here):
            end.transport.abort()

    def _hear(self, data: bytes) -> bytes:
        self.heard += data
        return data

    async def _copy(
        self,
        source: asyncio.StreamReader,
        target: asyncio.StreamWriter,
        change: Callable[[bytes], bytes],
        left: int | None,
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                target.write(change(data[:left]))
                await target.drain()
                if left is not None and (left := left - len(data)) <= 0:
                    return
            target.close()
