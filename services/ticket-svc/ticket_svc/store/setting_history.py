"""Which settings were changed, by whom and through what: rows are only ever added."""

import json
from collections.abc import Mapping
from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.settings import SettingHistoryItem
from deskwire.db import Session, compiled

INSERT = compiled(
    text("""
    INSERT INTO setting_history (client_id, actor, through, field, old, new)
    SELECT CAST(:client_id AS bigint), :actor, :through, field, old, new FROM unnest(
        CAST(:fields AS text[]), CAST(:olds AS text[]), CAST(:news AS text[]))
        WITH ORDINALITY AS told (field, old, new, place)
    ORDER BY place
    RETURNING *
    """)
)


async def remember(
    session: Session,
    actor: Actor,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
    client_id: int | None = None,
) -> tuple[SettingHistoryItem, ...]:
    """The fields that differ, as values of JSON; a client's that is not there is None."""
    names = [n for n in {**before, **after} if before.get(n) != after.get(n)]
    rows = await session.fetch(
        INSERT,
        client_id=client_id,
        actor=actor.author.model_dump_json(),
        through=actor.through.model_dump_json(),
        fields=names,
        olds=[json.dumps(before.get(name)) for name in names],
        news=[json.dumps(after.get(name)) for name in names],
    )
    return tuple(item(row) for row in rows)


def item(row: asyncpg.Record) -> SettingHistoryItem:
    return SettingHistoryItem(
        id=row["id"],
        client_id=row["client_id"],
        at=row["at"],
        by=Author.model_validate_json(row["actor"]),
        through=Through.model_validate_json(row["through"]),
        field=row["field"],
        old=json.loads(row["old"]),
        new=json.loads(row["new"]),
    )
