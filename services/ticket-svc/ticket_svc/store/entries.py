"""Entries that change: edited, redacted, or of another time worked."""

from sqlalchemy import text

from deskwire.db import compiled

GET = compiled(
    text("SELECT * FROM entries WHERE id = :entry_id AND ticket_id = :ticket_id FOR UPDATE")
)

EDIT = compiled(
    text("""
    UPDATE entries SET body_text = :body_text, body_html = :body_html,
        body_quoted = :body_quoted, body_signature = :body_signature, body_blob = :body_blob,
        edited_at = now(), version = version + 1
    WHERE id = :entry_id RETURNING *
    """)
)

REDACT = compiled(
    text("""
    UPDATE entries SET body_text = '', body_html = NULL, body_quoted = '', body_signature = '',
        body_blob = NULL, attachments = '[]', redacted_at = now(), redacted_by = :by,
        version = version + 1
    WHERE id = :entry_id RETURNING *
    """)
)

# What a machine says is noted once a day, and so much of all, else it could go on for ever.
NOTED_TODAY = compiled(
    text("""
    SELECT count(*) >= :most OR coalesce(bool_or(
        CAST(author AS jsonb) ->> 'email' = CAST(:email AS text) OR body_text = :text), false)
    FROM entries
    WHERE ticket_id = :ticket_id AND kind = 'internal' AND via = 'email'
      AND created_at > now() - interval '1 day'
    """)
)

WORKED = compiled(
    text("""
    UPDATE entries SET time_worked = :seconds, version = version + 1 WHERE id = :entry_id
    RETURNING *
    """)
)
