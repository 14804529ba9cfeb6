"""What people do with mails: they hand them in, and decide about those that became no ticket."""

from sqlalchemy import text

from deskwire.db import compiled
from deskwire.messaging.replay import Kind, page
from mail_ingest_svc.store.documents import DOCUMENT, changed

HAND_IN = compiled(
    text(f"""
    INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, raw_id, attempts, claimed_at)
    VALUES (:mailbox, '', 0, :uid, :size, :raw_id, 0, NULL)
    ON CONFLICT DO NOTHING
    RETURNING {DOCUMENT}
    """)
)

HANDED_IN = compiled(
    text(f"""
    SELECT {DOCUMENT} FROM mails
    WHERE mailbox = :mailbox AND folder = '' AND uidvalidity = 0 AND uid = :uid
    """)
)

LOOSE = compiled(
    text("""
    SELECT raw_id FROM unnest(CAST(:raw_ids AS text[])) AS stored (raw_id)
    WHERE NOT EXISTS (SELECT FROM mails WHERE mails.raw_id = stored.raw_id)
    """)
)

LOCK = compiled(text(f"SELECT {DOCUMENT} FROM mails WHERE id = :id FOR UPDATE"))

TAKE_UP = compiled(
    text(f"""
    UPDATE mails SET state = 'fetching', attempts = 0, claimed_at = NULL, reason = '',
        accepted = :accepted, client_id = :client_id, decided_by = :decided_by, handled_at = NULL,
        version = version + 1
    WHERE id = :id
    RETURNING {DOCUMENT}
    """)
)

DISCARD = compiled(
    text(f"""
    UPDATE mails SET state = 'ignored', reason = concat_ws(': ', 'discarded', nullif(reason, '')),
        decided_by = :decided_by, handled_at = now(), version = version + 1
    WHERE id = :id
    RETURNING {DOCUMENT}
    """)
)

KINDS = {
    "inbound": Kind(page(f"SELECT {DOCUMENT} FROM mails"), changed),
}
