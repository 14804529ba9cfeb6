"""Nobody asks the ledger for its states: the gateway's lists have them."""

from deskwire import migrations

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    migrations.run_script("DROP INDEX mails_by_state;")
