"""Thai, Chinese and Japanese are found within a sentence: each letter is a word."""

from deskwire import migrations

revision = "0021"
down_revision = "0020"

LETTERS = r"[\u0e00-\u0e7f\u2e80-\u9fff\uf900-\ufaff]"

WORDS = rf"""
CREATE OR REPLACE FUNCTION search_words(given text) RETURNS tsvector
LANGUAGE sql IMMUTABLE PARALLEL SAFE RETURN
    to_tsvector('deskwire', regexp_replace(
        regexp_replace(given, '[-_/@.:#+~%&=\\]', ' ', 'g'), '{LETTERS}', ' \& ', 'g'));

UPDATE texts SET words = words || search_words(concat_ws(' ', t.reference, d.subject,
                                                         d.contact ->> 'name'))
FROM tickets t, json_to_record(CAST(t.doc AS json)) AS d (subject text, contact json)
WHERE t.id = ticket_id AND t.doc ~ '{LETTERS}';

UPDATE texts
SET words = words || search_words(coalesce(CAST(e.doc AS json) -> 'body' ->> 'text', ''))
FROM entries e
WHERE e.id = texts.id AND e.doc ~ '{LETTERS}';
"""


def upgrade() -> None:
    migrations.run_script(WORDS)
