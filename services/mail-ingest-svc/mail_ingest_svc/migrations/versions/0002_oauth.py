"""Refresh tokens that authorization servers have replaced."""

from deskwire import migrations, oauth

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    migrations.run_script(oauth.CREATE)
