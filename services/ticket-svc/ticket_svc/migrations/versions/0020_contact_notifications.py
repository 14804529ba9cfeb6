"""Whether a contact hears of new and closed tickets."""

from deskwire import migrations

revision = "0020"
down_revision = "0019"


def upgrade() -> None:
    migrations.run_script(
        "ALTER TABLE contacts ADD COLUMN notifications boolean NOT NULL DEFAULT true"
    )
