"""A ticket is changed: its fields, its status, who has it."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.tickets import Ticket
from deskwire.contracts.timekeeping import TimeChanged
from deskwire.errors import Conflict, check_version
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import life
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import clock
from ticket_svc.handlers.tickets import opening_thread
from ticket_svc.store import changes, documents, history, people, timekeeping
from ticket_svc.store.history import Change

TOLD_BY_MAIL = {"status", "assigned_to"}


async def change_ticket(signer: Signer, command: commands.ChangeTicket, tx: Transaction) -> Ticket:
    """All that is wanted, or nothing; what is so already is no change and makes no new version."""
    row = await changes.lock_one(tx, command.ticket_id, command.within_client)
    before = documents.ticket(row)
    life.check_unmerged(before)
    check_version(before.version, command.if_version)
    wanted = life.differences(before, command.changes.values)
    if not wanted and command.close_in_hours is None:
        if command.refuse_unchanged:
            raise Conflict("all of it is so already")
        return before
    await _check_references(before, wanted, tx)
    values = stored(wanted, command.actor.author)
    if life.adds_readers(before, wanted):
        values["quotable"] = False
    after = documents.ticket(await changes.update(tx, before.id, values))
    causes = set(wanted)
    if "client_id" in wanted:
        row, causes = await _of_its_client(after.id, tx), causes | {"calendar"}
    hours = command.close_in_hours
    after = await clock.follow(row, before.status, after, tx, hours=hours, changed=causes)
    fields = wanted if hours is None else [*wanted, "auto_close"]
    told = [
        Change(after.id, field, life.shown(before, field), life.shown(after, field))
        for field in fields
    ]
    by_mail = wanted.keys() & TOLD_BY_MAIL
    tx.emit(
        contracts.TicketChanged(
            ticket=after,
            history=await history.remember(tx, command.actor, told),
            thread=await opening_thread(signer, row, tx) if by_mail else None,
            notify_client=row["notify_client"],
        )
    )
    return after


async def _of_its_client(ticket_id: int, tx: Transaction) -> asyncpg.Record:
    """Its time is told as the client's; its row with the settings of the client."""
    for row in await tx.fetch(timekeeping.RETELL, ticket_id=ticket_id):
        tx.emit(TimeChanged(time=timekeeping.time_entry(row)))
    return await changes.lock_one(tx, ticket_id)


async def stop_watching(command: commands.StopWatching, tx: Transaction) -> Ticket:
    """Raises `NotFound`. Who does not watch it has what they want."""
    row = await changes.lock_one(tx, command.ticket_id)
    after = await _without_watcher(row, command.email, tx)
    if after.merged_into is not None:
        return await stop_watching(command.model_copy(update={"ticket_id": after.merged_into}), tx)
    return after


async def _without_watcher(row: asyncpg.Record, email: str, tx: Transaction) -> Ticket:
    """Who is copied in with a later mail, as programs do it by themselves, stays away."""
    ticket = documents.ticket(row)
    stay = [each for each in ticket.watchers if each.casefold() != email.casefold()]
    if len(stay) == len(ticket.watchers):
        return ticket
    left = sorted({*row["unwatched"], email.lower()})
    values = {"watchers": stay, "unwatched": left}
    after = documents.ticket(await changes.update(tx, ticket.id, values))
    by = Actor(author=Author(type="unknown", email=email), through=Through(type="link"))
    told = [Change(ticket.id, "watchers", list(ticket.watchers), stay)]
    items = await history.remember(tx, by, told)
    tx.emit(contracts.TicketChanged(ticket=after, history=items))
    return after


def stored(wanted: Mapping[str, Any], by: Author) -> dict[str, Any]:
    """The values as columns, with what follows from a new status."""
    values = {k: list(v) if isinstance(v, tuple) else v for k, v in wanted.items()}
    if "status" in wanted:
        stamps = life.stamps(wanted["status"], by, datetime.now(UTC))
        closed_by = stamps["closed_by"]
        values |= stamps | {"closed_by": closed_by and closed_by.model_dump_json()}
    return values


async def _check_references(ticket: Ticket, wanted: Mapping[str, Any], tx: Transaction) -> None:
    """Raises `NotFound` for a client, contact, agent or asset that the ticket cannot have."""
    client_id = wanted.get("client_id", ticket.client and ticket.client.id)
    if "client_id" in wanted:
        await people.require_client(tx, wanted["client_id"])
    if not wanted.keys() & {"contact_id", "assigned_to", "asset_ids"}:
        return
    known = {asset.id for asset in ticket.assets}
    missing = await people.missing(
        tx,
        client_id,
        wanted.get("contact_id"),
        wanted.get("assigned_to"),
        [id for id in wanted.get("asset_ids", ()) if id not in known],
    )
    if missing is not None:
        raise missing
