"""How many answers of one sender count within an hour."""

from deskwire import migrations

revision = "0018"
down_revision = "0017"

ANSWERS = """
ALTER TABLE sender_budgets ADD COLUMN answers integer NOT NULL DEFAULT 0;
"""


def upgrade() -> None:
    migrations.run_script(ANSWERS)
