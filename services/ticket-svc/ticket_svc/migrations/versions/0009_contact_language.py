"""The language that a contact reads."""

from deskwire import migrations

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    migrations.run_script("ALTER TABLE contacts ADD COLUMN language text")
