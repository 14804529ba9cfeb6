"""What a mail quotes and how it is signed, beside what it says."""

from deskwire import migrations

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    migrations.run_script("""
    ALTER TABLE entries
        ADD COLUMN body_quoted text NOT NULL DEFAULT '',
        ADD COLUMN body_signature text NOT NULL DEFAULT '';
    """)
