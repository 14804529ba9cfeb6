"""The history of settings."""

from deskwire import migrations

revision = "0010"
down_revision = "0009"

TABLES = """
CREATE TABLE setting_history (
    id bigint PRIMARY KEY,
    client_id bigint,
    doc text NOT NULL
);
CREATE INDEX setting_history_client ON setting_history (client_id, id);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
