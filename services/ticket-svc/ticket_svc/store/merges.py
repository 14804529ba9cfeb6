"""Merges: what was merged into what, and what it takes to undo it."""

from sqlalchemy import text

from deskwire.db import compiled
from ticket_svc.store.timekeeping import writing

# People merge seldom; two at once could make a circle, or wait for each other.
ONE_AT_A_TIME = compiled(text("SELECT pg_advisory_xact_lock(hashtextextended('merges', 0))"))

INSERT = compiled(
    text("""
    INSERT INTO merges (source_id, target_id, reason, status, closed_at, closed_by, watchers,
                        asset_ids)
    VALUES (:source_id, :target_id, :reason, :status, :closed_at, :closed_by,
            CAST(:watchers AS text[]), CAST(:asset_ids AS bigint[]))
    RETURNING id
    """)
)

# Of a ticket that is merged its own merge, else the last one into it.
FIND = compiled(
    text("""
    SELECT * FROM merges
    WHERE undone_at IS NULL AND (source_id = :ticket_id OR target_id = :ticket_id)
    ORDER BY source_id = :ticket_id DESC, id DESC LIMIT 1
    """)
)

# From a ticket on to where all is shown, nearest first.
ONWARD = compiled(
    text("""
    WITH RECURSIVE onward AS (
        SELECT m.*, 1 AS hop FROM merges m WHERE source_id = :ticket_id AND undone_at IS NULL
        UNION ALL
        SELECT m.*, hop + 1 FROM merges m JOIN onward ON m.source_id = onward.target_id
        WHERE m.undone_at IS NULL
    )
    SELECT * FROM onward ORDER BY hop
    """)
)

# All that was merged into a ticket, and into those, and so on.
BELOW = compiled(
    text("""
    WITH RECURSIVE below AS (
        SELECT source_id FROM merges WHERE target_id = :ticket_id AND undone_at IS NULL
        UNION
        SELECT m.source_id FROM merges m JOIN below ON m.target_id = below.source_id
        WHERE m.undone_at IS NULL
    )
    SELECT source_id FROM below ORDER BY source_id
    """)
)

UNDO = compiled(text("UPDATE merges SET undone_at = now() WHERE id = :id"))

GIVE_BACK = compiled(
    text("""
    UPDATE merges SET watchers = CAST(:watchers AS text[]), asset_ids = CAST(:asset_ids AS bigint[])
    WHERE id = :id
    """)
)

MOVE_ENTRIES = compiled(
    text("""
    UPDATE entries SET ticket_id = :target_id, version = version + 1
    WHERE ticket_id = :source_id AND origin_ticket_id = ANY(CAST(:origins AS bigint[]))
    RETURNING *
    """)
)

# Time that is on an invoice of another client than that of the ticket where it is shown.
ASTRAY = compiled(
    text("""
    SELECT i.prefix || i.number AS reference FROM time_entries ti
    JOIN tickets t ON t.id = ti.ticket_id
    JOIN invoiced_time it ON it.time_entry_id = ti.id AND it.freed_at IS NULL
    JOIN invoices i ON i.id = it.invoice_id AND i.client_id IS DISTINCT FROM t.client_id
    WHERE ti.ticket_id = :ticket_id ORDER BY i.number LIMIT 1
    """)
)

MOVE_TIME = writing("""
    UPDATE time_entries SET ticket_id = :target_id, version = version + 1
    WHERE ticket_id = :source_id AND origin_ticket_id = ANY(CAST(:origins AS bigint[]))
""")
