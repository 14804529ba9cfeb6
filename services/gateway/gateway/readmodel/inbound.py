"""The ledger of mails that came in, as the read model keeps it."""

from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.mail import InboundMail
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, newest, text_of
from gateway.readmodel.tables.mails import inbound

KEEP_INBOUND = newest(inbound)

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
