"""What contacts say of how their tickets went."""

from deskwire import migrations

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    migrations.run_script("ALTER TABLE tickets ADD COLUMN feedback text")
