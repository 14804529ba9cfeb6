"""Whom mails and tickets can name."""

from collections.abc import Sequence

from sqlalchemy import text

from deskwire.db import Session, compiled
from deskwire.errors import NotFound

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

CLIENT_EXISTS = compiled(text("SELECT true FROM clients WHERE id = :client_id"))

LIVE_CLIENT = compiled(
    text("SELECT true FROM clients WHERE id = :client_id AND archived_at IS NULL")
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

# Contacts that have the address, and the client whose registered domain it is under; a row of
# nulls when there are none. An archived one takes part in what it is on already; it opens nothing,
# whatever its domain. With each what becomes of mail at all.
SENDER = compiled(
    text("""
    SELECT CAST(s.doc ->> 'email_parsing' AS boolean) AS email_parsing,
           s.doc ->> 'unknown_senders' AS unknown_senders, known.*
    FROM settings s LEFT JOIN (
        SELECT client_id, co.id AS contact_id, co.archived_at IS NOT NULL AS archived,
               cl.archived_at IS NOT NULL AS client_archived
        FROM contacts co JOIN clients cl ON cl.id = client_id WHERE email_key = :email_key
        UNION ALL
        SELECT client_id, NULL, false, cl.archived_at IS NOT NULL
        FROM domains d JOIN clients cl ON cl.id = client_id
        WHERE d.name = :domain AND d.archived_at IS NULL
    ) known ON true
    """)
)


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
            return NotFound(f"{field}: there is no {id}", field=field)
    return None


async def require_client(session: Session, client_id: int) -> None:
    if not await session.fetch_value(CLIENT_EXISTS, client_id=client_id):
        raise NotFound(f"there is no client {client_id}", field="client_id")
