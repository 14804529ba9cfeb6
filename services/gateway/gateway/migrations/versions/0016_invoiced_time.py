"""Which time is invoiced, for reports."""

from deskwire import migrations

revision = "0016"
down_revision = "0015"

TABLES = """
ALTER TABLE time_entries ADD COLUMN invoice_id bigint;
DROP INDEX time_entries_agent, time_entries_client, time_entries_started;
CREATE INDEX time_entries_agent ON time_entries (agent_id, started_at)
    INCLUDE (client_id, ticket_id, seconds, billable, invoice_id)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX time_entries_client ON time_entries (client_id, started_at)
    INCLUDE (agent_id, ticket_id, seconds, billable, invoice_id)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX time_entries_started ON time_entries (started_at)
    INCLUDE (agent_id, client_id, ticket_id, seconds, billable, invoice_id)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
