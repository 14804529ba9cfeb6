"""`deskwire reproject`: the read model anew."""

import asyncio

from deskwire.cli.environment import rabbitmq_url, reaching_rabbitmq
from deskwire.cli.output import say


def reproject() -> None:
    """Have every owner tell all its documents anew; the gateway takes what it lacks."""
    url = rabbitmq_url()
    with reaching_rabbitmq(url):
        asyncio.run(_tell(url))
    say("the owners are asked; what the read model lacks comes in by itself")


async def _tell(url: str) -> None:
    from deskwire.contracts.replay import ReplayDocuments
    from deskwire.messaging.broker import connect
    from deskwire.messaging.envelope import wrap

    async with connect(url, name="deskwire reproject") as broker:
        await broker.publish(wrap(ReplayDocuments()))
