"""Records are ordered and found by their names.

Those that are there are folded as far as PostgreSQL does; the next change of each does the rest.
"""

from deskwire import migrations

revision = "0009"
down_revision = "0008"

TABLES = """
ALTER TABLE records
    ADD COLUMN name text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN words tsvector NOT NULL DEFAULT '';
WITH told AS (
    SELECT kind, id, lower(CAST(doc AS json) ->> 'name') AS name,
           lower(CAST(doc AS json) ->> 'email') AS email
    FROM records WHERE kind IN ('client', 'contact', 'domain', 'agent', 'schedule')
), folded AS (
    SELECT kind, id, name, email,
           regexp_replace(normalize(name, NFKD), '[\\u0300-\\u036f]', '', 'g') AS plain
    FROM told
)
UPDATE records SET
    name = left(plain, 60),
    words = array_to_tsvector(ARRAY(
        SELECT folded.kind || ':' || left(word, 100)
        FROM regexp_split_to_table(concat_ws(' ', plain, email), '\\s+') AS word
        WHERE word <> '')),
    lookups = records.lookups || CASE
        WHEN records.kind = 'contact' THEN ARRAY['name:' || folded.name]
        WHEN records.kind = 'agent' THEN ARRAY['name:' || folded.name, 'email:' || email]
        ELSE '{}' END
FROM folded WHERE folded.kind = records.kind AND folded.id = records.id;

CREATE INDEX records_name ON records (kind, name, id);
CREATE INDEX records_client_name ON records (kind, client_id, name, id);
CREATE INDEX records_archived ON records (kind, id) WHERE archived;
CREATE INDEX records_words ON records USING gin (words) WITH (fastupdate = off);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
