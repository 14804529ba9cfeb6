"""Due times that were set stay as they were set."""

from deskwire import migrations

revision = "0012"
down_revision = "0011"

MARK = """
UPDATE tickets
SET clock = CAST(CAST(coalesce(clock, '{}') AS jsonb) || '{"due_by_hand": true}' AS text)
WHERE due_at IS NOT NULL AND status <> 'closed'
"""


def upgrade() -> None:
    migrations.run_script(MARK)
