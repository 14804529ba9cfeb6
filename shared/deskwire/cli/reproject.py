"""`deskwire reproject`: the read model anew."""

import asyncio

from deskwire.cli.environment import rabbitmq_url, reaching_rabbitmq
from deskwire.cli.output import say


def reproject() -> None:
    """Have ticket-svc tell everything it owns anew; the gateway takes what it lacks."""
    url = rabbitmq_url()
    with reaching_rabbitmq(url):
        say("told anew:", ", ".join(asyncio.run(_ask(url))))


async def _ask(url: str) -> tuple[str, ...]:
    from deskwire.contracts.tickets import ReplayDocuments
    from deskwire.messaging.broker import connect
    from deskwire.messaging.requests import ask

    async with connect(url, name="deskwire reproject") as broker:
        return (await ask(broker, ReplayDocuments())).reply.kinds
