"""Work in the background goes on, whatever becomes of one step of it."""

import asyncio

import asyncpg

from deskwire.repeating import for_ever, in_background


async def test_no_trouble_is_the_last_step() -> None:
    troubles = [OSError(), asyncpg.InternalClientError(), LookupError(), None]
    steps: list[Exception | None] = []
    done = asyncio.Event()

    async def step() -> None:
        steps.append(trouble := troubles[len(steps)])
        if trouble is not None:
            raise trouble
        done.set()

    async with in_background(for_ever("test", step, 0.01)), asyncio.timeout(5):
        await done.wait()
    assert steps == troubles


async def test_it_ends_with_its_service() -> None:
    begun = asyncio.Event()
    ended: list[bool] = []

    async def work() -> None:
        try:
            begun.set()
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    async with in_background(work(), work()):
        await begun.wait()
    assert ended == [True, True]
