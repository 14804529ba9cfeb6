"""Time worked on tickets. What was told of it before is not there: ask for it anew."""

from deskwire import migrations

revision = "0007"
down_revision = "0006"

TABLES = """
CREATE TABLE time_entries (
    id bigint PRIMARY KEY,
    ticket_id bigint NOT NULL,
    agent_id bigint,
    client_id bigint,
    started_at timestamptz NOT NULL,
    seconds integer,
    billable boolean NOT NULL,
    deleted_at timestamptz,
    version integer NOT NULL,
    doc text NOT NULL
);
CREATE INDEX time_entries_ticket ON time_entries (ticket_id, started_at, id);
CREATE INDEX time_entries_agent ON time_entries (agent_id, started_at)
    INCLUDE (client_id, ticket_id, seconds, billable)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX time_entries_client ON time_entries (client_id, started_at)
    INCLUDE (agent_id, ticket_id, seconds, billable)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX time_entries_started ON time_entries (started_at)
    INCLUDE (agent_id, client_id, ticket_id, seconds, billable)
    WHERE seconds IS NOT NULL AND deleted_at IS NULL;
CREATE INDEX time_entries_running ON time_entries (agent_id)
    WHERE seconds IS NULL AND deleted_at IS NULL;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
