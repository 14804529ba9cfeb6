"""Refresh tokens of the mail server."""

from deskwire import migrations, oauth

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    migrations.run_script(oauth.CREATE)
