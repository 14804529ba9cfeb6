"""The ledger."""

from deskwire import migrations
from deskwire.messaging import schema

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE mails (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    mailbox text NOT NULL,
    folder text NOT NULL,
    uidvalidity bigint NOT NULL,
    uid text NOT NULL,
    state text NOT NULL DEFAULT 'fetching',
    reason text NOT NULL DEFAULT '',
    size bigint NOT NULL,
    sha256 text,
    raw_id text,
    message_id text,
    sender text,
    subject text NOT NULL DEFAULT '',
    ticket_id bigint,
    entry_id bigint,
    attempts integer NOT NULL DEFAULT 1,
    claimed_at timestamptz DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz,
    handled_at timestamptz,
    flagged_at timestamptz,
    UNIQUE (mailbox, folder, uidvalidity, uid),
    CONSTRAINT mails_state CHECK (state IN (
        'fetching', 'received', 'ticket', 'reply', 'ignored', 'failed', 'duplicate'))
);
-- The newest of one state, and how many there are.
CREATE INDEX mails_by_state ON mails (state, id);
-- The first look after an outage: what is not known to have left the folder.
CREATE INDEX mails_unmoved ON mails (mailbox, folder) WHERE flagged_at IS NULL;

CREATE TABLE originals (
    sha256 text PRIMARY KEY,
    mail_id bigint NOT NULL
);
"""


def upgrade() -> None:
    migrations.run_script(schema.CREATE)
    migrations.run_script(TABLES)
