"""Bounces of our mails, and automatic replies to them: notes on the ticket that reopen nothing.

A note may cause a mail to an agent, and that one an automatic answer again: so the same is noted
once a day.
"""

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts.mail import Address, Body, MailBounced, MailHandled, MailReceived
from deskwire.contracts.people import Author, Through
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import bounces, senders
from ticket_svc.domain.threads import Signer, answered_entries
from ticket_svc.handlers.entries import add_entry
from ticket_svc.handlers.threads import (
    kept,
    known_senders,
    left,
    named_thread,
    participates,
)
from ticket_svc.handlers.tickets import Origin
from ticket_svc.store import entries, people, tickets
from ticket_svc.store.records import CONTACT

MOST_NOTES = 20
"""Of mails, on one ticket in a day."""

MAIL_SYSTEM = Author(type="system", name="mail system")


async def note_bounce(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    returned = signer.entry_ids(mail.bounced_id or "") or answered_entries(mail, signer)
    thread = await tx.fetch_one(tickets.BY_ENTRIES, entry_ids=returned) if returned else None
    if thread is None:
        return left(mail, f"bounce: {mail.automatic}, of no mail of ours")
    failed = bounces.failures(mail.undelivered)
    if mail.undelivered and not failed:
        return left(mail, "bounce: it was delivered")
    await _mark_contacts(mail, thread, tx)
    for message_id in [mail.bounced_id] if mail.bounced_id else signer.message_ids(returned[0]):
        tx.emit(
            MailBounced(
                mail_id=mail.mail_id,
                ticket_id=thread["ticket_id"],
                message_id=message_id,
                undelivered=tuple(failed),
            )
        )
    body = Body(text=bounces.note(failed))
    if enough := await _noted_today(mail, thread, body, MAIL_SYSTEM, tx):
        return enough
    return await _note(signer, mail, thread, body, MAIL_SYSTEM, Origin("email"), tx)


async def note_auto_reply(
    signer: Signer, mail: MailReceived, sender: Address, tx: Transaction
) -> MailHandled | None:
    """None when it answers no ticket."""
    policy, known = await known_senders(mail, sender, tx)
    if not policy.parsing or senders.doubt(mail, policy):
        return None
    thread = (await named_thread(signer, mail, known, tx)).thread
    if thread is None:
        return None
    contact = senders.taking_part(known, thread["client_id"], thread["contact_id"])
    author = Author(
        type="contact" if contact else "unknown",
        id=contact and contact.contact_id,
        name=senders.contact_name(sender),
        email=sender.email,
    )
    if enough := await _noted_today(mail, thread, mail.body, author, tx):
        return enough
    origin, body = await kept(mail, tx, verified=participates(mail, thread, known))
    return await _note(signer, mail, thread, body, author, origin, tx)


async def _noted_today(
    mail: MailReceived, thread: asyncpg.Record, body: Body, author: Author, tx: Transaction
) -> MailHandled | None:
    same = {"ticket_id": thread["ticket_id"], "text": body.text, "email": author.email}
    if not await tx.fetch_value(entries.NOTED_TODAY, **same, most=MOST_NOTES):
        return None
    return left(mail, f"{mail.kind}: noted already today on the ticket")


async def _note(
    signer: Signer,
    mail: MailReceived,
    thread: asyncpg.Record,
    body: Body,
    author: Author,
    origin: Origin,
    tx: Transaction,
) -> MailHandled:
    command = commands.AddEntry(
        ticket_id=thread["ticket_id"],
        kind="internal",
        body=body,
        author=author,
        through=Through(type="mail", id=mail.mail_id),
    )
    made = await add_entry(signer, command, tx, origin)
    return MailHandled(
        mail_id=mail.mail_id,
        outcome="reply",
        reason=f"{mail.kind}: {mail.automatic}",
        ticket_id=made.ticket.id,
        entry_id=made.entry.id,
    )


async def _mark_contacts(mail: MailReceived, thread: asyncpg.Record, tx: Transaction) -> None:
    """Of the ticket's client alone: whoever got a mail of ours could forge its bounce."""
    for failed in mail.undelivered:
        if failed.hard and thread["client_id"] and senders.is_address(failed.address):
            rows = await tx.fetch(
                people.MARK_UNDELIVERABLE,
                email_key=senders.email_key(failed.address),
                client_id=thread["client_id"],
                why=bounces.why(failed),
            )
            for row in rows:
                tx.emit(CONTACT.event(CONTACT.document(row)))
