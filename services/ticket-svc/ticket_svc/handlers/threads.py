"""Whose mail it is, and which ticket it answers; and what is said of it then."""

import json
from dataclasses import dataclass
from typing import Literal

import asyncpg

from deskwire.contracts.actors import Author
from deskwire.contracts.mail import Address, Body, MailHandled, MailReceived
from deskwire.messaging.outbox import Transaction
from deskwire.pictures import with_pictures
from ticket_svc.domain import senders
from ticket_svc.domain.senders import MailPolicy, Sender, Spent
from ticket_svc.domain.threads import (
    Signer,
    answered_ids,
    foreign_references,
    subject_references,
)
from ticket_svc.handlers.attachments import keep_mailed
from ticket_svc.handlers.tickets import Origin
from ticket_svc.store import people, tickets


@dataclass(frozen=True, slots=True)
class Incoming:
    """A mail, whom it says that it is from, and who that may be: the contacts with this address,
    the client of its domain, that of the mailbox. ``policy``: what becomes of its like."""

    mail: MailReceived
    sender: Address
    policy: MailPolicy
    known: list[Sender]


async def incoming(mail: MailReceived, sender: Address, tx: Transaction) -> Incoming:
    key = senders.email_key(sender.email)
    values = {"email_key": key, "domain": senders.domain_of(key), "mailbox": mail.mailbox}
    row = await tx.fetch_row(people.SENDER, **values)
    found = json.loads(row["known"] or "[]")
    asked = {each.pop("authentication") or row["authentication"] for each in found}
    policy = MailPolicy(
        parsing=row["email_parsing"] and row["mailbox_parsing"],
        unknown_senders=row["unknown_senders"],
        authentication=frozenset(asked or {row["authentication"]}),
        tickets=row["tickets_per_sender"],
        acknowledgements=row["acknowledgements_per_sender"],
        assigned_to=row["assigned_to"],
        spent=Spent(row["tickets"], row["answers"]),
        own=frozenset(senders.email_key(each) for each in row["own"] if each),
    )
    return Incoming(mail, sender, policy, [Sender(**each) for each in found])


@dataclass(frozen=True, slots=True)
class Named:
    """The ticket that a mail answers; else the one that it names, though its sender is nobody
    there: then it is told to the team alone, for anybody can guess a number."""

    thread: asyncpg.Record | None = None
    related: int | None = None


async def named_thread(signer: Signer, came: Incoming, tx: Transaction) -> Named:
    """By a signed token; else as a participant names it."""
    if entry_ids := answered_ids(came.mail, signer):
        return Named(await thread_of(entry_ids, tx))
    related = None
    for find in (_by_foreign_reference, _by_subject):
        thread = await find(came.mail, tx)
        if thread is not None and participates(came, thread):
            return Named(thread)
        if related is None and thread is not None:
            related = thread["ticket_id"]
    return Named(related=related)


async def thread_of(entry_ids: list[int], tx: Transaction) -> asyncpg.Record | None:
    """The ticket of the first of these entries that there is."""
    return _found(await tx.fetch_row(tickets.BY_ENTRIES, entry_ids=entry_ids))


async def _by_foreign_reference(mail: MailReceived, tx: Transaction) -> asyncpg.Record | None:
    if not (message_ids := foreign_references(mail)):
        return None
    return _found(await tx.fetch_row(tickets.BY_MESSAGE_IDS, message_ids=message_ids))


async def _by_subject(mail: MailReceived, tx: Transaction) -> asyncpg.Record | None:
    if not (named := subject_references(mail.subject)):
        return None
    prefixes, numbers = zip(*named, strict=True)
    row = await tx.fetch_row(tickets.BY_REFERENCES, prefixes=prefixes, numbers=numbers)
    return _found(row)


def _found(row: asyncpg.Record) -> asyncpg.Record | None:
    return row if row["ticket_id"] is not None else None


def participates(came: Incoming, thread: asyncpg.Record) -> bool:
    """A contact of the ticket's client or about to be one, or one of its watchers."""
    if senders.taking_part(came.known, thread["client_id"], thread["contact_id"]) is not None:
        return True
    if senders.colleague(came.known, thread["client_id"]) is not None:
        return True
    return senders.folded(came.sender.email) in map(senders.folded, thread["watchers"])


async def written_by_agent(sender: Address, tx: Transaction) -> Author | None:
    key = senders.email_key(sender.email)
    rows = await tx.fetch(people.AGENT_BY_EMAIL, email_key=key)  # at once each needs a row
    return Author(type="agent", **dict(rows[0])) if rows else None


async def kept(
    mail: MailReceived, tx: Transaction, *, verified: bool = True
) -> tuple[Origin, Body]:
    """How its entry came, and what it says, with the pictures in it."""
    files = await keep_mailed(mail.attachments, tx)
    body = with_pictures(mail.body, ((file.content_id, file.id) for file in files))
    others = tuple(each.email for each in (*mail.to, *mail.cc))
    origin = Origin("email", mail.message_id, files, verified, mailbox=mail.mailbox, others=others)
    return origin, body


def left(mail: MailReceived, reason: str, *, held: bool = False) -> MailHandled:
    """In the ledger; ``held``: for somebody to look at."""
    outcome: Literal["quarantined", "ignored"] = "quarantined" if held else "ignored"
    return MailHandled(mail_id=mail.mail_id, outcome=outcome, reason=reason)
