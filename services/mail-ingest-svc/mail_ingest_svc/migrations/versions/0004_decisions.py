"""Mails that people hand in, and what they decide about those that became no ticket."""

from deskwire import migrations

revision = "0004"
down_revision = "0003"

DECISIONS = """
ALTER TABLE mails
    ADD COLUMN accepted boolean NOT NULL DEFAULT false,
    ADD COLUMN client_id bigint,
    ADD COLUMN decided_by text,
    ADD COLUMN version integer NOT NULL DEFAULT 1;
-- What is in the blobs and waits to be read.
CREATE INDEX mails_kept ON mails (id) WHERE state = 'fetching' AND raw_id IS NOT NULL;
"""


def upgrade() -> None:
    migrations.run_script(DECISIONS)
