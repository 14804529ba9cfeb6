"""The history of tickets."""

from deskwire import migrations

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE history (
    id bigint PRIMARY KEY,
    ticket_id bigint NOT NULL,
    doc text NOT NULL
);
CREATE INDEX history_ticket ON history (ticket_id, id);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
