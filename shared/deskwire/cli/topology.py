"""`deskwire topology`: exchanges and queues, which services only look at."""

import asyncio

from deskwire.cli.app import App
from deskwire.cli.environment import rabbitmq_url, reaching_rabbitmq
from deskwire.cli.output import say
from deskwire.errors import SetupError

app = App("Exchanges and queues in RabbitMQ.")


@app.command("apply")
def apply() -> None:
    """Declare all of them. Needs a user that may configure."""
    from deskwire.messaging.rabbit import apply_topology
    from deskwire.topology import QUEUES

    url = rabbitmq_url()
    with reaching_rabbitmq(url):
        asyncio.run(apply_topology(url))
    say("declared:", *(queue.name for queue in QUEUES))


@app.command("check")
def check() -> None:
    """Say what is missing; exit code 1 when something is."""
    from deskwire.messaging.rabbit import check_topology

    url = rabbitmq_url()
    with reaching_rabbitmq(url):
        missing = asyncio.run(check_topology(url))
    if missing:
        raise SetupError(f"missing: {', '.join(missing)}. Run `deskwire topology apply`")
    say("complete")
