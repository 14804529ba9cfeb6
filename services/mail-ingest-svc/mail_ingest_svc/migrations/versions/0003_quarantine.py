"""Mails that somebody is to look at."""

from deskwire import migrations

revision = "0003"
down_revision = "0002"

STATES = """
ALTER TABLE mails DROP CONSTRAINT mails_state, ADD CONSTRAINT mails_state CHECK (state IN (
    'fetching', 'received', 'ticket', 'reply', 'ignored', 'quarantined', 'failed', 'duplicate'));
"""


def upgrade() -> None:
    migrations.run_script(STATES)
