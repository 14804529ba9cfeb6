"""Who wanted no more mails of a ticket."""

from deskwire import migrations

revision = "0025"
down_revision = "0024"


def upgrade() -> None:
    migrations.run_script("ALTER TABLE tickets ADD COLUMN unwatched text[] NOT NULL DEFAULT '{}'")
