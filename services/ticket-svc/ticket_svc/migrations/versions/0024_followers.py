"""Which ticket follows one that was closed too long ago."""

from deskwire import migrations

revision = "0024"
down_revision = "0023"


def upgrade() -> None:
    migrations.run_script(
        "CREATE INDEX tickets_follows ON tickets (follows, id) WHERE follows IS NOT NULL"
    )
