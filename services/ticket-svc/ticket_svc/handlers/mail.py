"""A mail becomes a ticket, a reply, or a line in the ledger that says why not."""

from collections.abc import Collection
from dataclasses import dataclass, replace

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.mail import Address, MailHandled, MailReceived
from deskwire.contracts.ticket_commands import TicketEntry
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import senders
from ticket_svc.domain.senders import Sender, Spent
from ticket_svc.domain.threads import Signer, foreign_references, subject_references
from ticket_svc.handlers.automatic import note_auto_reply, note_bounce
from ticket_svc.handlers.entries import add_entry
from ticket_svc.handlers.threads import (
    Incoming,
    incoming,
    kept,
    left,
    named_thread,
    participates,
    written_by_agent,
)
from ticket_svc.handlers.tickets import link_back, open_ticket
from ticket_svc.store import people
from ticket_svc.store.records import CONTACT

SWITCHED_OFF = "e-mail to ticket is switched off"


@dataclass(frozen=True, slots=True)
class Terms:
    """On which a mail opens a ticket."""

    assigned_to: int | None = None
    acknowledged: bool = True
    related: int | None = None


async def receive_mail(signer: Signer, mail: MailReceived, tx: Transaction) -> None:
    if mail.accepted:
        tx.emit(await _let_in(signer, mail, tx))
    elif mail.kind == "bounce":
        tx.emit(await note_bounce(signer, mail, tx))
    else:
        tx.emit(await _handle(signer, mail, tx))


def is_free(mail: MailReceived, others: Collection[str | None]) -> bool:
    """Whether it may be handled at once with others: with mails that it does not answer."""
    usual = mail.kind == "person" and not mail.accepted
    return usual and not any(named in others for named in foreign_references(mail))


def names_something(mail: MailReceived) -> bool:
    """By which it may answer a ticket; else it can only open one."""
    return bool(foreign_references(mail) or subject_references(mail.subject))


