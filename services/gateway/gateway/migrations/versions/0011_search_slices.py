"""Searches have an index for what is on tickets, one for what is in entries, and finer slices."""

from deskwire import migrations

revision = "0011"
down_revision = "0010"

SLICES = """
DROP INDEX texts_words;
UPDATE texts SET words = words || array_to_tsvector(
    ARRAY['=12:' || (ticket_id >> 12), '=16:' || (ticket_id >> 16)]);
CREATE INDEX texts_of_tickets ON texts USING gin (words)
    WITH (gin_pending_list_limit = 512) WHERE id < 0;
CREATE INDEX texts_of_entries ON texts USING gin (words)
    WITH (gin_pending_list_limit = 512) WHERE id > 0;
"""


def upgrade() -> None:
    migrations.run_script(SLICES)
