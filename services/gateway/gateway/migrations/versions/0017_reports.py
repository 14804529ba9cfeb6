"""When tickets were answered and closed, and which body a request for many tickets had."""

from deskwire import migrations

revision = "0017"
down_revision = "0016"

TABLES = """
ALTER TABLE tickets ADD COLUMN first_response_at timestamptz, ADD COLUMN closed_at timestamptz;
UPDATE tickets
SET first_response_at = CAST(CAST(doc AS json) ->> 'first_response_at' AS timestamptz),
    closed_at = CAST(CAST(doc AS json) ->> 'closed_at' AS timestamptz)
WHERE doc LIKE '%"first_response_at":"%' OR doc LIKE '%"closed_at":"%';
DROP INDEX tickets_by_created;
CREATE INDEX tickets_by_created ON tickets (created_at, id)
    INCLUDE (status, priority, source, client_id, assigned_to, updated_at, first_response_at);
CREATE INDEX tickets_closed ON tickets (closed_at) INCLUDE (client_id, assigned_to)
    WHERE closed_at IS NOT NULL;

CREATE TABLE bulk_requests (
    id uuid PRIMARY KEY,
    body_sha256 bytea NOT NULL,
    at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX bulk_requests_at ON bulk_requests (at);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
