"""A batch's messages, each through its handler once, in one transaction with inbox and outbox."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache, partial
from hashlib import sha256
from typing import Any
from uuid import UUID

import asyncpg
from pydantic import BaseModel

from deskwire.contracts.base import Message
from deskwire.errors import UnknownMessage
from deskwire.messaging import inbox
from deskwire.messaging.broker import Delivery
from deskwire.messaging.dead_letters import cause_of
from deskwire.messaging.envelope import Envelope, current
from deskwire.messaging.outbox import Transaction, outbox_columns
from deskwire.metrics import HANDLER
from deskwire.topology import Queue

Handler = Callable[[Any, Transaction], Awaitable[BaseModel | None]]
Handlers = Mapping[type[Message], Handler]
Rounds = Callable[[Sequence[Message]], Sequence[Sequence[int]]]
"""In which order a batch's messages are handled, by their places in it. Those of a round are
handled at once, since none of them minds what the others do: what they ask of the database by the
same statement is one round trip."""


def in_order(batch: Sequence[Message]) -> Sequence[Sequence[int]]:
    """One after the other."""
    return [[place] for place in range(len(batch))]


# A repeated request has put the same text at another place.
_NO_PLACE = b'"blob_id":"'
_PLACE = re.compile(_NO_PLACE + rb'tickets/[^"]*-')


class HandlerFailed(Exception):
    """A handler failed at something that is not the database."""


@dataclass(frozen=True, slots=True)
class Handled:
    """A message that was handled, now or before, and its stored reply."""

    fingerprint: bytes | None
    reply: str | None
    replayed: bool = False


class Handling:
    """What one queue's messages make its handlers do."""

    def __init__(self, queue: Queue, handlers: Handlers, rounds: Rounds) -> None:
        self._queue = queue
        self._handlers = handlers
        self._rounds = rounds
        self._timer = lru_cache(partial(HANDLER.labels, queue.name))

    async def all(self, batch: Sequence[Delivery], tx: Transaction) -> dict[UUID, Handled]:
        """By message id; whoever commits has the outbox written with it."""
        known = await self._known(batch, tx)
        new: dict[UUID, Delivery] = {}
        for delivery in batch:
            if delivery.envelope.id not in known:
                new.setdefault(delivery.envelope.id, delivery)
        fresh = await self._run_all(list(new.values()), tx)
        await self._remember(fresh, tx)
        return known | fresh

    async def _known(self, batch: Sequence[Delivery], tx: Transaction) -> dict[UUID, Handled]:
        ids = [delivery.envelope.id for delivery in batch]
        rows = await tx.fetch(inbox.KNOWN, consumer=self._queue.name, ids=ids)
        return {r["message_id"]: Handled(r["fingerprint"], r["reply"], replayed=True) for r in rows}

    async def _run_all(self, batch: Sequence[Delivery], tx: Transaction) -> dict[UUID, Handled]:
        messages = [delivery.envelope.message for delivery in batch]
        done: dict[UUID, Handled] = {}
        for places in self._rounds(messages):
            runs = [self._run(batch[place], messages[place], tx) for place in places]
            results = await _all_done(runs, tx)
            ids = (batch[place].envelope.id for place in places)
            done |= zip(ids, results, strict=True)
        return done

    async def _run(self, delivery: Delivery, message: Message, tx: Transaction) -> Handled:
        envelope = delivery.envelope
        with _handling(envelope):
            handler = self._handlers.get(type(message))
            if handler is None:
                raise UnknownMessage(f"{self._queue.name} does not take {envelope.type}")
            with self._timer(envelope.type).time():
                reply = await _called(handler, message, tx)
        if delivery.reply is None:
            return Handled(None, None)
        return Handled(fingerprint(envelope), reply.model_dump_json() if reply else None)

    async def _remember(self, fresh: Mapping[UUID, Handled], tx: Transaction) -> None:
        await tx.flush()
        if not fresh:
            return
        await tx.execute(
            inbox.REMEMBER,
            consumer=self._queue.name,
            handled=list(fresh),
            fingerprints=[handled.fingerprint for handled in fresh.values()],
            replies=[handled.reply for handled in fresh.values()],
            **outbox_columns(tx.outgoing),
        )


async def _all_done(runs: Sequence[Awaitable[Handled]], tx: Transaction) -> list[Handled]:
    """What they return. They share the transaction: what one raises waits until all have ended."""
    if len(runs) == 1:
        return [await runs[0]]
    with tx.shared():
        results = await asyncio.gather(*runs, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return [result for result in results if isinstance(result, Handled)]


async def _called(handler: Handler, message: Message, tx: Transaction) -> BaseModel | None:
    """A file or another server may fail a handler without the database being away."""
    try:
        return await handler(message, tx)
    except (OSError, TimeoutError, asyncpg.InterfaceError) as error:
        if tx.connection.is_closed():
            raise
        raise HandlerFailed(cause_of(error)) from error


@contextmanager
def _handling(envelope: Envelope) -> Iterator[None]:
    """What is emitted and logged meanwhile is known to come of this message."""
    token = current.set(envelope)
    try:
        yield
    finally:
        current.reset(token)


def fingerprint(envelope: Envelope) -> bytes:
    """The same for the same request, repeated."""
    body = _PLACE.sub(_NO_PLACE, envelope.body)
    return sha256(envelope.type.encode() + b"\0" + body).digest()
