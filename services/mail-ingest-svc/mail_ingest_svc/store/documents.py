"""Ledger rows as they are told to others."""

import json
from typing import Any

import asyncpg

from deskwire.contracts.mail import InboundChanged, InboundMail

DOCUMENT = """mails.id, mails.mailbox, mails.state, mails.reason, mails.sender, mails.subject,
    mails.message_id, mails.size, mails.attempts, mails.ticket_id, mails.entry_id,
    mails.decided_by, mails.seen_at, mails.received_at, mails.handled_at, mails.raw_id,
    mails.raw_deleted_at, mails.version"""


def inbound(row: asyncpg.Record) -> InboundMail:
    """What is in the blobs has been received, whether it was read yet or not."""
    values: dict[str, Any] = dict(row)
    if values["state"] == "fetching":
        values["state"] = "received"
    if values["decided_by"] is not None:
        values["decided_by"] = json.loads(values["decided_by"])
    return InboundMail.model_validate(values)


def changed(row: asyncpg.Record) -> InboundChanged:
    return InboundChanged(mail=inbound(row))
