"""Digests: deliveries that take up what happens until they are due."""

from sqlalchemy import text

from deskwire.db import Database, compiled
from notify_svc.domain.mails import DigestItem, Notice
from notify_svc.store.deliveries import DOCUMENT

# The row is locked until what is added to it is committed, so that no sender takes it without.
# There is no row when one has taken it: what comes now is for the next digest.
OPEN = compiled(
    text("""
    INSERT INTO deliveries AS digest (about, template, recipient, message_id, context,
                                      next_attempt_at, queued_at)
    VALUES (:about, 'digest', :recipient, :message_id, :context, :due_at, :due_at)
    ON CONFLICT (about, template, recipient) DO UPDATE SET about = digest.about
        WHERE digest.state = 'queued' AND digest.attempts = 0
    RETURNING id
    """)
)

ADD = compiled(
    text("""
    INSERT INTO digest_items (delivery_id, event, context) VALUES (:delivery_id, :event, :context)
    """)
)

STOP = compiled(
    text(f"""
    UPDATE deliveries
    SET state = 'failed', answer = 'not sent, the agent wants no more of them',
        next_attempt_at = NULL, version = version + 1
    WHERE template = 'digest' AND state = 'queued' AND starts_with(about, :prefix)
      AND CAST(context AS json) ->> 'every' = :every
    RETURNING {DOCUMENT}
    """)
)

ITEMS = compiled(
    text("""
    SELECT event, context, created_at FROM digest_items WHERE delivery_id = :delivery_id ORDER BY id
    """)
)


async def items(database: Database, delivery_id: int) -> tuple[DigestItem, ...]:
    rows = await database.fetch(ITEMS, delivery_id=delivery_id)
    return tuple(
        DigestItem(
            event=row["event"],
            at=row["created_at"],
            notice=Notice.model_validate_json(row["context"]),
        )
        for row in rows
    )
