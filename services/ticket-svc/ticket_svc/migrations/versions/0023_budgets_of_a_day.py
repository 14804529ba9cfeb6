"""Budgets are of one day, and all are read when the old ones go: with an index or without."""

from deskwire import migrations

revision = "0023"
down_revision = "0022"


def upgrade() -> None:
    migrations.run_script("DROP INDEX sender_budgets_old;")
