"""Deliveries to webhooks beside those by mail."""

from deskwire import migrations

revision = "0018"
down_revision = "0017"


def upgrade() -> None:
    migrations.run_script("ALTER TABLE deliveries ADD COLUMN channel text NOT NULL DEFAULT 'mail'")
