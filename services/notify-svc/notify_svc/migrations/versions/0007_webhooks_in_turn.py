"""What is to be told to each webhook is found without what is for the others."""

from deskwire import migrations

revision = "0007"
down_revision = "0006"

INDEX = """
CREATE INDEX deliveries_to_webhook ON deliveries (recipient, next_attempt_at, id)
    WHERE channel = 'webhook' AND state IN ('queued', 'uncertain');
"""


def upgrade() -> None:
    migrations.run_script(INDEX)
