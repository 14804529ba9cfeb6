"""Time entries. Those that replies brought are made of them: they end with the reply."""

from deskwire import migrations

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE time_entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id bigint NOT NULL REFERENCES tickets,
    origin_ticket_id bigint NOT NULL REFERENCES tickets,
    entry_id bigint REFERENCES entries,
    agent_id bigint REFERENCES agents,
    seconds integer,
    started_at timestamptz NOT NULL,
    billable boolean NOT NULL,
    note text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    deleted_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
INSERT INTO time_entries (ticket_id, origin_ticket_id, entry_id, agent_id, seconds, started_at,
                          billable, created_at, updated_at)
SELECT e.ticket_id, e.origin_ticket_id, e.id, a.id, e.time_worked,
       e.created_at - e.time_worked * interval '1 second', t.billable, e.created_at, e.created_at
FROM entries e JOIN tickets t ON t.id = e.ticket_id
LEFT JOIN agents a ON CAST(e.author AS json) ->> 'type' = 'agent'
                  AND CAST(CAST(e.author AS json) ->> 'id' AS bigint) = a.id
WHERE e.time_worked > 0 ORDER BY e.id;
CREATE INDEX time_entries_ticket ON time_entries (ticket_id);
CREATE UNIQUE INDEX time_entries_running ON time_entries (agent_id)
    WHERE seconds IS NULL AND deleted_at IS NULL;

ALTER TABLE tickets ALTER COLUMN time_worked TYPE bigint;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
