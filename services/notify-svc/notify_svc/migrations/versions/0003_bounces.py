"""Mails that came back, found by their Message-ID."""

from deskwire import migrations

revision = "0003"
down_revision = "0002"

BOUNCED = """
ALTER TABLE deliveries DROP CONSTRAINT deliveries_state_check,
    ADD CONSTRAINT deliveries_state_check CHECK (
        state IN ('queued', 'sending', 'sent', 'failed', 'uncertain', 'bounced'));
CREATE INDEX deliveries_message ON deliveries (message_id);
"""


def upgrade() -> None:
    migrations.run_script(BOUNCED)
