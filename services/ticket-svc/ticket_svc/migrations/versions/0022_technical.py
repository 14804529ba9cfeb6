"""Which contacts watch a ticket that names none."""

from deskwire import migrations

revision = "0022"
down_revision = "0021"


def upgrade() -> None:
    migrations.run_script("CREATE INDEX contacts_technical ON contacts (client_id) WHERE technical")
