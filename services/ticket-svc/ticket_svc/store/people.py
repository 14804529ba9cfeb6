"""Whom mails and tickets can name."""

from collections.abc import Sequence

from sqlalchemy import text

from deskwire.contracts.ticket_commands import OpenTicket
from deskwire.db import Session, compiled
from deskwire.errors import NotFound
from deskwire.messaging.housekeeping import ROWS

# A sender from a client's domain; another mail may have made the contact at the same moment.
INSERT_SENDER = compiled(
    text("""
    INSERT INTO contacts (client_id, name, email, email_key, "primary")
    VALUES (:client_id, :name, :email, :email_key, false)
    ON CONFLICT (client_id, email_key) WHERE archived_at IS NULL
        DO UPDATE SET email_key = excluded.email_key
    RETURNING *
    """)
)

CONTACT = compiled(text("SELECT id, client_id, name, email FROM contacts WHERE id = :contact_id"))

# Whoever names a client waits for those who change it, so that nothing is added to an archived one.
LIVE_CLIENT = compiled(
    text("SELECT archived_at IS NULL FROM clients WHERE id = :client_id FOR SHARE")
)

AGENT_BY_EMAIL = compiled(
    text("SELECT id, name, email FROM agents WHERE email_key = :email_key AND archived_at IS NULL")
)

# What is so already is no change.
MARK_UNDELIVERABLE = compiled(
    text("""
    UPDATE contacts SET undeliverable = :why, version = version + 1, updated_at = now()
    WHERE email_key = :email_key AND client_id = :client_id AND undeliverable IS NULL
    RETURNING *
    """)
)

# For a refusal that says which one is missing: null where nothing was named, or nothing is missing.
_MISSING = compiled(
    text("""
    SELECT CASE WHEN NOT EXISTS (
               SELECT FROM contacts WHERE id = :contact_id AND client_id = :client_id
               AND archived_at IS NULL) THEN CAST(:contact_id AS bigint) END AS contact_id,
           CASE WHEN NOT EXISTS (
               SELECT FROM agents WHERE id = :assigned_to AND archived_at IS NULL)
               THEN CAST(:assigned_to AS bigint) END AS assigned_to,
           (SELECT min(asked.id) FROM unnest(CAST(:asset_ids AS bigint[])) AS asked (id)
            WHERE NOT EXISTS (
                SELECT FROM assets WHERE id = asked.id AND client_id = :client_id
                AND archived_at IS NULL)) AS asset_ids
    """)
)

# Of what a ticket would name what is there.
_THERE = compiled(
    text("""
    SELECT (SELECT id FROM contacts WHERE id = :contact_id AND client_id = :client_id
            AND archived_at IS NULL) AS contact_id,
           (SELECT id FROM agents WHERE id = :assigned_to AND archived_at IS NULL) AS assigned_to,
           ARRAY(SELECT asked.id FROM unnest(CAST(:asset_ids AS bigint[])) WITH ORDINALITY
                     AS asked (id, place)
                 JOIN assets USING (id)
                 WHERE client_id = :client_id AND archived_at IS NULL
                 ORDER BY place) AS asset_ids
    """)
)

