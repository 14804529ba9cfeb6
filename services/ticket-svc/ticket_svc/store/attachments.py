"""Files: uploaded and not used yet, or linked to their entry; and the blobs that are of no use.

A blob is deleted in three steps, each of which may be the last before a crash: the only row that
points at it goes and it is noted in the same transaction, then it goes, then the note.
"""

from sqlalchemy import text

from deskwire.db import compiled
from deskwire.messaging.housekeeping import ROWS

UNUSED = "24 hours"
"""So long an upload waits for the entry that it is for."""

_FILE = "id, name, size, type, inline, content_id, sha256, blob_id"

# Of concurrent repeats the later one waits for the first, and then has no row.
KEEP_UPLOAD = compiled(
    text(f"""
    INSERT INTO attachments (request_id, uploader, blob_id, name, type, size, sha256, inline)
    VALUES (:request_id, :uploader, :blob_id, :name, :type, :size, :sha256, false)
    ON CONFLICT (request_id) DO NOTHING
    RETURNING {_FILE}
    """)
)
UPLOAD = compiled(text(f"SELECT {_FILE} FROM attachments WHERE request_id = :request_id"))

# The lock on the row decides between entries that want the same upload, and its expiry.
LINK = compiled(
    text(f"""
    UPDATE attachments SET linked_at = now()
    WHERE id = ANY(CAST(:ids AS bigint[])) AND uploader = :uploader
      AND linked_at IS NULL AND created_at > now() - interval '{UNUSED}'
    RETURNING {_FILE}
    """)
)

# One row, so that the files of many mails are kept in one go.
INSERT_LINKED = compiled(
    text(f"""
    WITH kept AS (
        INSERT INTO attachments (blob_id, name, type, size, sha256, content_id, inline, linked_at)
        SELECT *, now() FROM unnest(
            CAST(:blob_ids AS text[]), CAST(:names AS text[]), CAST(:types AS text[]),
            CAST(:sizes AS bigint[]), CAST(:digests AS text[]), CAST(:content_ids AS text[]),
            CAST(:inlines AS boolean[]))
        RETURNING {_FILE})
    SELECT json_agg(kept ORDER BY id) FROM kept
    """)
)

DISCARD = compiled(
    text("""
    WITH gone AS (DELETE FROM attachments WHERE id = ANY(CAST(:ids AS bigint[])))
    INSERT INTO discarded_blobs (blob_id) SELECT unnest(CAST(:blob_ids AS text[]))
    ON CONFLICT DO NOTHING
    """)
)

_EXPIRED = f"""
    FROM attachments WHERE linked_at IS NULL AND created_at < now() - interval '{UNUSED}'
    ORDER BY created_at LIMIT {ROWS}
"""
EXPIRED = compiled(text(f"SELECT blob_id {_EXPIRED}"))
EXPIRE = compiled(
    text(f"""
    WITH expired AS (
        DELETE FROM attachments WHERE id IN (SELECT id {_EXPIRED} FOR UPDATE SKIP LOCKED)
        RETURNING blob_id)
    INSERT INTO discarded_blobs (blob_id) SELECT blob_id FROM expired
    ON CONFLICT DO NOTHING
    RETURNING blob_id
    """)
)

DISCARDED = compiled(text("SELECT blob_id FROM discarded_blobs ORDER BY blob_id LIMIT 500"))

# What no row points at; none will, because a place is made for one write.
LOOSE = compiled(
    text("""
    SELECT blob_id FROM unnest(CAST(:blob_ids AS text[])) AS asked (blob_id)
    WHERE NOT EXISTS (SELECT FROM attachments a WHERE a.blob_id = asked.blob_id)
      AND NOT EXISTS (SELECT FROM entries e WHERE e.body_blob = asked.blob_id)
    """)
)

DELETED = compiled(
    text("DELETE FROM discarded_blobs WHERE blob_id = ANY(CAST(:blob_ids AS text[]))")
)

SWEPT = compiled(text("SELECT value FROM counters WHERE name = 'swept day'"))
"""The last day (its ordinal in the calendar) whose blobs were looked through."""

SET_SWEPT = compiled(
    text("""
    INSERT INTO counters AS known (name, value) VALUES ('swept day', :day)
    ON CONFLICT (name) DO UPDATE SET value = greatest(known.value, excluded.value)
    """)
)
