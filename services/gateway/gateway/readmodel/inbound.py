"""The ledger of mails that came in, as the read model keeps it."""

from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.mail import InboundMail
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, text_of

KEEP_INBOUND = compiled(
    text("""
    INSERT INTO inbound AS target (
        id, state, mailbox, sender, ticket_id, seen_at, raw_id, version, doc)
    SELECT DISTINCT ON (id) * FROM unnest(
        CAST(:id AS bigint[]), CAST(:state AS text[]), CAST(:mailbox AS text[]),
        CAST(:sender AS text[]), CAST(:ticket_id AS bigint[]), CAST(:seen_at AS timestamptz[]),
        CAST(:raw_id AS text[]), CAST(:version AS integer[]), CAST(:doc AS text[])
    ) AS new (id, state, mailbox, sender, ticket_id, seen_at, raw_id, version, doc)
    WHERE NOT EXISTS (SELECT FROM inbound i WHERE i.id = new.id AND i.version >= new.version)
    ORDER BY id, version DESC
    ON CONFLICT (id) DO UPDATE SET
        state = excluded.state, mailbox = excluded.mailbox, sender = excluded.sender,
        ticket_id = excluded.ticket_id, seen_at = excluded.seen_at, raw_id = excluded.raw_id,
        version = excluded.version, doc = excluded.doc
    WHERE target.version < excluded.version
    """)
)

_ONE = compiled(text("SELECT version, raw_id, doc FROM inbound WHERE id = :id"))


def inbound_row(mail: InboundMail) -> dict[str, Any]:
    return {
        "id": mail.id,
        "state": mail.state,
        "mailbox": mail.mailbox,
        "sender": mail.sender and sender_key(mail.sender),
        "ticket_id": mail.ticket_id,
        "seen_at": mail.seen_at,
        "raw_id": mail.raw_id,
        "version": mail.version,
        "doc": text_of(mail),
    }


def sender_key(address: str) -> str:
    return address.lower()


async def keep_inbound(database: Database, mail: InboundMail) -> None:
    await keep(database, KEEP_INBOUND, inbound_row(mail))


async def inbound_mail(database: Database, id: int) -> asyncpg.Record | None:
    """Its document, version and ``raw_id``."""
    return await database.fetch_one(_ONE, id=id)
