"""What a consumer remembers of the messages that it has handled."""

from sqlalchemy import text

from deskwire.db import compiled
from deskwire.messaging.outbox import WRITE_SQL

# Each by its key, whatever the plan: of a young database all that is remembered would be read.
KNOWN = compiled(
    text("""
    SELECT known.* FROM unnest(CAST(:ids AS uuid[])) AS asked (id) CROSS JOIN LATERAL (
        SELECT message_id, fingerprint, reply FROM inbox
        WHERE consumer = :consumer AND message_id = asked.id OFFSET 0) AS known
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
