"""Which entries are replies, and which are redacted."""

from deskwire import migrations

revision = "0004"
down_revision = "0003"

TABLES = """
ALTER TABLE entries
    ADD COLUMN reply boolean NOT NULL DEFAULT true,
    ADD COLUMN redacted boolean NOT NULL DEFAULT false;
UPDATE entries SET
    reply = NOT (CAST(doc AS json) ->> 'opening' = 'true'
                 AND CAST(doc AS json) ->> 'origin_ticket_id' = CAST(ticket_id AS text)),
    redacted = CAST(doc AS json) ->> 'redacted_at' IS NOT NULL;
CREATE INDEX entries_replies ON entries (kind, id) WHERE reply;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
