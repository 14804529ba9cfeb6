"""The life of a ticket: its statuses and their moves, and what a change makes of it."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from deskwire.contracts.actors import Author
from deskwire.contracts.entries import Entry
from deskwire.contracts.terms import EntryKind, Status
from deskwire.contracts.ticket_commands import AddEntry
from deskwire.contracts.tickets import Ticket
from deskwire.errors import Conflict, Forbidden

REOPENED_BY_CLIENT: tuple[Status, ...] = ("hold", "auto-close", "closed")
"""A client's answer in one of these opens the ticket again; in the others nothing changes."""

AFTER_CLOSED: tuple[Status, ...] = ("open", "working")
"""What a closed ticket can become; from every other status any move is allowed."""


def check_move(before: Status, after: Status) -> None:
    """Raises `Conflict` for a move that there is not."""
    if before == "closed" and after not in ("closed", *AFTER_CLOSED):
        raise Conflict("a closed ticket must be reopened first", field="status")


def check_unmerged(ticket: Ticket) -> None:
    """What is told of a merged ticket lands elsewhere, but its own state rests."""
    if ticket.merged_into is not None:
        raise Conflict(f"{ticket.reference} is merged into the ticket {ticket.merged_into}")


def differences(ticket: Ticket, wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Of the wanted values those that are not so already. Raises `Conflict` for a wrong move."""
    now = current_values(ticket)
    changed = {name: value for name, value in wanted.items() if now[name] != value}
    if "status" in changed:
        check_move(ticket.status, changed["status"])
    if "client_id" in changed and ticket.client is not None:
        raise Conflict(f"the ticket is of {ticket.client.name} already", field="client_id")
    return changed


def adds_readers(ticket: Ticket, wanted: Mapping[str, Any]) -> bool:
    """Whether somebody gets its mails then for whom the last message was not meant."""
    watchers = {email.casefold() for email in ticket.watchers}
    joining = {email.casefold() for email in wanted.get("watchers", ())}
    return "contact_id" in wanted or not joining <= watchers


def reached(ticket: Ticket, addresses: Iterable[str]) -> tuple[str, ...]:
    """Who of its contact and watchers is among them."""
    among = {email.casefold() for email in addresses}
    people = (ticket.contact and ticket.contact.email, *ticket.watchers)
    return tuple(email for email in people if email and email.casefold() in among)


def current_values(ticket: Ticket) -> dict[str, Any]:
    """The values that can be changed, as `TicketChanges` has them."""
    return {
        "subject": ticket.subject,
        "status": ticket.status,
        "priority": ticket.priority,
        "category": ticket.category,
        "client_id": ticket.client and ticket.client.id,
        "contact_id": ticket.contact and ticket.contact.id,
        "assigned_to": ticket.assigned_to and ticket.assigned_to.id,
        "asset_ids": tuple(asset.id for asset in ticket.assets),
        "watchers": ticket.watchers,
        "tags": ticket.tags,
        "billable": ticket.billable,
        "due_at": ticket.due_at,
    }


def stamps(status: Status, by: Author, at: datetime) -> dict[str, Any]:
    """What is remembered of the closing, and forgotten on reopening."""
    closed = status == "closed"
    return {"closed_at": at if closed else None, "closed_by": by if closed else None}


def shown(ticket: Ticket, field: str) -> Any:
    """A value as history tells it: what has a name with its name."""
    named = {
        "client_id": ticket.client,
        "contact_id": ticket.contact,
        "assigned_to": ticket.assigned_to,
    }
    if field in named:
        it = named[field]
        return it and {"id": it.id, "name": it.name}
    if field == "auto_close":
        return ticket.auto_close and ticket.auto_close.model_dump(mode="json")
    if field == "asset_ids":
        return [{"id": asset.id, "name": asset.name} for asset in ticket.assets]
    value = current_values(ticket)[field]
    if isinstance(value, datetime):
        return value.isoformat()
    return list(value) if isinstance(value, tuple) else value


def reopens(kind: EntryKind, *, verified: bool = True) -> bool:
    return kind == "client" and verified


def is_answer(command: AddEntry, *, verified: bool) -> bool:
    """A client's own words and nothing else: only such an answer can come too late."""
    bare = command.status is None and not command.time_worked
    return bare and reopens(command.kind, verified=verified)


def is_response(kind: EntryKind) -> bool:
    """The desk lets the client read it, whichever key it has: front ends may share one."""
    return kind == "public"


def check_editable(entry: Entry, by: Author) -> None:
    """Raises `Forbidden` but for one's own note: what others were told stays as they were told."""
    own = (entry.author.type, entry.author.id) == (by.type, by.id) and by.type != "unknown"
    if entry.kind != "internal" or not own:
        raise Forbidden("only one's own internal notes can be edited")
    if entry.redacted_at is not None:
        raise Conflict("this entry is redacted")
