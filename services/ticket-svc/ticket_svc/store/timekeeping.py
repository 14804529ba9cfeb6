"""Time worked on tickets, and the timers that run. Whoever changes it has locked the ticket."""

import asyncpg
from sqlalchemy import text

from deskwire.contracts.actors import Named
from deskwire.contracts.timekeeping import TimeEntry
from deskwire.db import Statement, compiled

TIME = """
    ti.id, ti.ticket_id, ti.origin_ticket_id, ti.entry_id, ti.agent_id, ti.seconds, ti.started_at,
    ti.billable, ti.note, ti.created_at, ti.updated_at, ti.deleted_at, ti.version,
    t.prefix, t.number, t.client_id, cl.name AS client_name, ag.name AS agent_name,
    (SELECT invoice_id FROM invoiced_time
     WHERE time_entry_id = ti.id AND freed_at IS NULL) AS invoice_id
"""
"""The columns of a time entry's document, from `ti` and `TIME_JOINS`."""

TIME_JOINS = """
    JOIN tickets t ON t.id = ti.ticket_id
    LEFT JOIN clients cl ON cl.id = t.client_id
    LEFT JOIN agents ag ON ag.id = ti.agent_id
"""


def writing(statement: str) -> Statement:
    """An INSERT or UPDATE of `time_entries`; its rows are those of their documents."""
    return compiled(
        text(f"""
        WITH ti AS ({statement} RETURNING *)
        SELECT {TIME} FROM ti {TIME_JOINS} ORDER BY ti.id
        """)
    )


# An agent's starts wait for each other: each sees the timer that the one before it started.
AGENT = compiled(
    text("""
    SELECT id FROM agents WHERE id = :agent_id AND archived_at IS NULL FOR NO KEY UPDATE
    """)
)

GET = compiled(
    text(f"""
    SELECT {TIME} FROM time_entries ti {TIME_JOINS}
    WHERE ti.id = :time_id AND ti.ticket_id = :ticket_id AND ti.deleted_at IS NULL
    """)
)

RUNNING = compiled(
    text(f"""
    SELECT {TIME} FROM time_entries ti {TIME_JOINS}
    WHERE ti.agent_id = :agent_id AND ti.seconds IS NULL AND ti.deleted_at IS NULL
    """)
)

ADD = writing("""
    INSERT INTO time_entries (ticket_id, origin_ticket_id, agent_id, seconds, started_at,
                              billable, note)
    SELECT id, id, :agent_id, :seconds, :started_at, coalesce(:billable, billable), :note
    FROM tickets WHERE id = :ticket_id
""")

# No row: a timer of this agent runs. The clock is read now: a batch's transaction began before.
START = writing("""
    INSERT INTO time_entries (ticket_id, origin_ticket_id, agent_id, started_at, billable, note)
    SELECT id, id, :agent_id, clock_timestamp(), coalesce(:billable, billable), :note
    FROM tickets WHERE id = :ticket_id
    ON CONFLICT (agent_id) WHERE seconds IS NULL AND deleted_at IS NULL DO NOTHING
""")

# A clock that was set back, or a timer that was forgotten for years, makes no impossible time.
STOP = writing("""
    UPDATE time_entries SET
        seconds = least(greatest(
            extract(epoch FROM clock_timestamp() - started_at), 1), :longest),
        note = coalesce(CAST(:note AS text), note), updated_at = now(), version = version + 1
    WHERE id = :time_id
""")

CHANGE = writing("""
    UPDATE time_entries SET agent_id = :agent_id, seconds = :seconds, started_at = :started_at,
        billable = :billable, note = :note, updated_at = now(), version = version + 1
    WHERE id = :time_id
""")

REMOVE = writing("""
    UPDATE time_entries SET deleted_at = now(), updated_at = now(), version = version + 1
    WHERE id = :time_id
""")

# Of a ticket that is another client's now.
RETELL = writing("""
    UPDATE time_entries SET version = version + 1 WHERE ticket_id = :ticket_id
""")


def time_entry(row: asyncpg.Record) -> TimeEntry:
    return TimeEntry(
        id=row["id"],
        ticket_id=row["ticket_id"],
        origin_ticket_id=row["origin_ticket_id"],
        reference=f"{row['prefix']}{row['number']}",
        client=_named(row["client_id"], row["client_name"]),
        entry_id=row["entry_id"],
        agent=_named(row["agent_id"], row["agent_name"]),
        seconds=row["seconds"],
        started_at=row["started_at"],
        billable=row["billable"],
        note=row["note"],
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        deleted_at=row["deleted_at"],
        invoice_id=row["invoice_id"],
        version=row["version"],
    )


def _named(id: int | None, name: str) -> Named | None:
    return None if id is None else Named(id=id, name=name)
