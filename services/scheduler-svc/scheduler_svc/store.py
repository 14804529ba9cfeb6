"""Schedules, the occurrences that have had their ticket, and the alarms of tickets."""

import asyncpg
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import TIMESTAMP

from deskwire.contracts.schedules import Schedule, ScheduleChanged
from deskwire.contracts.tickets import OpenTicket
from deskwire.db import compiled
from deskwire.messaging.replay import Kind, page
from deskwire.messaging.schema import messaging_tables

metadata = MetaData()
messaging_tables(metadata)

TIME = TIMESTAMP(timezone=True)

schedules = Table(
    "schedules",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("name", Text, nullable=False),
    Column("cron", Text, nullable=False),
    Column("timezone", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("state", Text, nullable=False, server_default="active"),
    Column("next_run_at", TIME),
    Column("created_at", TIME, nullable=False, server_default=func.now()),
    Column("version", Integer, nullable=False, server_default="1"),
    CheckConstraint("state IN ('active', 'paused', 'ended')", name="schedules_state"),
    CheckConstraint("(state = 'active') = (next_run_at IS NOT NULL)", name="schedules_next_run"),
    Index("schedules_due", "next_run_at"),  # UNTIL_NEXT, CLAIM
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule_id", BigInteger, ForeignKey("schedules.id"), primary_key=True),
    Column("occurrence", Text, primary_key=True),
    Column("fired_at", TIME, nullable=False, server_default=func.now()),
)
"""Its key decides between schedulers, and against a wall time that comes twice."""

alarms = Table(
    "alarms",
    metadata,
    Column("ticket_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False),
    Column("version", Integer, nullable=False),
    Index("alarms_due", "at"),  # UNTIL_NEXT, RING
)
"""One a ticket; an alarm that rang is gone."""

NOW = compiled(text("SELECT now()"))

CREATE = compiled(
    text("""
    INSERT INTO schedules (name, cron, timezone, ticket, next_run_at)
    VALUES (:name, :cron, :timezone, :ticket, :next_run_at)
    RETURNING *
    """)
)

UNTIL_NEXT = compiled(
    text("""
    SELECT CAST(extract(epoch FROM least(
        (SELECT min(next_run_at) FROM schedules), (SELECT min(at) FROM alarms)) - now()) AS float8)
    """)
)

# One after the other told out of order, or told anew: the newer version stays. What comes after
# it was set off or taken back rings once for nothing.
SET_ALARMS = compiled(
    text("""
    WITH new AS (
        SELECT DISTINCT ON (ticket_id) * FROM unnest(
            CAST(:ticket_id AS bigint[]), CAST(:at AS timestamptz[]), CAST(:version AS integer[]))
        AS n(ticket_id, at, version)
        ORDER BY ticket_id, version DESC
    ), gone AS (
        DELETE FROM alarms USING new
        WHERE alarms.ticket_id = new.ticket_id AND new.at IS NULL AND alarms.version <= new.version
    )
    INSERT INTO alarms AS old SELECT * FROM new WHERE at IS NOT NULL
    ON CONFLICT (ticket_id) DO UPDATE SET at = excluded.at, version = excluded.version
    WHERE old.version <= excluded.version
    """)
)

RINGING = 500

RING = compiled(
    text(f"""
    DELETE FROM alarms WHERE ticket_id IN (
        SELECT ticket_id FROM alarms WHERE at <= now()
        ORDER BY at LIMIT {RINGING} FOR UPDATE SKIP LOCKED)
    RETURNING ticket_id, at
    """)
)

CLAIM = compiled(
    text("""
    SELECT id, cron, timezone, next_run_at, now() AS now FROM schedules
    WHERE next_run_at <= now() ORDER BY next_run_at LIMIT 50 FOR UPDATE SKIP LOCKED
    """)
)

# ``fired`` is true where the occurrence is new: only then may its ticket be asked for.
RUN = compiled(
    text("""
    WITH run AS (
        SELECT * FROM unnest(
            CAST(:ids AS bigint[]), CAST(:occurrences AS text[]), CAST(:next_runs AS timestamptz[]))
        AS r(id, occurrence, next_run_at)
    ), fired AS (
        INSERT INTO occurrences (schedule_id, occurrence) SELECT id, occurrence FROM run
        ON CONFLICT DO NOTHING
        RETURNING schedule_id
    )
    UPDATE schedules SET
        next_run_at = run.next_run_at, version = version + 1,
        state = CASE WHEN run.next_run_at IS NULL THEN 'ended' ELSE 'active' END
    FROM run LEFT JOIN fired ON fired.schedule_id = run.id
    WHERE schedules.id = run.id
    RETURNING schedules.*, run.occurrence, fired.schedule_id IS NOT NULL AS fired
    """)
)


def document(row: asyncpg.Record) -> Schedule:
    return Schedule(
        id=row["id"],
        name=row["name"],
        cron=row["cron"],
        timezone=row["timezone"],
        ticket=OpenTicket.model_validate_json(row["ticket"]),
        next_run_at=row["next_run_at"],
        created_at=row["created_at"],
        version=row["version"],
    )


KINDS = {
    "schedule": Kind(
        page("SELECT * FROM schedules"), lambda row: ScheduleChanged(schedule=document(row))
    ),
}
