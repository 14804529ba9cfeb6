"""Who reads another language gets mails in it from the start, not once it is among the settings."""

from deskwire import migrations

revision = "0013"
down_revision = "0012"

LANGUAGES = """
UPDATE settings SET doc = doc || '{"languages": ["en", "de", "fr", "es", "nl"]}'
WHERE doc -> 'languages' = '["en"]';
"""


def upgrade() -> None:
    migrations.run_script(LANGUAGES)
