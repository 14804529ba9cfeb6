"""Schedules, the occurrences that have had their ticket, and the alarms of tickets."""

from typing import Any

import asyncpg
from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from deskwire.columns import TIME, created_at, id_column, version
from deskwire.contracts.schedules import Schedule, ScheduleChanged, Timing
from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.db import compiled
from deskwire.messaging.housekeeping import ROWS
from deskwire.messaging.replay import Kind, page
from deskwire.messaging.schema import messaging_tables
from scheduler_svc.domain.runs import Run

metadata = MetaData()
messaging_tables(metadata)


schedules = Table(
    "schedules",
    metadata,
    id_column(),
    Column("name", Text, nullable=False),
    Column("timing", Text, nullable=False),
    Column("ticket", Text, nullable=False),
    Column("rotation", ARRAY(BigInteger), nullable=False, server_default="{}"),
    Column("client_id", BigInteger),  # whose days off count
    Column("state", Text, nullable=False, server_default="active"),
    Column("next_wall", Text),  # what the rule says of the next run, on the wall clock
    Column("next_run_at", TIME),
    Column("runs", Integer, nullable=False, server_default="0"),
    Column("last_run_at", TIME),
    created_at(),
    Column("updated_at", TIME),
    Column("deleted_at", TIME),
    version(),
    CheckConstraint("state IN ('active', 'paused', 'ended')", name="schedules_state"),
    CheckConstraint("(state = 'active') = (next_run_at IS NOT NULL)", name="schedules_next_run"),
    CheckConstraint("(next_wall IS NULL) = (next_run_at IS NULL)", name="schedules_next_wall"),
    Index("schedules_due", "next_run_at"),  # UNTIL_NEXT, CLAIM
)

occurrences = Table(
    "occurrences",
    metadata,
    Column("schedule_id", BigInteger, ForeignKey("schedules.id"), primary_key=True),
    Column("occurrence", Text, primary_key=True),
    Column("fired_at", TIME, nullable=False, server_default=func.now()),
    Index("occurrences_old", "fired_at"),  # TIDY_OCCURRENCES
)
"""Its key decides between schedulers, and against a wall time that comes twice."""

calendars = Table(
    "calendars",
    metadata,
    Column("client_id", BigInteger, primary_key=True, autoincrement=False),
    Column("doc", JSONB, nullable=False),
    Column("version", Integer, nullable=False),
)
"""Hours of work and holidays: the instance's (client 0), and what clients have otherwise."""

alarms = Table(
    "alarms",
    metadata,
    Column("ticket_id", BigInteger, primary_key=True, autoincrement=False),
    Column("at", TIME, nullable=False),
    Column("version", Integer, nullable=False),
    Index("alarms_due", "at"),  # UNTIL_NEXT, RING
)
"""One a ticket; an alarm that rang is gone."""

# What is changed is locked with the days off of its client.
_WITH_CALENDAR = """
    SELECT s.*, now() AS now, CAST(
        coalesce((SELECT doc FROM calendars WHERE client_id = 0), '{}')
        || coalesce((SELECT doc FROM calendars c WHERE c.client_id = s.client_id), '{}') AS text
    ) AS calendar
"""

CALENDAR = compiled(
    text(f"{_WITH_CALENDAR} FROM (SELECT CAST(:client_id AS bigint) AS client_id) s")
)

LOCK = compiled(
    text(f"{_WITH_CALENDAR} FROM schedules s WHERE id = :id AND deleted_at IS NULL FOR UPDATE")
)

CREATE = compiled(
    text("""
    INSERT INTO schedules (name, timing, ticket, rotation, client_id, next_wall, next_run_at)
    VALUES (:name, :timing, :ticket, CAST(:rotation AS bigint[]), :client_id, :next_wall,
            :next_run_at)
    RETURNING *
    """)
)

CHANGE = compiled(
    text("""
    UPDATE schedules SET
        name = :name, timing = :timing, ticket = :ticket, rotation = CAST(:rotation AS bigint[]),
        client_id = :client_id, state = :state, next_wall = :next_wall,
        next_run_at = :next_run_at, updated_at = now(), version = version + 1,
        deleted_at = CASE WHEN :deleted THEN now() END
    WHERE id = :id RETURNING *
    """)
)

# What a wall clock has shown already that another one is to show yet.
FORGET = compiled(
    text("""
    DELETE FROM occurrences
    WHERE schedule_id = :id AND occurrence > :now_there AND occurrence <= :now_before
    """)
)

