"""What happened to tickets, for those who listen."""

from deskwire import migrations

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE changes (
    xid bigint NOT NULL DEFAULT CAST(CAST(pg_current_xact_id() AS text) AS bigint),
    id bigint GENERATED ALWAYS AS IDENTITY,
    at timestamptz NOT NULL DEFAULT now(),
    type text NOT NULL,
    ticket_id bigint NOT NULL,
    entry_id bigint,
    internal boolean NOT NULL,
    PRIMARY KEY (xid, id)
);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
