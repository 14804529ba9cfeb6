"""What mails quote: the last message, where all who read the ticket now were meant by it.

Of what was said before nobody knows whom it was for, so it is not quoted. With the statistics the
planner knows that nearly all entries of a ticket are its own, and finds the first by the index.
"""

from deskwire import migrations

revision = "0021"
down_revision = "0020"

SQL = """
ALTER TABLE tickets ADD COLUMN quotable boolean NOT NULL DEFAULT false;
ALTER TABLE tickets ALTER COLUMN quotable SET DEFAULT true;
CREATE INDEX entries_said ON entries (ticket_id, id) WHERE kind <> 'internal';
CREATE STATISTICS entries_origin (dependencies) ON ticket_id, origin_ticket_id FROM entries;
"""


def upgrade() -> None:
    migrations.run_script(SQL)
