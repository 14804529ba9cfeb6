"""Which mails count: settings, budgets of senders, addresses that nothing will ever reach."""

from deskwire import migrations

revision = "0011"
down_revision = "0010"

POLICY = """
ALTER TABLE contacts ADD COLUMN undeliverable text;
UPDATE settings SET doc = doc || jsonb_build_object(
    'mailboxes', jsonb_build_array(),
    'tickets_per_sender', 20,
    'acknowledgements_per_sender', 3,
    'sender_authentication', 'not-failed');

CREATE TABLE sender_budgets (
    email_key text NOT NULL,
    hour timestamptz NOT NULL,
    tickets integer NOT NULL,
    PRIMARY KEY (email_key, hour)
);
CREATE INDEX sender_budgets_old ON sender_budgets (hour);
"""


def upgrade() -> None:
    migrations.run_script(POLICY)
