"""Addresses that get no mail."""

from deskwire import migrations

revision = "0004"
down_revision = "0003"

TABLES = """
CREATE TABLE suppressions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    email text NOT NULL,
    email_key text NOT NULL,
    reason text NOT NULL,
    delivery_id bigint,
    created_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT suppressions_once UNIQUE (email_key)
);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
