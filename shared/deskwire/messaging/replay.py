"""Telling everything owned anew, page by page, each page a message of its own."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import asyncpg
from sqlalchemy import text

from deskwire.contracts.base import Event
from deskwire.contracts.replay import ReplayDocuments
from deskwire.db import Statement, compiled
from deskwire.messaging.handling import Handler
from deskwire.messaging.outbox import Transaction

PAGE = 100


@dataclass(frozen=True, slots=True)
class Kind:
    """One page after an id, and the event that tells a row of it."""

    page: Statement
    event: Callable[[asyncpg.Record], Event]


def page(select: str, id_column: str = "id") -> Statement:
    """A page of a SELECT without a WHERE, whose first column is the id."""
    return compiled(text(f"{select} WHERE {id_column} > :after_id ORDER BY 1 LIMIT {PAGE}"))


def replaying(kinds: Mapping[str, Kind]) -> Handler:
    async def replay(message: ReplayDocuments, tx: Transaction) -> None:
        if not message.kind:
            for name in kinds:
                tx.emit(ReplayDocuments(kind=name))
        elif message.kind in kinds:
            await _tell_page(kinds[message.kind], message, tx)

    return replay


async def _tell_page(kind: Kind, message: ReplayDocuments, tx: Transaction) -> None:
    rows = await tx.fetch(kind.page, after_id=message.after_id)
    for row in rows:
        tx.emit(kind.event(row))
    if len(rows) == PAGE:
        tx.emit(ReplayDocuments(kind=message.kind, after_id=rows[-1]["id"]))
