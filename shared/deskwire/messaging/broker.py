"""The broker port: what every transport promises, as `shared/tests/test_broker.py` defines it."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from deskwire.errors import SetupError
from deskwire.messaging.envelope import Envelope
from deskwire.topology import Queue

BATCH = 100
DRAIN_SECONDS = 25.0


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message handed to a consumer. ``redelivered``: somebody had it and did not finish."""

    envelope: Envelope
    redelivered: bool = False
    reply: Callable[[bytes], Awaitable[None]] | None = None
    tag: Any = None
    """The transport's own handle of the message."""


HandleBatch = Callable[[Sequence[Delivery]], Awaitable[None]]


class Broker(Protocol):
    """At-least-once between services; requests at most once."""

    @property
    def connected(self) -> bool: ...

    async def publish(self, envelope: Envelope) -> None:
        """Return once the message is durable in every queue that takes it.

        Raises `Unroutable` when none does, `Unavailable` when that cannot be known in time:
        the message may then be there all the same, and is to be published again.
        """

    async def request(self, envelope: Envelope, *, timeout: float) -> bytes:
        """Send to a requests queue and return the reply, or raise `Unavailable` at the deadline."""

    def consume(
        self, queue: Queue, handle: HandleBatch, *, drain: float = DRAIN_SECONDS
    ) -> AbstractAsyncContextManager[None]:
        """Hand batches of up to `BATCH` waiting messages to ``handle``, in order, one at a time.

        A batch is done with when ``handle`` returns. When it raises, the same batch is handed
        over again after a pause. Leaving the context stops taking new messages and waits up to
        ``drain`` seconds for the batch in work; what was not done is delivered again.
        """


@asynccontextmanager
async def connect(url: str, *, name: str = "deskwire") -> AsyncIterator[Broker]:
    """The broker behind a URL: ``amqp://``, ``amqps://`` or ``memory://``."""
    scheme = url.partition("://")[0]
    if scheme in ("amqp", "amqps"):
        from deskwire.messaging.rabbit import RabbitBroker  # only one transport is ever loaded

        async with RabbitBroker(url, name=name).running() as rabbit:
            yield rabbit
    elif scheme == "memory":
        from deskwire.messaging.memory import broker_at

        yield broker_at(url)
    else:
        raise SetupError(
            f"DESKWIRE_BROKER_URL must begin with amqp://, amqps:// or memory://, not {scheme}://"
        )
