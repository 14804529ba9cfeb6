"""Replies in the order of an index of their own; what records are looked up by.

Records that are there get their look-ups from their documents: those of the kinds that there were.
"""

from deskwire import migrations

revision = "0005"
down_revision = "0004"

TABLES = """
ALTER TABLE entries ADD COLUMN reply_id bigint;
UPDATE entries SET reply_id = id WHERE reply;
ALTER TABLE entries DROP COLUMN reply;  -- and its index
CREATE INDEX entries_replies ON entries (kind, reply_id) WHERE reply_id IS NOT NULL;

ALTER TABLE records
    ADD COLUMN lookups text[] NOT NULL DEFAULT '{}',
    ADD COLUMN archived boolean NOT NULL DEFAULT false;
UPDATE records SET
    lookups = CASE
        WHEN kind IN ('client', 'domain') THEN ARRAY['name:' || lower(CAST(doc AS json) ->> 'name')]
        WHEN kind = 'contact' AND CAST(doc AS json) ->> 'email' IS NOT NULL
            THEN ARRAY['email:' || lower(CAST(doc AS json) ->> 'email')]
        ELSE '{}' END,
    archived = CAST(doc AS json) ->> 'archived_at' IS NOT NULL;
CREATE INDEX records_lookups ON records USING gin (lookups) WITH (fastupdate = off);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
