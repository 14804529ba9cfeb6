"""Replies and notes: added however they come, edited, redacted."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts.actors import Actor, Named
from deskwire.contracts.entries import Entry
from deskwire.contracts.terms import EntryKind
from deskwire.contracts.ticket_commands import TicketEntry
from deskwire.contracts.tickets import HistoryItem, Ticket
from deskwire.contracts.timekeeping import TimeChanged, TimeEntry
from deskwire.errors import NotFound, check_version
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import life
from ticket_svc.domain.threads import Signer, thread
from ticket_svc.handlers import clock
from ticket_svc.handlers.attachments import discard, link_uploads
from ticket_svc.handlers.tickets import Origin, link_back, open_ticket
from ticket_svc.store import changes, documents, entries, history, tickets
from ticket_svc.store.history import Change
from ticket_svc.store.settings import correspondence, team


async def add_by_request(
    signer: Signer, command: commands.AddEntry, tx: Transaction
) -> TicketEntry:
    return await add_entry(signer, command, tx, Origin(attachments=await link_uploads(command, tx)))


def is_note(command: commands.AddEntry) -> bool:
    """And nothing else: it moves no status and no deadline."""
    return command.kind == "internal" and command.status is None


async def add_entry(
    signer: Signer, command: commands.AddEntry, tx: Transaction, origin: Origin
) -> TicketEntry:
    values = _values(command, origin)
    row = await tx.fetch_one(tickets.ADD_ENTRY, order=command.ticket_id, **values)
    row = row or await _again(command, values, tx)
    if row is None:
        return await _follow_up(signer, command, tx, origin)
    ticket, entry = documents.ticket(row), _added(command, origin, row)
    ticket = await clock.follow(row, row["old_status"], ticket, tx, replied=command.kind)
    time = _worked(ticket, entry, row)
    changed = await _history(command, row["old_status"], ticket, tx)
    event = _event(command.kind, row, life.reached(ticket, origin.others))
    tx.emit(
        event(
            ticket=ticket,
            entry=entry,
            history=changed,
            thread=thread(signer, entry.id, row["answered"], correspondence(row)),
            notify_client=row["notify_client"],
            team=team(row),
        )
    )
    if time is not None:
        tx.emit(TimeChanged(time=time))
    return TicketEntry(ticket=ticket, entry=entry, time=time)


async def edit_entry(command: commands.EditEntry, tx: Transaction) -> TicketEntry:
    ticket, entry = await _locked(command, tx)
    life.check_editable(entry, command.actor.author)
    check_version(entry.version, command.if_version)
    await discard(entry.model_copy(update={"attachments": ()}), tx)
    values = documents.body_values(command.body)
    row = await tx.fetch_row(entries.EDIT, entry_id=entry.id, **values)
    return await _changed("entry.edited", ticket, row, command.actor, tx)


async def redact_entry(command: commands.RedactEntry, tx: Transaction) -> TicketEntry:
    ticket, entry = await _locked(command, tx)
    if entry.redacted_at is not None:
        return TicketEntry(ticket=ticket, entry=entry)
    await discard(entry, tx)
    by = command.actor.author.model_dump_json()
    row = await tx.fetch_row(entries.REDACT, entry_id=entry.id, by=by)
    return await _changed("entry.redacted", ticket, row, command.actor, tx)


async def _again(
    command: commands.AddEntry, values: dict[str, Any], tx: Transaction
) -> asyncpg.Record | None:
    """After there was no row: why, or once more because the ticket was merged meanwhile. None:
    it was closed too long ago."""
    ticket = await _landing(command, tx)
    if command.status is not None:
        life.check_move(ticket.status, command.status)
    return await tx.fetch_one(tickets.ADD_ENTRY, **values)


async def _follow_up(
    signer: Signer, command: commands.AddEntry, tx: Transaction, origin: Origin
) -> TicketEntry:
    """The answer opens a ticket of its own, which says which one it follows, as that one does; what
    comes after it goes there."""
    before, author = await _landing(command, tx), command.author
    stranger = [author.email] if author.type == "unknown" and author.email else []
    others = [email for email in command.cc if email != author.email]
    if follower := await tx.fetch_value(tickets.FOLLOWER, ticket_id=before.id):
        there = {"ticket_id": follower, "cc": (*command.cc, *stranger)}
        return await add_entry(signer, command.model_copy(update=there), tx, origin)
    opened = await open_ticket(
        signer,
        commands.OpenTicket(
            subject=before.subject,
            body=command.body,
            client_id=before.client and before.client.id,
            contact_id=author.id if author.type == "contact" else None,
            watchers=(*others, *stranger),
            source="email" if origin.via == "email" else "api",
            author=author,
        ),
        tx,
        replace(origin, follows=before.id),
    )
    actor = Actor(author=author, through=command.through)
    await link_back(before.id, "followed_by", opened.ticket, actor, tx)
    return opened


async def _history(
    command: commands.AddEntry, before: str, ticket: Ticket, tx: Transaction
) -> tuple[HistoryItem, ...]:
    if before == ticket.status:
        return ()
    actor = Actor(author=command.author, through=command.through)
    return await history.remember(tx, actor, [Change(ticket.id, "status", before, ticket.status)])


async def _landing(
    command: commands.AddEntry | commands.EditEntry | commands.RedactEntry, tx: Transaction
) -> Ticket:
    """The ticket where what is for the command's is shown, locked."""
    row = await changes.lock_shown(tx, command.ticket_id, command.within_client)
    return documents.ticket(row)


