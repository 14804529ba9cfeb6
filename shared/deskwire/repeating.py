"""Work in the background, for as long as its service runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, NoReturn

import asyncpg
import structlog

from deskwire.db import LOST_CONNECTION

log = structlog.get_logger()


@asynccontextmanager
async def in_background(*work: Coroutine[Any, Any, None]) -> AsyncIterator[None]:
    tasks = [asyncio.create_task(each) for each in work]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def wait_at_most(event: asyncio.Event, seconds: float) -> None:
    """Until it is set, or so long."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await event.wait()


async def for_ever(what: str, step: Callable[[], Awaitable[object]], pause: float) -> NoReturn:
    """With ``pause`` seconds between two steps. Whatever becomes of one, there is a next: nobody
    would notice that there is none."""
    while True:
        with Survived(what):
            await step()
        await asyncio.sleep(pause)


class Survived:
    """A context in which what goes wrong is told, and no more: for what tries again by itself."""

    def __init__(self, what: str) -> None:
        self._what = what

    def __enter__(self) -> None:
        """Nothing is needed."""

    def __exit__(self, _kind: object, error: BaseException | None, _where: object) -> bool:
        if isinstance(error, (asyncpg.PostgresError, *LOST_CONNECTION)):
            cause = str(error) or repr(error)
            log.warning("waits for the database", what=self._what, cause=cause)
        elif isinstance(error, Exception):
            log.error("stumbles", what=self._what, exc_info=error)
        return isinstance(error, Exception)
