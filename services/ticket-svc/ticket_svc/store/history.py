"""What was changed, by whom and through what: rows are only ever added."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.tickets import HistoryItem
from deskwire.db import Session, compiled

INSERT = compiled(
    text("""
    INSERT INTO history (ticket_id, actor, through, field, old, new)
    SELECT ticket_id, :actor, :through, field, old, new FROM unnest(
        CAST(:ticket_ids AS bigint[]), CAST(:fields AS text[]), CAST(:olds AS text[]),
        CAST(:news AS text[])) WITH ORDINALITY AS told (ticket_id, field, old, new, place)
    ORDER BY place
    RETURNING *
    """)
)


@dataclass(frozen=True, slots=True)
class Change:
    """``old`` and ``new`` are values of JSON."""

    ticket_id: int
    field: str
    old: Any
    new: Any


async def remember(
    session: Session, actor: Actor, changes: Sequence[Change]
) -> tuple[HistoryItem, ...]:
    if not changes:
        return ()
    rows = await session.fetch(
        INSERT,
        actor=actor.author.model_dump_json(),
        through=actor.through.model_dump_json(),
        ticket_ids=[change.ticket_id for change in changes],
        fields=[change.field for change in changes],
        olds=[json.dumps(change.old) for change in changes],
        news=[json.dumps(change.new) for change in changes],
    )
    return tuple(item(row) for row in rows)


def item(row: asyncpg.Record) -> HistoryItem:
    return HistoryItem(
        id=row["id"],
        ticket_id=row["ticket_id"],
        at=row["at"],
        by=Author.model_validate_json(row["actor"]),
        through=Through.model_validate_json(row["through"]),
        field=row["field"],
        old=json.loads(row["old"]),
        new=json.loads(row["new"]),
    )
