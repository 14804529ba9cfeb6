"""A mail becomes a ticket, a reply, or a line in the ledger that says why not."""

from typing import Literal

import asyncpg

from deskwire.contracts import tickets as contracts
from deskwire.contracts.mail import Address, MailHandled, MailReceived
from deskwire.contracts.people import Author, Through
from deskwire.contracts.tickets import TicketEntry
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import senders
from ticket_svc.domain.senders import MailPolicy, Sender
from ticket_svc.domain.threads import (
    Signer,
    answered_entries,
    foreign_references,
    subject_references,
)
from ticket_svc.handlers.attachments import keep_mailed
from ticket_svc.handlers.entries import add_entry
from ticket_svc.handlers.tickets import Origin, open_ticket
from ticket_svc.store import people, tickets
from ticket_svc.store.records import CONTACT

SWITCHED_OFF = "e-mail to ticket is switched off"


async def receive_mail(signer: Signer, mail: MailReceived, tx: Transaction) -> None:
    handle = _let_in if mail.accepted else _handle
    tx.emit(await handle(signer, mail, tx))


async def _handle(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    reason = senders.refusal(mail)
    if reason is not None or mail.sender is None:
        return _left(mail, reason or "")
    policy, known = await _known_senders(mail.sender, tx)
    if not policy.email_parsing:
        return _left(mail, SWITCHED_OFF)
    thread = await _answered_thread(signer, mail, known, tx)
    if thread is not None:
        return _handled(mail, await _reply(signer, mail, mail.sender, thread, known, tx))
    opening = senders.opening(known)
    if isinstance(opening, Sender):
        return _handled(mail, await _open(signer, mail, mail.sender, opening, tx))
    if not known and policy.unknown_senders == "open":
        return _handled(mail, await _open_for_stranger(signer, mail, mail.sender, tx))
    return _left(mail, opening, held=not known and policy.unknown_senders == "quarantine")


async def _let_in(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    """Somebody has decided that it counts, whoever sent it and whatever the settings say."""
    client_id = mail.client_id
    if client_id is not None and not await tx.fetch_value(people.LIVE_CLIENT, client_id=client_id):
        return _left(mail, f"there is no client {client_id}", held=True)
    if mail.sender is None or not senders.is_address(mail.sender.email):
        return _handled(mail, await _open_for_stranger(signer, mail, None, tx))
    _, known = await _known_senders(mail.sender, tx)
    thread = await _answered_thread(signer, mail, known, tx)
    if thread is not None:
        return _handled(mail, await _reply(signer, mail, mail.sender, thread, known, tx))
    opening = senders.accepted(known, client_id)
    if opening is None:
        return _handled(mail, await _open_for_stranger(signer, mail, mail.sender, tx))
    return _handled(mail, await _open(signer, mail, mail.sender, opening, tx))


async def _known_senders(sender: Address, tx: Transaction) -> tuple[MailPolicy, list[Sender]]:
    """What becomes of mail; the contacts with this address, and the client of its domain."""
    key = senders.email_key(sender.email)
    rows = await tx.fetch(people.SENDER, email_key=key, domain=senders.domain_of(key))
    policy = MailPolicy(rows[0]["email_parsing"], rows[0]["unknown_senders"])
    known = [
        Sender(row["client_id"], row["contact_id"], row["archived"], row["client_archived"])
        for row in rows
        if row["client_id"] is not None
    ]
    return policy, known


async def _answered_thread(
    signer: Signer, mail: MailReceived, known: list[Sender], tx: Transaction
) -> asyncpg.Record | None:
    """The ticket that a signed token names; else one that a participant names otherwise."""
    if entry_ids := answered_entries(mail, signer):
        return await tx.fetch_one(tickets.BY_ENTRIES, entry_ids=entry_ids)
    for find in (_by_foreign_reference, _by_subject):
        thread = await find(mail, tx)
        if thread is not None and participates(mail, thread, known):
            return thread
    return None


async def _by_foreign_reference(mail: MailReceived, tx: Transaction) -> asyncpg.Record | None:
    if not (message_ids := foreign_references(mail)):
        return None
    return await tx.fetch_one(tickets.BY_MESSAGE_IDS, message_ids=message_ids)


async def _by_subject(mail: MailReceived, tx: Transaction) -> asyncpg.Record | None:
    if not (named := subject_references(mail.subject)):
        return None
    prefixes, numbers = zip(*named, strict=True)
    return await tx.fetch_one(tickets.BY_REFERENCES, prefixes=prefixes, numbers=numbers)


def participates(mail: MailReceived, thread: asyncpg.Record, known: list[Sender]) -> bool:
    """A contact of the ticket's client, or one of its watchers."""
    if senders.taking_part(known, thread["client_id"], thread["contact_id"]) is not None:
        return True
    address = mail.sender.email.lower() if mail.sender else ""
    return address in (watcher.lower() for watcher in thread["watchers"])


async def _reply(
    signer: Signer,
    mail: MailReceived,
    sender: Address,
    thread: asyncpg.Record,
    known: list[Sender],
    tx: Transaction,
) -> TicketEntry:
    """A participant's answer, or a stranger's: internal, unverified, changing nothing."""
    verified = participates(mail, thread, known)
    contact = senders.taking_part(known, thread["client_id"], thread["contact_id"])
    contact_id = contact and contact.contact_id
    author = Author(
        type="contact" if verified and contact_id else "unknown",
        id=contact_id,
        name=senders.contact_name(sender),
        email=sender.email,
    )
    command = contracts.AddEntry(
        ticket_id=thread["ticket_id"],
        kind="client" if verified else "internal",
        body=mail.body,
        author=author,
        through=Through(type="mail", id=mail.mail_id),
    )
    return await add_entry(signer, command, tx, await _origin(mail, tx, verified=verified))


async def _open(
    signer: Signer, mail: MailReceived, sender: Address, known: Sender, tx: Transaction
) -> TicketEntry:
    contact_id = known.contact_id
    if contact_id is None:
        name = senders.contact_name(sender)
        contact_id = await _new_contact(tx, known.client_id, name, sender.email)
    command = contracts.OpenTicket(
        subject=senders.subject_of(mail),
        body=mail.body,
        client_id=known.client_id,
        contact_id=contact_id,
        source="email",
    )
    return await open_ticket(signer, command, tx, await _origin(mail, tx))


async def _new_contact(tx: Transaction, client_id: int, name: str, email: str) -> int:
    values = {"client_id": client_id, "name": name, "email": email}
    row = await tx.fetch_row(people.INSERT_SENDER, email_key=senders.email_key(email), **values)
    contact = CONTACT.document(row)
    tx.emit(CONTACT.event(contact))
    return contact.id


async def _open_for_stranger(
    signer: Signer, mail: MailReceived, sender: Address | None, tx: Transaction
) -> TicketEntry:
    """Nobody's, and of no client unless the mail was accepted for one; the sender is a watcher, who
    gets the answers."""
    command = contracts.OpenTicket(
        subject=senders.subject_of(mail),
        body=mail.body,
        client_id=mail.client_id,
        watchers=(sender.email,) if sender else (),
        source="email",
        author=senders.stranger(sender),
    )
    return await open_ticket(signer, command, tx, await _origin(mail, tx))


async def _origin(mail: MailReceived, tx: Transaction, *, verified: bool = True) -> Origin:
    files = await keep_mailed(mail.attachments, tx)
    return Origin("email", mail.message_id, files, verified)


def _left(mail: MailReceived, reason: str, *, held: bool = False) -> MailHandled:
    """In the ledger; ``held``: for somebody to look at."""
    outcome: Literal["quarantined", "ignored"] = "quarantined" if held else "ignored"
    return MailHandled(mail_id=mail.mail_id, outcome=outcome, reason=reason)


def _handled(mail: MailReceived, made: TicketEntry) -> MailHandled:
    return MailHandled(
        mail_id=mail.mail_id,
        outcome="ticket" if made.entry.opening else "reply",
        reason="" if made.entry.verified else "unverified sender",
        ticket_id=made.ticket.id,
        entry_id=made.entry.id,
    )