# Whom the address may be of: contacts that have it, the client whose registered domain it is under,
# and the client of the mailbox. An archived contact takes part in what it is on already; it opens
# nothing, whatever its domain. With that what becomes of mail at all, and what the sender has
# opened and answered within the hour. A row each, so that many are asked for in one go.
SENDER = compiled(
    text("""
    WITH box AS (
        SELECT CAST(m ->> 'parsing' AS boolean) AS parsing,
               CAST(m ->> 'client_id' AS bigint) AS client_id,
               CAST(m ->> 'assigned_to' AS bigint) AS assigned_to
        FROM settings, jsonb_array_elements(doc -> 'mailboxes') m WHERE m ->> 'name' = :mailbox
    )
    SELECT CAST(s.doc ->> 'email_parsing' AS boolean) AS email_parsing,
           coalesce((SELECT parsing FROM box), true) AS mailbox_parsing,
           s.doc ->> 'unknown_senders' AS unknown_senders,
           CAST(s.doc ->> 'tickets_per_sender' AS integer) AS tickets_per_sender,
           CAST(s.doc ->> 'acknowledgements_per_sender' AS integer) AS acknowledgements_per_sender,
           (SELECT a.id FROM agents a JOIN box ON a.id = box.assigned_to
            WHERE a.archived_at IS NULL) AS assigned_to,
           s.doc ->> 'sender_authentication' AS authentication,
           array_append(ARRAY(SELECT m ->> 'address' FROM jsonb_array_elements(
               s.doc -> 'mailboxes') m), s.doc ->> 'from_address') AS own,
           coalesce(spent.tickets, 0) AS tickets, coalesce(spent.answers, 0) AS answers,
           (SELECT json_agg(json_build_object(
                'client_id', client_id, 'contact_id', contact_id, 'archived', archived,
                'client_archived', client_archived, 'rank', rank, 'name', name,
                'authentication', cs.overrides ->> 'sender_authentication'))
            FROM (
                SELECT client_id, co.id AS contact_id, co.archived_at IS NOT NULL AS archived,
                       cl.archived_at IS NOT NULL AS client_archived, 0 AS rank, co.name
                FROM contacts co JOIN clients cl ON cl.id = client_id WHERE email_key = :email_key
                UNION ALL
                SELECT client_id, NULL, false, cl.archived_at IS NOT NULL, 1, NULL
                FROM domains d JOIN clients cl ON cl.id = client_id
                WHERE d.name = :domain AND d.archived_at IS NULL
                UNION ALL
                SELECT cl.id, NULL, false, cl.archived_at IS NOT NULL, 2, NULL
                FROM box JOIN clients cl ON cl.id = box.client_id
            ) found LEFT JOIN client_settings cs USING (client_id)) AS known
    FROM settings s LEFT JOIN sender_budgets spent
        ON spent.email_key = :email_key AND spent.hour = date_trunc('hour', now())
    """)
)

# At the end of a batch, in one order: nobody waits for whom he holds up. Several replicas may each
# let through what was left of a budget.
SPEND = compiled(
    text("""
    INSERT INTO sender_budgets AS b (email_key, hour, tickets, answers)
    SELECT email_key, date_trunc('hour', now()), sum(tickets), sum(answers)
    FROM unnest(CAST(:email_key AS text[]), CAST(:tickets AS integer[]),
                CAST(:answers AS integer[])) AS spent (email_key, tickets, answers)
    GROUP BY email_key ORDER BY email_key
    ON CONFLICT (email_key, hour) DO UPDATE
        SET tickets = b.tickets + excluded.tickets, answers = b.answers + excluded.answers
    """)
)

TIDY_BUDGETS = compiled(
    text(f"""
    DELETE FROM sender_budgets WHERE (email_key, hour) IN (
        SELECT email_key, hour FROM sender_budgets
        WHERE hour < now() - interval '1 day' LIMIT {ROWS} FOR UPDATE SKIP LOCKED)
    RETURNING email_key
    """)
)


async def there(session: Session, ticket: OpenTicket) -> OpenTicket:
    """The ticket without contact, agent and assets that are not there, or not any more."""
    named = {name: getattr(ticket, name) for name in ("client_id", "contact_id", "assigned_to")}
    row = await session.fetch_row(_THERE, **named, asset_ids=list(ticket.asset_ids))
    return ticket.model_copy(update=dict(row) | {"asset_ids": tuple(row["asset_ids"])})


_CALLED = {
    "client_id": "client",
    "contact_id": "contact",
    "assigned_to": "agent",
    "asset_ids": "asset",
}


async def missing(
    session: Session,
    client_id: int | None,
    contact_id: int | None,
    assigned_to: int | None,
    asset_ids: Sequence[int],
) -> NotFound | None:
    """What tells of the first of these that there is not, or that a ticket of the client cannot
    be given."""
    row = await session.fetch_row(
        _MISSING,
        client_id=client_id,
        contact_id=contact_id,
        assigned_to=assigned_to,
        asset_ids=list(asset_ids),
    )
    for field, id in row.items():
        if id is not None:
            return NotFound(f"there is no {_CALLED[field]} {id}", field=field)
    return None


async def require_client(session: Session, client_id: int, within: int | None = None) -> None:
    """Raises `NotFound` for one that is not there or archived, or is another than ``within``."""
    live = None
    if within in (None, client_id):
        live = await session.fetch_value(LIVE_CLIENT, client_id=client_id)
    if live is None:
        raise NotFound(f"there is no client {client_id}", field="client_id")
    if not live:
        raise NotFound("the client is archived", field="client_id")
