"""What tickets wait for."""

from deskwire import migrations

revision = "0008"
down_revision = "0007"

TABLES = """
ALTER TABLE tickets ADD COLUMN clock text;
CREATE INDEX tickets_armed ON tickets (id) WHERE clock IS NOT NULL;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
