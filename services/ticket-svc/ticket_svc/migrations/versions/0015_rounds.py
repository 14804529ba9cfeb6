"""Tickets that had the status auto-close before there were alarms are reminded and closed, too."""

from deskwire import migrations

revision = "0015"
down_revision = "0014"

INDEX = """
DROP INDEX tickets_armed;
CREATE INDEX tickets_armed ON tickets (id) WHERE clock IS NOT NULL OR status = 'auto-close';
"""

RECOUNT = """
INSERT INTO outbox
    (message_id, type, aggregate, body, correlation_id, causation_id, traceparent)
SELECT id, 'deadlines.recount.v1', 'deadlines', '{}', CAST(id AS text), '', ''
FROM gen_random_uuid() AS id WHERE EXISTS (SELECT FROM tickets WHERE status = 'auto-close');
"""


def upgrade() -> None:
    migrations.run_script(INDEX)
    migrations.run_script(RECOUNT)
