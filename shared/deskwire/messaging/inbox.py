"""What a consumer remembers of the messages that it has handled."""

from sqlalchemy import text

from deskwire.db import compiled
from deskwire.messaging.outbox import WRITE_SQL

KNOWN = compiled(
    text("""
    SELECT message_id, fingerprint, reply FROM inbox
    WHERE consumer = :consumer AND message_id = ANY(CAST(:ids AS uuid[]))
    """)
)

# One round trip for both: what was handled, and what it caused.
REMEMBER = compiled(
    text(f"""
    WITH handled AS (
        INSERT INTO inbox (consumer, message_id, fingerprint, reply)
        SELECT :consumer, * FROM unnest(
            CAST(:handled AS uuid[]), CAST(:fingerprints AS bytea[]), CAST(:replies AS text[]))
    )
    {WRITE_SQL}
    """)
)

FORGET = compiled(
    text("""
    DELETE FROM dead_letters
    WHERE consumer = :consumer AND message_id = ANY(CAST(:ids AS uuid[]))
    """)
)
