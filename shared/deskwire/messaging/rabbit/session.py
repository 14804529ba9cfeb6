"""Connections that are opened, used until anything of them ends, and opened anew.

aio-pika's "robust" connections are not used: with one plain loop there is one way back from every
kind of loss (broker restart, channel error, a consumer that the broker cancelled or forgot).
"""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import aio_pika
import structlog
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import AMQPError
from aiormq.channel import Channel
from aiormq.exceptions import (
    AuthenticationError,
    ChannelNotFoundEntity,
    ProbableAuthenticationError,
)

from deskwire.errors import SetupError
from deskwire.repeating import wait_at_most

log = structlog.get_logger()

HEARTBEAT_SECONDS = 20
CONNECT_SECONDS = 10.0
FIRST_PAUSE = 0.1
LONGEST_PAUSE = 5.0

LOST = (AMQPError, OSError, TimeoutError, RuntimeError)
"""What aiormq raises when a connection or channel is gone (an invalid state is a RuntimeError)."""

Session = Callable[[asyncio.Event], Awaitable[None]]
"""Opens a session, sets the event when it is usable, returns or raises when it has ended."""


@asynccontextmanager
async def connected(url: str, name: str) -> AsyncIterator[AbstractConnection]:
    connection = await aio_pika.connect(
        url,
        timeout=CONNECT_SECONDS,
        heartbeat=HEARTBEAT_SECONDS,
        client_properties={"connection_name": name},
    )
    try:
        yield connection
    finally:
        with suppress(*LOST):
            async with asyncio.timeout(5):
                await connection.close()


async def open_channel(connection: AbstractConnection, *, confirms: bool = False) -> Channel:
    """A channel of aiormq: publishing by it need not wait for the socket to drain each message."""
    if connection.transport is None:
        raise ConnectionError("the connection is closed")
    channel = await connection.transport.connection.channel(
        publisher_confirms=confirms, on_return_raises=confirms, timeout=CONNECT_SECONDS
    )
    return cast(Channel, channel)


@asynccontextmanager
async def kept_open(session: Session) -> AsyncIterator[None]:
    """Run a session for ever; enter when it is usable, or when the first attempt has failed."""
    tried = asyncio.Event()
    task = asyncio.create_task(_for_ever(session, tried))
    try:
        await wait_at_most(tried, CONNECT_SECONDS)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def _for_ever(session: Session, tried: asyncio.Event) -> None:
    pause = FIRST_PAUSE
    while True:
        started = time.monotonic()
        await _once(session, tried)
        tried.set()
        if time.monotonic() - started > LONGEST_PAUSE:
            pause = FIRST_PAUSE
        await asyncio.sleep(pause)
        pause = min(pause * 2, LONGEST_PAUSE)


async def _once(session: Session, ready: asyncio.Event) -> None:
    try:
        await session(ready)
    except ChannelNotFoundEntity as error:
        log.error("topology is missing: run `deskwire topology apply`", cause=str(error))
    except LOST as error:
        log.warning("broker session ended", cause=str(error) or repr(error))
    except asyncio.CancelledError:  # aiormq cancels its waiters when the connection dies
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise
        log.warning("broker session ended", cause="connection lost")


async def ended(*signs: Awaitable[Any]) -> None:
    """Wait for the first sign that the session is over."""
    waits = [asyncio.ensure_future(sign) for sign in signs]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def closing(channel: Channel) -> Awaitable[Any]:
    return asyncio.shield(channel.closing)


async def refuse_bad_credentials(url: str, name: str) -> None:
    """Tell wrong credentials at the start; a broker that is away is waited for."""
    try:
        async with connected(url, name):
            return
    except (AuthenticationError, ProbableAuthenticationError) as error:
        raise SetupError(
            f"RabbitMQ at {place(url)} refuses the credentials: check DESKWIRE_BROKER_URL"
        ) from error
    except LOST as error:
        log.warning("broker cannot be reached", place=place(url), cause=str(error) or repr(error))


def place(url: str) -> str:
    """The URL without what must not be logged."""
    return url.rpartition("@")[2] or url.partition("://")[2]
