"""A ticket's reference is looked up by the number that it ends in."""

from deskwire import migrations

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    migrations.run_script("DROP INDEX tickets_reference")
