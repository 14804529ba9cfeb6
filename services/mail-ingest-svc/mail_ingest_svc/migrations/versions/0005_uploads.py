"""Which uploads became a mail."""

from deskwire import migrations

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    migrations.run_script("CREATE INDEX mails_streamed ON mails (raw_id) WHERE raw_id LIKE 'raw/%'")
