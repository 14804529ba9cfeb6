"""Opening tickets, adding entries, and finding the ticket that a mail is about."""

from sqlalchemy import text

from deskwire.db import Statement, compiled
from ticket_svc.domain.quoting import LONGEST
from ticket_svc.store.documents import JOINS, OPENING, OPENING_JOIN, TICKET
from ticket_svc.store.settings import IN_FORCE_JOIN, TOLD

# Message-IDs of what a new mail answers: that of the mail which brought an entry, or its own.
ANSWERED = """
    ARRAY(SELECT coalesce(message_id, '') || ' ' || id FROM (
              (SELECT id, message_id FROM entries
               WHERE ticket_id = t.id ORDER BY id LIMIT 1)
              UNION
              (SELECT id, message_id FROM entries
               WHERE ticket_id = t.id AND kind <> 'internal' ORDER BY id DESC LIMIT 9)
          ) answered ORDER BY id)
"""

# What mails about a new entry quote: the message before it, unless that is redacted. Of a long text
# that is a blob the beginning is here, too.
SAID_JOIN = f"""
    LEFT JOIN LATERAL (
        SELECT author AS said_by, created_at AS said_at, redacted_at,
               left(body_text, {LONGEST + 1}) AS said_text
        FROM entries WHERE t.quotes AND ticket_id = t.id AND kind <> 'internal'
        ORDER BY id DESC LIMIT 1
    ) said ON said.redacted_at IS NULL
"""

# One round trip: what the ticket points at is looked up, checked and inserted with it. It is locked
# against being renamed or archived, so that whoever does that finds this ticket after. The counter
# is only touched when all of it is there; its lock is held until the commit: numbers have no gap.
OPEN = compiled(
    text(f"""
    WITH cl AS (
        SELECT id, name, notifications, language, timezone FROM clients
        WHERE id = :client_id AND archived_at IS NULL FOR SHARE
    ), named AS (  -- by its key: an index of those not archived would be walked
        SELECT contacts.id, contacts.name, email, contacts.language, contacts.notifications,
               contacts.archived_at
        FROM contacts JOIN cl ON cl.id = client_id
        WHERE contacts.id = coalesce(
            CAST(:contact_id AS bigint),
            (SELECT id FROM contacts WHERE client_id = :client_id AND "primary"))
        FOR SHARE OF contacts
    ), co AS (
        SELECT * FROM named WHERE archived_at IS NULL
    ), watching AS (  -- a ticket that names no contact; its own hears of it anyway
        SELECT email FROM contacts JOIN cl ON cl.id = client_id
        WHERE technical AND NOT "primary" AND CAST(:contact_id AS bigint) IS NULL
          AND contacts.archived_at IS NULL AND contacts.notifications
          AND email IS NOT NULL AND undeliverable IS NULL
          AND lower(email) <> ALL(SELECT lower(unnest(CAST(:watchers AS text[]))))
        ORDER BY contacts.id LIMIT 20
    ), ag AS (
        SELECT id, name, email FROM agents WHERE id = :assigned_to AND archived_at IS NULL FOR SHARE
    ), assets AS (  -- of which the document is made
        SELECT assets.id, assets.name FROM assets JOIN cl ON cl.id = client_id
        WHERE assets.id = ANY(CAST(:asset_ids AS bigint[])) AND assets.archived_at IS NULL
        FOR SHARE OF assets
    ), next AS (
        UPDATE counters SET value = value + 1
        WHERE name = 'ticket'
          AND (CAST(:client_id AS bigint) IS NULL OR EXISTS (SELECT FROM cl))
          AND (CAST(:contact_id AS bigint) IS NULL OR EXISTS (SELECT FROM co))
          AND (CAST(:assigned_to AS bigint) IS NULL OR EXISTS (SELECT FROM ag))
          AND cardinality(CAST(:asset_ids AS bigint[])) = (SELECT count(*) FROM assets)
        RETURNING value
    ), t AS (
        INSERT INTO tickets (number, prefix, subject, status, priority, category, source, client_id,
                             contact_id, assigned_to, asset_ids, watchers, tags, billable, due_at,
                             follows, possibly_related, mailbox, created_by)
        SELECT next.value, s.doc ->> 'ticket_prefix', :subject, 'open', :priority, :category,
               :source, (SELECT id FROM cl), (SELECT id FROM co), (SELECT id FROM ag),
               CAST(:asset_ids AS bigint[]),
               CAST(:watchers AS text[]) || ARRAY(SELECT email FROM watching),
               CAST(:tags AS text[]),
               coalesce(CAST(:billable AS boolean),
                        CAST(cs.overrides ->> 'tickets_billable' AS boolean),
                        CAST(s.doc ->> 'tickets_billable' AS boolean), false),
               :due_at, :follows, :possibly_related, :mailbox,
               coalesce(CAST(:author AS text), (
                   SELECT CAST(json_build_object('type', 'contact', 'id', id, 'name', name,
                                                 'email', email) AS text)
                   FROM co WHERE CAST(:contact_id AS bigint) IS NOT NULL), :system)
        FROM next CROSS JOIN settings s
        LEFT JOIN client_settings cs ON cs.client_id = (SELECT id FROM cl)
        RETURNING *
    ), en AS (
        INSERT INTO entries (ticket_id, origin_ticket_id, kind, opening, author, body_text,
                             body_html, body_quoted, body_signature, body_blob, attachments, via,
                             message_id)
        SELECT t.id, t.id,
               CASE CAST(t.created_by AS json) ->> 'type'
                   WHEN 'contact' THEN 'client' WHEN 'unknown' THEN 'client' ELSE 'public' END,
               true, t.created_by, :body_text, :body_html, :body_quoted, :body_signature,
               :body_blob, :attachments, :via, :message_id
        FROM t
        RETURNING *
    )
    SELECT {TICKET}, en.id AS entry_id, en.kind AS entry_kind, en.via AS entry_via,
           en.message_id AS entry_message_id, {TOLD}
    FROM t CROSS JOIN en
    LEFT JOIN cl ON true LEFT JOIN co ON true LEFT JOIN ag ON true {IN_FORCE_JOIN}
    """)
)

