"""uvicorn inside a service's own event loop."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress

import uvicorn

from deskwire.errors import SetupError


class Server(uvicorn.Server):
    """uvicorn that leaves the signals to the service."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
        return nullcontext()


@asynccontextmanager
async def http_server(config: uvicorn.Config) -> AsyncIterator[uvicorn.Server]:
    """uvicorn inside the service's own loop; a port in use is a `SetupError`."""
    try:
        socket = config.bind_socket()
    except SystemExit:
        raise SetupError(
            f"port {config.port} is taken: stop what listens there or choose another"
        ) from None
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[socket]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield server
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
        socket.close()
