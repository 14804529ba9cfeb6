"""The alarms of tickets."""

from deskwire import migrations

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE alarms (
    ticket_id bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    version integer NOT NULL
);
CREATE INDEX alarms_due ON alarms (at);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
