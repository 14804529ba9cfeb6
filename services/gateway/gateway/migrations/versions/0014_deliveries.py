"""Deliveries by template and recipient, and those that are about no one ticket."""

from deskwire import migrations

revision = "0014"
down_revision = "0013"

TABLES = """
ALTER TABLE deliveries
    ALTER COLUMN ticket_id DROP NOT NULL,
    ADD COLUMN template text,
    ADD COLUMN recipient text;
UPDATE deliveries SET template = CAST(doc AS json) ->> 'template',
    recipient = lower(CAST(doc AS json) ->> 'recipient');
ALTER TABLE deliveries
    ALTER COLUMN template SET NOT NULL,
    ALTER COLUMN recipient SET NOT NULL;
CREATE INDEX deliveries_template ON deliveries (template, id);
CREATE INDEX deliveries_recipient ON deliveries (recipient, id);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