# The row lock of the ticket orders its entries, their events and its version. What is for a merged
# ticket goes to the one where that is shown; should it be merged in between, there is no row. Nor
# is there one for a client's answer to what was closed too long ago to be opened again. The time
# worked for it is taken to have ended with it.
ADD_ENTRY = compiled(
    text(f"""
    WITH old AS (
        SELECT t.id, t.status, t.watchers AS told, t.quotable,
               cl.archived_at IS NULL AND au.archived_at IS NULL
                   AND t.closed_at < now() - make_interval(
                       days => CAST(f.doc ->> 'reopen_days' AS integer)) AS past
        FROM tickets t LEFT JOIN clients cl ON cl.id = t.client_id
        LEFT JOIN contacts au ON au.id = :author_contact {IN_FORCE_JOIN}
        WHERE t.id = coalesce(
            (SELECT merged_into FROM tickets WHERE id = :ticket_id), :ticket_id)
          AND t.merged_into IS NULL
          AND (CAST(:within_client AS bigint) IS NULL OR t.client_id = :within_client)
        FOR NO KEY UPDATE OF t
    ), t AS (
        UPDATE tickets SET
            status = coalesce(CAST(:status AS text), CASE
                WHEN :reopens AND tickets.status = ANY(CAST(:reopened AS text[])) THEN 'open'
                ELSE tickets.status END),
            closed_at = CASE
                WHEN CAST(:status AS text) = 'closed' THEN coalesce(closed_at, now())
                WHEN CAST(:status AS text) IS NOT NULL OR :reopens THEN NULL
                ELSE closed_at END,
            closed_by = CASE
                WHEN CAST(:status AS text) = 'closed' THEN coalesce(closed_by, :author)
                WHEN CAST(:status AS text) IS NOT NULL OR :reopens THEN NULL
                ELSE closed_by END,
            entry_count = entry_count + 1,
            time_worked = tickets.time_worked + :time_worked,
            last_reply_at = CASE WHEN :internal THEN last_reply_at ELSE now() END,
            last_reply_kind = CASE WHEN :internal THEN last_reply_kind ELSE :kind END,
            last_reply_by = CASE WHEN :internal THEN last_reply_by ELSE :author_name END,
            first_response_at = CASE WHEN :responds THEN coalesce(first_response_at, now())
                                     ELSE first_response_at END,
            watchers = watchers || ARRAY(
                SELECT min(who)
                FROM unnest(CAST(:watchers AS text[])) WITH ORDINALITY AS cc (who, place)
                WHERE lower(who) <> ALL(SELECT lower(unnest(watchers)))
                  AND NOT (:mailed AND lower(who) = ANY(unwatched || (
                      SELECT lower(email) FROM contacts WHERE id = contact_id)))
                GROUP BY lower(who) ORDER BY min(place)),
            quotable = tickets.quotable OR NOT :internal,
            updated_at = now(),
            version = version + 1
        FROM old
        WHERE tickets.id = old.id
          AND (old.status <> 'closed' OR coalesce(:status, 'closed') = ANY(CAST(:moves AS text[])))
          AND NOT (:answers AND old.past IS TRUE)
        RETURNING tickets.*, old.status AS old_status,
                  NOT :internal AND old.quotable AND tickets.watchers = old.told
                      AND (:responds OR tickets.watchers <> '{{}}') AS quotes
    ), en AS (
        INSERT INTO entries (ticket_id, origin_ticket_id, kind, author, body_text, body_html,
                             body_quoted, body_signature, body_blob, attachments, time_worked, via,
                             message_id, verified)
        SELECT id, id, :kind, :author, :body_text, :body_html, :body_quoted, :body_signature,
               :body_blob, :attachments, :time_worked, :via, :message_id, :verified
        FROM t
        RETURNING *
    ), ti AS (
        INSERT INTO time_entries (ticket_id, origin_ticket_id, entry_id, agent_id, seconds,
                                  started_at, billable)
        SELECT t.id, t.id, en.id, (SELECT id FROM agents WHERE id = :agent_id), :time_worked,
               now() - :time_worked * interval '1 second', t.billable
        FROM t CROSS JOIN en
        WHERE :time_worked > 0
        RETURNING *
    )
    SELECT {TICKET}, {OPENING}, t.old_status, en.id AS entry_id,
           en.created_at AS entry_created_at, {ANSWERED} AS answered, {TOLD},
           said_by, said_at, said_text,
           ti.id AS time_id, ti.agent_id AS time_agent_id, ti.started_at AS time_started_at
    FROM t CROSS JOIN en LEFT JOIN ti ON true {JOINS} {OPENING_JOIN} {IN_FORCE_JOIN}
    {SAID_JOIN}
    """)
)

