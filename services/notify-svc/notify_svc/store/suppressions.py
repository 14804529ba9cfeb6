"""Addresses that get no mail: nothing reaches them, or somebody has said so."""

import asyncpg
from sqlalchemy import text

from deskwire.contracts.notifications import Suppression
from deskwire.db import Session, compiled

COLUMNS = "id, email, reason, delivery_id, created_at, archived_at, version"

# One that was taken back is there again; one that is there stays as it is, and has no row.
ADD = compiled(
    text(f"""
    INSERT INTO suppressions AS kept (email, email_key, reason, delivery_id)
    VALUES (:email, lower(:email), :reason, :delivery_id)
    ON CONFLICT (email_key) DO UPDATE
        SET email = excluded.email, reason = excluded.reason, delivery_id = excluded.delivery_id,
            created_at = now(), archived_at = NULL, version = kept.version + 1
        WHERE kept.archived_at IS NOT NULL
    RETURNING {COLUMNS}
    """)
)

REMOVE = compiled(
    text(f"""
    UPDATE suppressions
    SET version = version + CAST(archived_at IS NULL AS integer),
        archived_at = coalesce(archived_at, now())
    WHERE id = :id RETURNING {COLUMNS}
    """)
)


async def add(
    session: Session, email: str, reason: str, delivery_id: int | None = None
) -> Suppression | None:
    """None when the address is suppressed already."""
    row = await session.fetch_one(ADD, email=email, reason=reason, delivery_id=delivery_id)
    return document(row) if row else None


async def remove(session: Session, id: int) -> Suppression | None:
    """None when there never was such a one."""
    row = await session.fetch_one(REMOVE, id=id)
    return document(row) if row else None


def document(row: asyncpg.Record) -> Suppression:
    return Suppression.model_validate(dict(row))
