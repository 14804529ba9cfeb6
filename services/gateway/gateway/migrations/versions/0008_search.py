"""Full-text search; indexes for every filter and order of the tickets' lists.

The dictionary needs the extension unaccent, which PostgreSQL lets the owner of a database make.
"""

import asyncpg

from deskwire import migrations
from deskwire.errors import SetupError

revision = "0008"
down_revision = "0007"

EXTENSION = "CREATE EXTENSION IF NOT EXISTS unaccent"
WITHOUT = """\
the search needs PostgreSQL's extension unaccent ({}): install postgresql-contrib where it is \
missing, have a superuser run `CREATE EXTENSION unaccent` in the gateway's database, then run \
`deskwire migrate` again"""

SEARCH = r"""
CREATE TEXT SEARCH CONFIGURATION deskwire (COPY = simple);
ALTER TEXT SEARCH CONFIGURATION deskwire
    ALTER MAPPING FOR word, hword, hword_part, numword, numhword WITH unaccent, simple;

-- Addresses, references, file names and paths are words in a row, whatever joins them.
CREATE FUNCTION search_words(given text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    to_tsvector('deskwire', translate(given, '-_/@.:#+~%&=\', '             '));

CREATE TABLE texts (
    id bigint PRIMARY KEY,
    ticket_id bigint NOT NULL,
    version integer NOT NULL,
    words tsvector NOT NULL
);
"""

FILL = """
INSERT INTO texts (id, ticket_id, version, words)
SELECT -t.id, t.id, t.version,
       search_words(concat_ws(' ', t.reference, t.number, d ->> 'subject',
                              d -> 'contact' ->> 'name', d -> 'contact' ->> 'email'))
       || array_to_tsvector(array_remove(ARRAY[
              '=ticket', '=client:' || t.client_id,
              '=10:' || (t.id >> 10), '=14:' || (t.id >> 14), '=18:' || (t.id >> 18)], NULL))
FROM tickets t, LATERAL (SELECT CAST(t.doc AS json) AS d) AS document;

INSERT INTO texts (id, ticket_id, version, words)
SELECT e.id, e.ticket_id, e.version,
       search_words(coalesce(CAST(e.doc AS json) -> 'body' ->> 'text', ''))
       || CASE WHEN e.kind = 'internal'
            THEN ts_delete(head.words, array_remove(ARRAY['=ticket', '=client:' || t.client_id],
                                                    NULL))
                 || array_to_tsvector(array_remove(ARRAY['=internal:' || t.client_id], NULL))
            ELSE ts_delete(head.words, '=ticket') END
FROM entries e JOIN tickets t ON t.id = e.ticket_id JOIN texts head ON head.id = -e.ticket_id;

CREATE INDEX texts_ticket ON texts (ticket_id);
CREATE INDEX texts_words ON texts USING gin (words) WITH (gin_pending_list_limit = 512);
"""

LISTS = """
DROP INDEX tickets_by_number, tickets_by_created, tickets_by_updated, tickets_agent_number,
    tickets_agent_created, tickets_agent_updated, tickets_status_number, tickets_status_created,
    tickets_status_updated, tickets_contact, tickets_priority, tickets_source;
ALTER TABLE tickets
    DROP COLUMN contact_id,
    ADD COLUMN lookups text[] NOT NULL DEFAULT '{}';
UPDATE tickets SET lookups = array_remove(ARRAY[
        'category:' || lower(d ->> 'category'), 'contact:' || (d -> 'contact' ->> 'id')], NULL)
    || ARRAY(SELECT 'tag:' || lower(tag) FROM json_array_elements_text(d -> 'tags') AS tag)
    || ARRAY(SELECT 'asset:' || (asset ->> 'id') FROM json_array_elements(d -> 'assets') AS asset)
FROM tickets t, LATERAL (SELECT CAST(t.doc AS json) AS d) AS document
WHERE t.id = tickets.id;
ALTER TABLE tickets SET (  -- pages that are all-visible are what index-only scans live on
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.02,
    autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX tickets_by_number ON tickets (number, id)
    INCLUDE (status, priority, source, client_id, assigned_to, created_at, updated_at);
CREATE INDEX tickets_by_created ON tickets (created_at, id)
    INCLUDE (status, priority, source, client_id, assigned_to, updated_at);
CREATE INDEX tickets_by_updated ON tickets (updated_at, id)
    INCLUDE (status, priority, source, client_id, assigned_to, created_at);
CREATE INDEX tickets_not_closed ON tickets (number, id)
    INCLUDE (status, priority, source, client_id, assigned_to, created_at, updated_at)
    WHERE status <> 'closed';
CREATE INDEX tickets_agent ON tickets (assigned_to);
CREATE INDEX tickets_source ON tickets (source);
CREATE INDEX tickets_lookups ON tickets USING gin (lookups) WITH (fastupdate = off);
"""


def upgrade() -> None:
    try:
        migrations.run_script(EXTENSION)
    except (asyncpg.InsufficientPrivilegeError, asyncpg.FeatureNotSupportedError) as error:
        raise SetupError(WITHOUT.format(error)) from error
    migrations.run_script(SEARCH + FILL + LISTS)
