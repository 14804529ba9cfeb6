"""Uploads, and blobs that are of no use any more. The files that there are came with mails."""

from deskwire import migrations

revision = "0004"
down_revision = "0003"

TABLES = """
ALTER TABLE attachments
    ADD COLUMN sha256 text,
    ADD COLUMN linked_at timestamptz,
    ADD COLUMN uploader text,
    ADD COLUMN request_id uuid UNIQUE;
UPDATE attachments SET sha256 = blob_id, linked_at = created_at;
CREATE INDEX attachments_blob ON attachments (blob_id);
CREATE INDEX attachments_unused ON attachments (created_at) WHERE linked_at IS NULL;
CREATE INDEX entries_body_blob ON entries (body_blob) WHERE body_blob IS NOT NULL;

CREATE TABLE discarded_blobs (
    blob_id text PRIMARY KEY,
    created_at timestamptz NOT NULL DEFAULT now()
);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
