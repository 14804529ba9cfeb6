"""What a consumer remembers: messages it has handled, and messages that failed."""

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

FAIL = compiled(
    text("""
    INSERT INTO dead_letters (consumer, message_id, type, aggregate, body, correlation_id,
                              causation_id, traceparent, attempts, error, retry_at)
    VALUES (:consumer, :id, :type, :aggregate, :body, :correlation, :causation, :trace,
            :attempts, :error, now() + make_interval(secs => :delay))
    ON CONFLICT (consumer, message_id) DO UPDATE
    SET attempts = dead_letters.attempts + excluded.attempts, error = excluded.error,
        failed_at = now(), retry_at = excluded.retry_at
    RETURNING attempts
    """)
)

PUT_OFF = compiled(
    text("""
    UPDATE dead_letters
    SET attempts = :attempts, error = :error, failed_at = now(),
        retry_at = now() + make_interval(secs => :delay)
    WHERE consumer = :consumer AND message_id = :id
    """)
)

CLAIM_DUE = compiled(
    text("""
    UPDATE dead_letters SET retry_at = now() + interval '5 minutes'
    WHERE (consumer, message_id) IN (
        SELECT consumer, message_id FROM dead_letters
        WHERE consumer = :consumer AND retry_at <= now()
        ORDER BY retry_at LIMIT 20 FOR UPDATE SKIP LOCKED)
    RETURNING *
    """)
)

FORGET = compiled(
    text("""
    DELETE FROM dead_letters
    WHERE consumer = :consumer AND message_id = ANY(CAST(:ids AS uuid[]))
    """)
)
