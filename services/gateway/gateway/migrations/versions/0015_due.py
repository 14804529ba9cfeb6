"""When tickets are due."""

from deskwire import migrations

revision = "0015"
down_revision = "0014"

TABLES = """
ALTER TABLE tickets ADD COLUMN due_at timestamptz;
CREATE INDEX tickets_due ON tickets (due_at, id)
    INCLUDE (status, priority, source, client_id, assigned_to) WHERE due_at IS NOT NULL;
UPDATE tickets SET due_at = CAST(CAST(doc AS json) ->> 'due_at' AS timestamptz)
WHERE doc LIKE '%"due_at":"%';
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
