"""By which mailbox a ticket came: what is written about it comes from there."""

from deskwire import migrations

revision = "0019"
down_revision = "0018"


def upgrade() -> None:
    migrations.run_script("ALTER TABLE tickets ADD COLUMN mailbox text")
