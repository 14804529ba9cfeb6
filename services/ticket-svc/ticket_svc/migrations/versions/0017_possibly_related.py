"""Which ticket a mail named whose sender takes no part in it: the new one says so."""

from deskwire import migrations

revision = "0017"
down_revision = "0016"

POSSIBLY_RELATED = """
ALTER TABLE tickets ADD COLUMN possibly_related bigint REFERENCES tickets;
"""


def upgrade() -> None:
    migrations.run_script(POSSIBLY_RELATED)