async def _locked(
    command: commands.EditEntry | commands.RedactEntry, tx: Transaction
) -> tuple[Ticket, Entry]:
    """The entry, and the ticket on which it is shown."""
    ticket = await _landing(command, tx)
    row = await tx.fetch_one(entries.GET, entry_id=command.entry_id, ticket_id=ticket.id)
    if row is None:
        raise NotFound(f"there is no entry {command.entry_id} on ticket {ticket.id}")
    return ticket, documents.entry(row)


async def _changed(
    field: str, ticket: Ticket, row: asyncpg.Record, actor: Actor, tx: Transaction
) -> TicketEntry:
    """Tell the entry and its tickets: that on which it is shown, and that which it opened."""
    entry = documents.entry(row)
    items = await history.remember(tx, actor, [Change(ticket.id, field, None, entry.id)])
    shown = documents.ticket(await changes.update(tx, ticket.id, {}))
    tx.emit(contracts.EntryChanged(entry=entry))
    tx.emit(contracts.TicketChanged(ticket=shown, history=items))
    if entry.opening and entry.origin_ticket_id != ticket.id:
        opened = documents.ticket(await changes.update(tx, entry.origin_ticket_id, {}))
        tx.emit(contracts.TicketChanged(ticket=opened))
    return TicketEntry(ticket=shown, entry=entry)


def _event(
    kind: EntryKind, row: asyncpg.Record, reached: tuple[str, ...]
) -> Callable[..., contracts.TicketNoted | contracts.TicketReplied]:
    if kind == "internal":
        return contracts.TicketNoted
    answers = documents.last_message(row)
    return partial(contracts.TicketReplied, answers=answers, reached=reached)


def _added(command: commands.AddEntry, origin: Origin, row: asyncpg.Record) -> Entry:
    return Entry(
        id=row["entry_id"],
        ticket_id=row["id"],
        origin_ticket_id=row["id"],
        kind=command.kind,
        author=command.author,
        body=command.body,
        attachments=origin.attachments,
        time_worked=command.time_worked,
        via=origin.via,
        message_id=origin.message_id,
        verified=origin.verified,
        created_at=row["entry_created_at"],
    )


def _worked(ticket: Ticket, entry: Entry, row: asyncpg.Record) -> TimeEntry | None:
    """The time entry that came with it, if time was worked for it."""
    if row["time_id"] is None:
        return None
    known = row["time_agent_id"] is not None
    return TimeEntry(
        id=row["time_id"],
        ticket_id=ticket.id,
        origin_ticket_id=ticket.id,
        reference=ticket.reference,
        client=ticket.client,
        entry_id=entry.id,
        agent=Named(id=row["time_agent_id"], name=entry.author.name) if known else None,
        seconds=entry.time_worked,
        started_at=row["time_started_at"],
        billable=ticket.billable,
        created_at=entry.created_at,
        updated_at=entry.created_at,
    )


def _values(command: commands.AddEntry, origin: Origin) -> dict[str, Any]:
    return {
        "ticket_id": command.ticket_id,
        "within_client": command.within_client,
        "status": command.status,
        "moves": ["closed", *life.AFTER_CLOSED],
        "reopens": life.reopens(command.kind, verified=origin.verified),
        "reopened": list(life.REOPENED_BY_CLIENT),
        "answers": life.is_answer(command, verified=origin.verified),
        "kind": command.kind,
        "internal": command.kind == "internal",
        "responds": life.is_response(command.kind),
        "author": command.author.model_dump_json(),
        "author_name": command.author.name,
        "agent_id": command.author.id if command.author.type == "agent" else None,
        "author_contact": command.author.id if command.author.type == "contact" else None,
        "watchers": list(command.cc),
        "mailed": origin.via == "email",
        "time_worked": command.time_worked,
        **documents.body_values(command.body),
        "attachments": origin.files,
        "via": origin.via,
        "message_id": origin.message_id,
        "verified": origin.verified,
    }
