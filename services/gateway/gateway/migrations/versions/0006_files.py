"""Files of entries, to be read by their ids.

The documents that there are do not say where their files are: `deskwire reproject` tells of those
entries anew.
"""

from deskwire import migrations

revision = "0006"
down_revision = "0005"

TABLES = """
ALTER TABLE entries ADD COLUMN files jsonb;
UPDATE entries SET version = 0 WHERE doc LIKE '%"attachments":[{%';
CREATE INDEX entries_files ON entries USING gin (files jsonb_path_ops) WITH (fastupdate = off)
    WHERE files IS NOT NULL;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
