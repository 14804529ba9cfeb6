"""Webhooks, and deliveries that are none by mail."""

from deskwire import migrations

revision = "0005"
down_revision = "0004"

TABLES = """
CREATE TABLE webhooks (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    url text NOT NULL,
    description text NOT NULL,
    events text[] NOT NULL,
    client_id bigint,
    secret text NOT NULL,
    enabled boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);

ALTER TABLE deliveries ADD COLUMN channel text NOT NULL DEFAULT 'mail';
DROP INDEX deliveries_due;
CREATE INDEX deliveries_due ON deliveries (channel, next_attempt_at, id)
    WHERE state IN ('queued', 'uncertain');
CREATE INDEX deliveries_of_webhook ON deliveries (recipient, created_at)
    WHERE channel = 'webhook';
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
