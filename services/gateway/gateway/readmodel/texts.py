"""What is searched: the words of what is on a ticket, and those of each of its entries.

An entry's text also has the ticket's words, so that a search finds what is said in both together.
Beside words there are marks, which no text has because they begin with ``=``:

* ``=ticket``: it is what is on the ticket itself,
* ``=client:7``, or ``=internal:7`` for a note that the client does not see,
* ``=10:n``, ``=12:n`` and so on: the ticket's id without its last bits, so that a search can look
  through the newest tickets first.

Both statements read what is stored, so it is the same whichever event makes them do it.
"""

from sqlalchemy import text

from deskwire.db import compiled

SLICE_BITS = (10, 12, 14, 16, 18)

_MARKS = ", ".join(f"'={bits}:' || (t.id >> {bits})" for bits in SLICE_BITS)
_OF_TICKET = f"""
    search_words(concat_ws(' ', t.reference, t.number, d.subject,
                           d.contact ->> 'name', d.contact ->> 'email'))
    || array_to_tsvector(array_remove(ARRAY['=ticket', '=client:' || t.client_id, {_MARKS}], NULL))
"""
_OF_ENTRY = """
    search_words(CAST(e.doc AS json) -> 'body' ->> 'text')
    || CASE WHEN e.kind = 'internal' AND t.client_id IS NOT NULL
         THEN ts_delete(head.words, ARRAY['=ticket', '=client:' || t.client_id])
              || array_to_tsvector(ARRAY['=internal:' || t.client_id])
         ELSE ts_delete(head.words, '=ticket') END
"""

_INTO = "INSERT INTO texts AS target (id, ticket_id, version, words)"
_OF_HEADS = "head JOIN tickets t ON t.id = head.ticket_id JOIN entries e ON e.ticket_id = t.id"

# Of a ticket whose words are new, or others than they were, the entries are written too.
KEEP_TEXTS_OF_TICKETS = compiled(
    text(f"""
    WITH head AS (
        {_INTO}
        SELECT -t.id, t.id, t.version, {_OF_TICKET}
        FROM tickets t, json_to_record(CAST(t.doc AS json)) AS d (subject text, contact json)
        WHERE t.id = ANY(CAST(:text_ticket AS bigint[]))
        ORDER BY t.id
        ON CONFLICT (id) DO UPDATE SET version = excluded.version, words = excluded.words
        WHERE target.version < excluded.version AND target.words <> excluded.words
        RETURNING ticket_id, words)
    {_INTO}
    SELECT e.id, e.ticket_id, e.version, {_OF_ENTRY} FROM {_OF_HEADS} ORDER BY e.id
    ON CONFLICT (id) DO UPDATE SET
        ticket_id = excluded.ticket_id, version = excluded.version, words = excluded.words
    WHERE target.version <= excluded.version
    """)
)

KEEP_TEXTS_OF_ENTRIES = compiled(
    text(f"""
    {_INTO}
    SELECT e.id, e.ticket_id, e.version, {_OF_ENTRY}
    FROM entries e JOIN tickets t ON t.id = e.ticket_id JOIN texts head ON head.id = -t.id
    WHERE e.id = ANY(CAST(:text_entry AS bigint[]))
      AND NOT EXISTS (SELECT FROM texts x WHERE x.id = e.id AND x.version >= e.version)
    ORDER BY e.id
    ON CONFLICT (id) DO UPDATE SET
        ticket_id = excluded.ticket_id, version = excluded.version, words = excluded.words
    WHERE target.version < excluded.version
    """)
)