FOLLOWER = compiled(
    text("""
    SELECT id FROM tickets WHERE follows = :ticket_id AND merged_into IS NULL
    ORDER BY id DESC LIMIT 1
    """)
)

ANSWERS = compiled(text(f"SELECT {ANSWERED} FROM tickets t WHERE t.id = :ticket_id"))

GET = compiled(
    text(
        f"SELECT {TICKET}, {OPENING} FROM tickets t {JOINS} {OPENING_JOIN} WHERE t.id = :ticket_id"
    )
)


def _row_always(sql: str) -> Statement:
    """Of nulls when there is none, so that what many mails are about is asked for in one go."""
    return compiled(text(f"SELECT found.* FROM (SELECT) AS once LEFT JOIN ({sql}) found ON true"))


BY_ENTRIES = _row_always("""
    SELECT e.ticket_id, t.client_id, t.contact_id, t.watchers
    FROM unnest(CAST(:entry_ids AS bigint[])) WITH ORDINALITY AS asked (id, place)
    JOIN entries e ON e.id = asked.id JOIN tickets t ON t.id = e.ticket_id
    ORDER BY place LIMIT 1
""")

# Materialized: else all entries may be walked, from the newest back, where none is found. The
# ticket is got by its key: a join may walk all tickets where there are few statistics yet.
BY_MESSAGE_IDS = _row_always("""
    WITH found AS MATERIALIZED (
        SELECT id, ticket_id FROM entries
        WHERE message_id = ANY(CAST(:message_ids AS text[]))
          AND message_id IS NOT NULL)  -- as the index says
    SELECT id AS ticket_id, client_id, contact_id, watchers FROM tickets
    WHERE id = (SELECT ticket_id FROM found ORDER BY id DESC LIMIT 1)
""")

# Where the ticket of a reference is shown. A prefix that is no longer given out is known still.
BY_REFERENCES = _row_always("""
    SELECT t.id AS ticket_id, t.client_id, t.contact_id, t.watchers
    FROM unnest(CAST(:prefixes AS text[]), CAST(:numbers AS bigint[])) WITH ORDINALITY
        AS asked (prefix, number, place)
    JOIN tickets named ON named.number = asked.number AND lower(named.prefix) = lower(asked.prefix)
    JOIN tickets t ON t.id = coalesce(named.merged_into, named.id)
    ORDER BY place LIMIT 1
""")
