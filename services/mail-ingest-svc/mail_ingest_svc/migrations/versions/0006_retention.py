"""Raw mails that are deleted in time, with what came in those that became no ticket."""

from deskwire import migrations

revision = "0006"
down_revision = "0005"

RETENTION = """
ALTER TABLE mails
    ADD COLUMN parts text,
    ADD COLUMN raw_deleted_at timestamptz;
CREATE TABLE discarded_blobs (blob_id text PRIMARY KEY);
DROP INDEX mails_streamed;
CREATE INDEX mails_raw ON mails (raw_id) WHERE raw_id IS NOT NULL;
CREATE INDEX mails_settled ON mails (coalesce(handled_at, received_at, seen_at))
    WHERE raw_id IS NOT NULL AND state IN ('ticket', 'reply', 'ignored', 'duplicate');
"""


def upgrade() -> None:
    migrations.run_script(RETENTION)
