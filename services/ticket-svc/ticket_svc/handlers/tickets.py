"""Opening tickets, however asked."""

import json
from dataclasses import dataclass
from typing import Any

import asyncpg
import structlog

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts.actors import Actor, Author
from deskwire.contracts.entries import Entry, StoredFile
from deskwire.contracts.terms import Via
from deskwire.contracts.threads import MailThread
from deskwire.contracts.ticket_commands import TicketEntry
from deskwire.errors import NotFound
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain.threads import Signer, thread
from ticket_svc.handlers import clock
from ticket_svc.handlers.attachments import link_uploads
from ticket_svc.store import documents, history, people, tickets
from ticket_svc.store.history import Change
from ticket_svc.store.settings import correspondence, team_for_new

log = structlog.get_logger()

SYSTEM = Author(type="system")


@dataclass(frozen=True, slots=True)
class Origin:
    """How an entry came: by which way, as which mail, with which files, after which ticket.
    ``related``: the ticket that the mail named; ``mailbox`` brought it. ``acknowledged``: whether
    its sender may be told of it. ``others``: who got the mail, too."""

    via: Via = "api"
    message_id: str | None = None
    attachments: tuple[StoredFile, ...] = ()
    verified: bool = True
    follows: int | None = None
    related: int | None = None
    mailbox: str | None = None
    acknowledged: bool = True
    others: tuple[str, ...] = ()

    @property
    def answered(self) -> list[str]:
        """What mails about the opening answer: the mail that it came by."""
        return [f"{self.message_id} 0"] if self.message_id else []

    @property
    def files(self) -> str:
        return json.dumps([file.model_dump() for file in self.attachments])


async def open_by_request(
    signer: Signer, command: commands.OpenTicket, tx: Transaction
) -> TicketEntry:
    origin = Origin(attachments=await link_uploads(command, tx))
    return await open_ticket(signer, command, tx, origin)


async def open_scheduled(
    signer: Signer, command: commands.OpenScheduledTicket, tx: Transaction
) -> TicketEntry:
    """Who or what is archived since it was scheduled is left out: the work is to be done."""
    there = await people.there(tx, command.ticket)
    if there != command.ticket:
        log.warning("scheduled ticket leaves out what is archived", schedule_id=command.schedule_id)
    if there.author is None:  # its contact did not write it
        there = there.model_copy(update={"author": SYSTEM})
    return await open_ticket(signer, there, tx, Origin(via="schedule"))


async def get_ticket(command: commands.GetTicket, tx: Transaction) -> contracts.Ticket:
    row = await tx.fetch_one(tickets.GET, ticket_id=command.ticket_id)
    if row is None:
        raise NotFound(f"there is no ticket {command.ticket_id}")
    return documents.ticket(row)


async def open_ticket(
    signer: Signer, command: commands.OpenTicket, tx: Transaction, origin: Origin
) -> TicketEntry:
    if command.within_client is not None and command.client_id != command.within_client:
        raise NotFound(f"there is no client {command.client_id}", field="client_id")
    row = await tx.fetch_one(tickets.OPEN, **opening_values(command, origin))
    if row is None:
        raise await _missing(command, tx)
    ticket = await clock.begin(row, documents.ticket(row, command.body), tx)
    entry = Entry(
        id=row["entry_id"],
        ticket_id=ticket.id,
        origin_ticket_id=ticket.id,
        kind=row["entry_kind"],
        opening=True,
        author=ticket.created_by,
        body=command.body,
        attachments=origin.attachments,
        via=origin.via,
        message_id=origin.message_id,
        created_at=ticket.created_at,
    )
    tx.emit(
        contracts.TicketOpened(
            ticket=ticket,
            entry=entry,
            thread=thread(signer, entry.id, origin.answered, correspondence(row)),
            notify_client=row["notify_client"] and origin.acknowledged,
            team=team_for_new(row, ticket.source),
        )
    )
    return TicketEntry(ticket=ticket, entry=entry)


async def link_back(
    ticket_id: int, field: str, opened: contracts.Ticket, by: Actor, tx: Transaction
) -> None:
    """The history of the ticket that a new one points at says so too."""
    named = {"id": opened.id, "name": opened.reference}
    for item in await history.remember(tx, by, [Change(ticket_id, field, None, named)]):
        tx.emit(contracts.HistoryTold(item=item))


async def opening_thread(
    signer: Signer, row: asyncpg.Record, tx: Transaction, *, to: asyncpg.Record | None = None
) -> MailThread:
    """For mails that are about no entry: they bear the opening one's token. They are for the people
    of the ticket, or for those of another one."""
    answered = await tx.fetch_value(tickets.ANSWERS, ticket_id=row["id"])
    return thread(signer, row["opening_id"], answered, correspondence(to or row))


def opening_values(command: commands.OpenTicket, origin: Origin) -> dict[str, Any]:
    return {
        "subject": command.subject,
        "client_id": command.client_id,
        "contact_id": command.contact_id,
        "priority": command.priority,
        "category": command.category,
        "source": command.source,
        "assigned_to": command.assigned_to,
        "asset_ids": list(dict.fromkeys(command.asset_ids)),
        "watchers": list(command.watchers),
        "tags": list(command.tags),
        "billable": command.billable,
        "due_at": command.due_at,
        "author": command.author.model_dump_json() if command.author else None,
        "system": SYSTEM.model_dump_json(),
        **documents.body_values(command.body),
        "attachments": origin.files,
        "via": origin.via,
        "message_id": origin.message_id,
        "follows": origin.follows,
        "possibly_related": origin.related,
        "mailbox": origin.mailbox,
    }


async def _missing(command: commands.OpenTicket, tx: Transaction) -> NotFound:
    """Which of the things that the ticket points at is not there."""
    if command.client_id is not None:
        await people.require_client(tx, command.client_id)
    missing = await people.missing(
        tx, command.client_id, command.contact_id, command.assigned_to, command.asset_ids
    )
    return missing or NotFound("what it names has just changed: ask again")
