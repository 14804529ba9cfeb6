"""uvicorn inside a service's own event loop."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress

import uvicorn

from deskwire.errors import SetupError


class Server(uvicorn.Server):
    """uvicorn that leaves the signals to the service."""

    def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]  # of any kind
        return nullcontext()


@asynccontextmanager
async def http_server(config: uvicorn.Config) -> AsyncIterator[uvicorn.Server]:
    """uvicorn inside the service's own loop; a port in use is a `SetupError`."""
    listening = _listening(config)
    server = Server(config)
    task = asyncio.create_task(server.serve(sockets=[listening]))
    try:
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        yield server
    finally:
        server.should_exit = True
        with suppress(asyncio.CancelledError):
            await task
        listening.close()


def _listening(config: uvicorn.Config) -> socket.socket:
    """uvicorn's own way ends the process when the port is taken, and leaves the socket open."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    try:
        listening = socket.create_server(
            (config.host, config.port), family=family, backlog=config.backlog
        )
    except OSError as error:
        raise SetupError(
            f"port {config.port} cannot be used, stop what listens there or choose another:"
            f" {error.strerror}"
        ) from error
    # Connections inherit it. asyncio sets it for sockets that name their protocol alone, and
    # without it a body waits for the acknowledgement of its head, 40 ms.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening
