"""Whether new tickets are billable that do not say so."""

from deskwire import migrations

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    migrations.run_script("""UPDATE settings SET doc = '{"tickets_billable": false}' || doc""")
