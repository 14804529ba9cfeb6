"""The HTTP server inside a service's own loop."""

import socket
from typing import Any

import uvicorn

from deskwire.web import http_server


async def app(_scope: Any, _receive: Any, _send: Any) -> None:
    """Nobody asks it."""


async def test_no_answer_waits_for_an_acknowledgement() -> None:
    config = uvicorn.Config(app, host="127.0.0.1", port=0, lifespan="off", log_config=None)
    async with http_server(config) as server:
        (listening,) = server.servers[0].sockets
        assert listening.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
