"""The ledger of mails that came in."""

from deskwire import migrations

revision = "0012"
down_revision = "0011"

INBOUND = """
CREATE TABLE inbound (
    id bigint PRIMARY KEY,
    state text NOT NULL,
    mailbox text NOT NULL,
    sender text,
    ticket_id bigint,
    seen_at timestamptz NOT NULL,
    raw_id text,
    version integer NOT NULL,
    doc text NOT NULL
);
CREATE INDEX inbound_state ON inbound (state, seen_at, id);
CREATE INDEX inbound_mailbox ON inbound (mailbox, seen_at, id);
CREATE INDEX inbound_sender ON inbound (sender, seen_at, id);
CREATE INDEX inbound_ticket ON inbound (ticket_id);
CREATE INDEX inbound_seen ON inbound (seen_at, id);
"""


def upgrade() -> None:
    migrations.run_script(INBOUND)
