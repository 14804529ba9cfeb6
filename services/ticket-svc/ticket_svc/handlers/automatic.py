"""Bounces of our mails, and automatic replies to them: notes on the ticket that reopen nothing.
What came back of invoices and digests is told without one.

A note may cause a mail to an agent, and that one an automatic answer again: so the same is noted
once a day.
"""

from collections.abc import Iterable

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts.actors import Author, Through
from deskwire.contracts.mail import (
    DIGEST_ID,
    Address,
    Body,
    MailBounced,
    MailHandled,
    MailReceived,
)
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import bounces, senders
from ticket_svc.domain.threads import Signer, returned_ids
from ticket_svc.handlers.entries import add_entry
from ticket_svc.handlers.threads import (
    incoming,
    kept,
    left,
    named_thread,
    participates,
    thread_of,
    written_by_agent,
)
from ticket_svc.handlers.tickets import Origin
from ticket_svc.store import entries, invoices, people
from ticket_svc.store.records import CONTACT

MOST_NOTES = 20
"""Of mails, on one ticket in a day."""

DELIVERED = "bounce: it was delivered"

MAIL_SYSTEM = Author(type="system", name="mail system")


async def note_bounce(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    entry_ids = returned_ids(mail, signer)
    thread = await thread_of(entry_ids, tx) if entry_ids else None
    if thread is None:
        return await _bounce_of_no_ticket(signer.of_invoices, mail, tx)
    failed = bounces.failures(mail.undelivered)
    if mail.undelivered and not failed:
        return left(mail, DELIVERED)
    await _mark_contacts(mail, thread["client_id"], tx)
    _tell(mail, signer.message_ids(entry_ids[0]), tx, ticket_id=thread["ticket_id"])
    body = Body(text=bounces.note(failed))
    if enough := await _noted_today(mail, thread, body, MAIL_SYSTEM, tx):
        return enough
    return await _note(signer, mail, thread, body, MAIL_SYSTEM, Origin("email"), tx)


async def _bounce_of_no_ticket(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    """Of the mail about an invoice, or of a digest: whom that is to be told knows notify-svc."""
    ids = returned_ids(mail, signer)
    invoice = await tx.fetch_one(invoices.NAMED, id=ids[0]) if ids else None
    if invoice is None and not DIGEST_ID.fullmatch(mail.bounced_id or ""):
        return left(mail, f"bounce: {mail.automatic}, of no mail of ours")
    if mail.undelivered and not bounces.failures(mail.undelivered):
        return left(mail, DELIVERED)
    if invoice is None:
        _tell(mail, (), tx)
        return left(mail, f"bounce: {mail.automatic}, of a digest")
    await _mark_contacts(mail, invoice["client_id"], tx)
    _tell(mail, signer.message_ids(ids[0]), tx)
    return left(mail, f"bounce: {mail.automatic}, of the invoice {invoice['reference']}")


def _tell(
    mail: MailReceived, message_ids: Iterable[str], tx: Transaction, ticket_id: int | None = None
) -> None:
    """``message_ids``: of what came back, if the bounce does not say it."""
    failed = tuple(bounces.failures(mail.undelivered))
    for message_id in [mail.bounced_id] if mail.bounced_id else message_ids:
        tx.emit(
            MailBounced(
                mail_id=mail.mail_id,
                ticket_id=ticket_id,
                message_id=message_id,
                undelivered=failed,
            )
        )


async def note_auto_reply(
    signer: Signer, mail: MailReceived, sender: Address, tx: Transaction
) -> MailHandled | None:
    """None when it answers no ticket, or an agent is away: no matter of the ticket's."""
    came = await incoming(mail, sender, tx)
    if not came.policy.parsing or senders.doubt(mail, came.policy):
        return None
    thread = (await named_thread(signer, came, tx)).thread
    if thread is None:
        return None
    contact = senders.taking_part(came.known, thread["client_id"], thread["contact_id"])
    if contact is None and await written_by_agent(sender, tx):
        return None
    author = Author(
        type="contact" if contact else "unknown",
        id=contact and contact.contact_id,
        name=senders.contact_name(sender, contact),
        email=sender.email,
    )
    if enough := await _noted_today(mail, thread, mail.body, author, tx):
        return enough
    origin, body = await kept(mail, tx, verified=participates(came, thread))
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


async def _mark_contacts(mail: MailReceived, client_id: int | None, tx: Transaction) -> None:
    """Of the client that it was about alone: whoever got a mail of ours could forge its bounce."""
    for failed in mail.undelivered:
        if failed.hard and client_id and senders.is_address(failed.address):
            rows = await tx.fetch(
                people.MARK_UNDELIVERABLE,
                email_key=senders.email_key(failed.address),
                client_id=client_id,
                why=bounces.why(failed),
            )
            for row in rows:
                tx.emit(CONTACT.event(CONTACT.document(row)))