PAUSE_OF_CLIENT = compiled(
    text("""
    UPDATE schedules SET state = 'paused', next_wall = NULL, next_run_at = NULL,
        updated_at = now(), version = version + 1
    WHERE client_id = :client_id AND state = 'active' RETURNING *
    """)
)

RAN = compiled(
    text("""
    UPDATE schedules SET runs = runs + 1, last_run_at = now(), version = version + 1
    WHERE id = :id RETURNING *
    """)
)

KEEP_CALENDAR = compiled(
    text("""
    INSERT INTO calendars AS old (client_id, doc, version)
    VALUES (:client_id, CAST(:doc AS jsonb), :version)
    ON CONFLICT (client_id) DO UPDATE SET doc = excluded.doc, version = excluded.version
    WHERE old.version < excluded.version
    RETURNING client_id
    """)
)

# They are looked at anew as if they were due, and put off to when they are.
LOOK_ANEW = compiled(
    text("""
    UPDATE schedules SET next_run_at = least(next_run_at, now())
    WHERE state = 'active' AND CAST(timing AS json) ->> 'days_off' <> 'open'
      AND (:client_id = 0 OR client_id = :client_id)
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

# By where they are, so that none is looked for twice. One that was set off at this moment is where
# this statement does not see it, and rings by the next.
RING = compiled(
    text(f"""
    DELETE FROM alarms WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM alarms WHERE at <= now()
        ORDER BY at LIMIT {RINGING} FOR UPDATE SKIP LOCKED))
    RETURNING ticket_id, at
    """)
)

CLAIM = compiled(
    text(f"""
    {_WITH_CALENDAR} FROM schedules s
    WHERE next_run_at <= now() ORDER BY next_run_at LIMIT 50 FOR UPDATE OF s SKIP LOCKED
    """)
)

# Only an occurrence that is new may have a ticket.
FIRE = compiled(
    text("""
    INSERT INTO occurrences (schedule_id, occurrence)
    SELECT * FROM unnest(CAST(:ids AS bigint[]), CAST(:occurrences AS text[]))
    ON CONFLICT DO NOTHING
    RETURNING schedule_id, occurrence
    """)
)

MOVE_ON = compiled(
    text("""
    UPDATE schedules SET
        next_wall = run.next_wall, next_run_at = run.next_run_at, runs = runs + run.fired,
        last_run_at = CASE WHEN run.fired > 0 THEN now() ELSE last_run_at END,
        state = CASE WHEN run.next_run_at IS NULL THEN 'ended' ELSE 'active' END,
        version = version + 1
    FROM unnest(CAST(:ids AS bigint[]), CAST(:fired AS integer[]), CAST(:next_walls AS text[]),
                CAST(:next_runs AS timestamptz[])) AS run (id, fired, next_wall, next_run_at)
    WHERE schedules.id = run.id
    RETURNING schedules.*
    """)
)

OCCURRENCE_DAYS = 400
"""So far a clock may be set back without a ticket that is opened twice."""

TIDY_OCCURRENCES = compiled(
    text(f"""
    DELETE FROM occurrences WHERE (schedule_id, occurrence) IN (
        SELECT schedule_id, occurrence FROM occurrences
        WHERE fired_at < now() - interval '{OCCURRENCE_DAYS} days'
        ORDER BY fired_at LIMIT {ROWS} FOR UPDATE SKIP LOCKED)
    RETURNING schedule_id
    """)
)


def next_columns(run: Run | None) -> dict[str, Any]:
    """None: there is none."""
    if run is None:
        return {"next_wall": None, "next_run_at": None}
    return {"next_wall": run.wall.isoformat(), "next_run_at": run.opens_at}


def document(row: asyncpg.Record) -> Schedule:
    return Schedule(
        id=row["id"],
        name=row["name"],
        **Timing.model_validate_json(row["timing"]).model_dump(),
        ticket=OpenTicket.model_validate_json(row["ticket"]),
        rotation=tuple(row["rotation"]),
        state=row["state"],
        runs=row["runs"],
        last_run_at=row["last_run_at"],
        next_run_at=row["next_run_at"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        version=row["version"],
    )


KINDS = {
    "schedule": Kind(
        page("SELECT * FROM schedules"), lambda row: ScheduleChanged(schedule=document(row))
    ),
}
