"""Work in the background, for as long as its service runs."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager
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


async def for_ever(what: str, step: Callable[[], Awaitable[object]], pause: float) -> NoReturn:
    """With ``pause`` seconds between two steps. Whatever becomes of one, there is a next: nobody
    would notice that there is none."""
    while True:
        try:
            await step()
        except (asyncpg.PostgresError, *LOST_CONNECTION) as error:
            log.warning("waits for the database", what=what, cause=str(error) or repr(error))
        except Exception:
            log.exception("stumbles", what=what)
        await asyncio.sleep(pause)