async def _handle(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    sender = senders.usable(mail.sender)
    if sender is not None and mail.kind == "auto-reply":
        noted = await note_auto_reply(signer, mail, sender, tx)
        if noted is not None:
            return noted
    if sender is None or mail.automatic:
        return left(mail, senders.refusal(mail))
    came = await incoming(mail, sender, tx)
    if not came.policy.parsing:
        return left(mail, SWITCHED_OFF)
    if doubt := senders.doubt(mail, came.policy):
        return left(mail, doubt, held=True)
    named = await named_thread(signer, came, tx)
    if named.thread is not None:
        return await _reply_if_allowed(signer, came, named.thread, tx)
    return await _open_if_allowed(signer, came, named.related, tx)


async def _reply_if_allowed(
    signer: Signer, came: Incoming, thread: asyncpg.Record, tx: Transaction
) -> MailHandled:
    budget = came.policy.answers
    if _spent(came, tx, answers=1).answers > budget:
        return left(came.mail, f"more than {budget} answers within an hour", held=True)
    return _handled(came.mail, await _reply(signer, came, thread, tx))


def _spent(came: Incoming, tx: Transaction, *, tickets: int = 0, answers: int = 0) -> Spent:
    """By the sender so far, with this mail and those that are handled with it."""
    key, before = senders.email_key(came.sender.email), came.policy.spent
    tx.append(people.SPEND, email_key=key, tickets=tickets, answers=answers)
    now = [row for row in tx.appended(people.SPEND) if row["email_key"] == key]
    return Spent(
        before.tickets + sum(row["tickets"] for row in now),
        before.answers + sum(row["answers"] for row in now),
    )


async def _open_if_allowed(
    signer: Signer, came: Incoming, related: int | None, tx: Transaction
) -> MailHandled:
    mail, policy, opening = came.mail, came.policy, senders.opening(came.known)
    unknown = not came.known
    if isinstance(opening, str) and not (unknown and policy.unknown_senders == "open"):
        return left(mail, opening, held=unknown and policy.unknown_senders == "quarantine")
    spent = _spent(came, tx, tickets=1).tickets
    if spent > policy.tickets:
        return left(mail, f"more than {policy.tickets} new tickets within an hour", held=True)
    heard = mail.authentication == "pass" or spent <= policy.acknowledgements
    terms = Terms(policy.assigned_to, heard, related)
    if isinstance(opening, str):
        return _handled(mail, await _open_for_stranger(signer, mail, came.sender, terms, tx))
    return _handled(mail, await _open(signer, came, opening, terms, tx))


async def _let_in(signer: Signer, mail: MailReceived, tx: Transaction) -> MailHandled:
    """Somebody has decided that it counts, whoever sent it and whatever the settings say."""
    client_id = mail.client_id
    if client_id is not None and not await tx.fetch_value(people.LIVE_CLIENT, client_id=client_id):
        return left(mail, f"there is no client {client_id}", held=True)
    sender = senders.usable(mail.sender)
    if sender is None:
        return _handled(mail, await _open_for_stranger(signer, mail, None, Terms(), tx))
    came = await incoming(mail, sender, tx)
    named = await named_thread(signer, came, tx)
    if named.thread is not None:
        return _handled(mail, await _reply(signer, came, named.thread, tx))
    opening = senders.accepted(came.known, client_id)
    terms = Terms(came.policy.assigned_to, related=named.related)
    if opening is None:
        return _handled(mail, await _open_for_stranger(signer, mail, sender, terms, tx))
    return _handled(mail, await _open(signer, came, opening, terms, tx))


async def _reply(
    signer: Signer, came: Incoming, thread: asyncpg.Record, tx: Transaction
) -> TicketEntry:
    """A participant's answer; an agent's, which is a note; or a stranger's: a note too, unverified
    and changing nothing."""
    mail, sender = came.mail, came.sender
    contact = senders.taking_part(came.known, thread["client_id"], thread["contact_id"])
    contact_id = contact.contact_id if contact else None
    # An agent's is a note also where a client has copied them in.
    agent = None if contact else await written_by_agent(sender, tx)
    takes_part = agent is None and participates(came, thread)
    if agent is None and (new := senders.colleague(came.known, thread["client_id"])):
        name = senders.contact_name(sender)
        contact_id = await _new_contact(tx, new.client_id, name, sender.email)
    author = agent or Author(
        type="contact" if takes_part and contact_id else "unknown",
        id=contact_id,
        name=senders.contact_name(sender, contact),
        email=sender.email,
    )
    verified = takes_part or agent is not None
    origin, body = await kept(mail, tx, verified=verified)
    command = commands.AddEntry(
        ticket_id=thread["ticket_id"],
        kind="client" if takes_part else "internal",
        body=body,
        author=author,
        cc=_joining(signer, came, thread, contact_id) if takes_part else (),
        through=Through(type="mail", id=mail.mail_id),
    )
    async with tx.alone(f"ticket:{command.ticket_id}"):  # the next one finds what this has set off
        return await add_entry(signer, command, tx, origin)


def _joining(
    signer: Signer, came: Incoming, thread: asyncpg.Record, contact_id: int | None
) -> tuple[str, ...]:
    """Who hears of the ticket from now on: the writer, who waits for an answer, and the Cc."""
    copied = senders.copied(came.mail, signer.mail_domain, came.policy.own)
    hears = {senders.email_key(each) for each in thread["watchers"] if senders.is_address(each)}
    if senders.email_key(came.sender.email) in hears:
        return copied
    is_contact = contact_id is not None and contact_id == thread["contact_id"]
    return copied if is_contact else (came.sender.email, *copied)


async def _open(
    signer: Signer, came: Incoming, opening: Sender, terms: Terms, tx: Transaction
) -> TicketEntry:
    contact_id, key = opening.contact_id, senders.email_key(came.sender.email)
    copied = senders.copied(came.mail, signer.mail_domain, came.policy.own)
    if contact_id is None:
        name = senders.contact_name(came.sender)
        contact_id = await _new_contact(tx, opening.client_id, name, came.sender.email)
    command = commands.OpenTicket(
        subject=senders.subject_of(came.mail),
        body=came.mail.body,
        client_id=opening.client_id,
        contact_id=contact_id,
        watchers=tuple(each for each in copied if senders.email_key(each) != key),
        assigned_to=terms.assigned_to,
        source="email",
    )
    return await _opened(signer, command, came.mail, terms, tx)


async def _new_contact(tx: Transaction, client_id: int, name: str, email: str) -> int:
    values = {"client_id": client_id, "name": name, "email": email}
    row = await tx.fetch_row(people.INSERT_SENDER, email_key=senders.email_key(email), **values)
    contact = CONTACT.document(row)
    tx.emit(CONTACT.event(contact))
    return contact.id


async def _open_for_stranger(
    signer: Signer, mail: MailReceived, sender: Address | None, terms: Terms, tx: Transaction
) -> TicketEntry:
    """Nobody's, and of no client unless the mail was accepted for one; the sender is a watcher, who
    gets the answers."""
    command = commands.OpenTicket(
        subject=senders.subject_of(mail),
        body=mail.body,
        client_id=mail.client_id,
        assigned_to=terms.assigned_to,
        watchers=(sender.email,) if sender else (),
        source="email",
        author=senders.stranger(sender),
    )
    return await _opened(signer, command, mail, terms, tx)


async def _opened(
    signer: Signer, command: commands.OpenTicket, mail: MailReceived, terms: Terms, tx: Transaction
) -> TicketEntry:
    origin, body = await kept(mail, tx)
    how = replace(origin, acknowledged=terms.acknowledged, related=terms.related)
    opened = await open_ticket(signer, command.model_copy(update={"body": body}), tx, how)
    if terms.related is not None:
        by = Actor(author=opened.entry.author, through=Through(type="mail", id=mail.mail_id))
        await link_back(terms.related, "possibly_related", opened.ticket, by, tx)
    return opened


def _handled(mail: MailReceived, made: TicketEntry) -> MailHandled:
    return MailHandled(
        mail_id=mail.mail_id,
        outcome="ticket" if made.entry.opening else "reply",
        reason="" if made.entry.verified else "unverified sender",
        ticket_id=made.ticket.id,
        entry_id=made.entry.id,
    )
