"""Raw mails whose time is over, and the blobs that are deleted with them.

A blob is deleted in three steps, each of which may be the last before a crash: its row lets go of
it and it is noted in the same transaction, then it goes, then the note.
"""

from sqlalchemy import text

from deskwire.db import compiled
from mail_ingest_svc.store.documents import DOCUMENT
from mail_ingest_svc.store.tables import SETTLED, SETTLED_AT

ROWS = 500

# What came with a ticket or a reply is ticket-svc's. What was decided anew meanwhile is locked, and
# not settled any more.
EXPIRE = compiled(
    text(f"""
    WITH old AS MATERIALIZED (
        SELECT id, raw_id, CASE WHEN state IN ('ignored', 'duplicate') THEN parts END AS parts
        FROM mails
        WHERE {SETTLED} AND {SETTLED_AT} < now() - make_interval(days => CAST(:days AS integer))
        ORDER BY {SETTLED_AT} LIMIT {ROWS} FOR UPDATE SKIP LOCKED
    ), noted AS (
        INSERT INTO discarded_blobs
        SELECT raw_id FROM old
        UNION SELECT json_array_elements_text(CAST(parts AS json)) FROM old
        ON CONFLICT DO NOTHING
    )
    UPDATE mails SET raw_id = NULL, raw_deleted_at = now(), version = version + 1
    FROM old WHERE mails.id = old.id
    RETURNING {DOCUMENT}
    """)
)

# Equal mails of former times have a blob in common: the last of them takes it along.
DISCARDED = compiled(
    text(f"""
    SELECT blob_id, EXISTS (SELECT FROM mails WHERE mails.raw_id = blob_id) AS used
    FROM discarded_blobs ORDER BY blob_id LIMIT {ROWS}
    """)
)

DELETED = compiled(
    text("DELETE FROM discarded_blobs WHERE blob_id = ANY(CAST(:blob_ids AS text[]))")
)
