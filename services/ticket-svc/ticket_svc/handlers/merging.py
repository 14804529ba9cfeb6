"""Merging two tickets, and taking it back."""

from collections.abc import Collection, Sequence
from typing import Any

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts.actors import Actor, Through
from deskwire.contracts.ticket_commands import MergedTickets
from deskwire.contracts.tickets import EntryChanged, HistoryItem, Ticket
from deskwire.contracts.timekeeping import TimeChanged
from deskwire.errors import Conflict, NotFound
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import merging
from ticket_svc.domain.merging import Joined
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers import clock
from ticket_svc.handlers.changes import stored
from ticket_svc.handlers.tickets import opening_thread
from ticket_svc.store import changes, documents, history, merges, timekeeping
from ticket_svc.store.history import Change


async def merge_ticket(
    signer: Signer, command: commands.MergeTicket, tx: Transaction
) -> MergedTickets:
    await tx.execute(merges.ONE_AT_A_TIME)
    locked = await changes.lock(tx, {command.ticket_id, command.into}, command.within_client)
    source = _there(locked, command.ticket_id, "ticket_id")
    target = _there(locked, command.into, "into")
    merging.check_merge(source, target, command)
    joined = merging.joining(source, target)
    merge_id = await _insert(source, target, joined, command.reason, tx)
    below = await _below(source.id, tx)
    await _show(tx, [source.id, *below], source.id, target.id)
    after = MergedTickets(
        source=await _gone(locked[source.id], target, command.actor, tx),
        target=await _taken_over(locked[target.id], joined, [source.id, *below], tx),
    )
    await _point(below, target.id, tx)
    items = await _merge_history(source, target, command, merge_id, tx)
    tx.emit(contracts.TicketChanged(ticket=after.source, history=items[1:]))
    told, shown = locked[source.id], locked[target.id]
    tx.emit(
        contracts.TicketMerged(
            ticket=after.target,
            source=after.source,
            reason=command.reason,
            history=items[:1],
            thread=await opening_thread(signer, shown, tx, to=told),
            closed=source.status != "closed",
            notify_client=told["notify_client"],
        )
    )
    return after


async def unmerge_ticket(command: commands.UnmergeTicket, tx: Transaction) -> MergedTickets:
    await tx.execute(merges.ONE_AT_A_TIME)
    merge = await _merge_of(command, tx)
    onward = await tx.fetch(merges.ONWARD, ticket_id=merge["source_id"])
    below = await _below(merge["source_id"], tx)
    targets = [hop["target_id"] for hop in onward]
    locked = await changes.lock(tx, {merge["source_id"], *targets}, command.within_client)
    source = _there(locked, merge["source_id"], "ticket_id")
    root = _there(locked, targets[-1], "ticket_id")
    await tx.execute(merges.UNDO, id=merge["id"])
    await _show(tx, [source.id, *below], root.id, source.id)
    back = await _back(merge, locked[source.id], below, tx)
    await _point(below, source.id, tx)
    after = await _given_back(onward, locked, {source.id, *below}, tx)
    items = await _unmerge_history(source, back, root, command.actor, tx)
    tx.emit(contracts.TicketChanged(ticket=back, history=items[1:]))
    for ticket in after:
        told = items[:1] if ticket.id == root.id else ()
        tx.emit(contracts.TicketChanged(ticket=ticket, history=told))
    return MergedTickets(source=back, target=after[-1])


# --- merging


async def _insert(
    source: Ticket, target: Ticket, joined: Joined, reason: str, tx: Transaction
) -> int:
    merge_id: int = await tx.fetch_value(
        merges.INSERT,
        source_id=source.id,
        target_id=target.id,
        reason=reason,
        status=source.status,
        closed_at=source.closed_at,
        closed_by=source.closed_by.model_dump_json() if source.closed_by else None,
        watchers=list(joined.watchers),
        asset_ids=list(joined.asset_ids),
    )
    return merge_id


async def _gone(row: asyncpg.Record, target: Ticket, by: Actor, tx: Transaction) -> Ticket:
    source = documents.ticket(row)
    closing = {} if source.status == "closed" else stored({"status": "closed"}, by.author)
    values = closing | {"merged_into": target.id, "merged_from": []}
    gone = documents.ticket(await changes.update(tx, source.id, values))
    return await clock.follow(row, source.status, gone, tx)


async def _taken_over(
    row: asyncpg.Record, joined: Joined, merged: Collection[int], tx: Transaction
) -> Ticket:
    target = documents.ticket(row)
    values: dict[str, Any] = {
        "merged_from": sorted({*target.merged_from, *merged}),
        "watchers": [*target.watchers, *joined.watchers],
        "asset_ids": [*(asset.id for asset in target.assets), *joined.asset_ids],
        "quotable": False,
    }
    return await _answered_by_now(row, await changes.update(tx, target.id, values), tx)


async def _answered_by_now(before: asyncpg.Record, row: asyncpg.Record, tx: Transaction) -> Ticket:
    """The ticket, which waits for its first answer as what is shown on it says."""
    ticket = documents.ticket(row)
    if before["first_response_at"] == ticket.first_response_at:
        return ticket
    return await clock.follow(before, ticket.status, ticket, tx, changed={"calendar"})


async def _merge_history(
    source: Ticket, target: Ticket, command: commands.MergeTicket, merge_id: int, tx: Transaction
) -> tuple[HistoryItem, ...]:
    """The target's item first."""
    about = {"reason": command.reason} if command.reason else {}
    told = [
        Change(target.id, "merged_from", None, _named(source) | about),
        Change(source.id, "merged_into", None, _named(target) | about),
    ]
    items = await history.remember(tx, command.actor, told)
    if source.status == "closed":
        return items
    closing = Actor(author=command.actor.author, through=Through(type="merge", id=merge_id))
    closed = [Change(source.id, "status", source.status, "closed")]
    return (*items, *await history.remember(tx, closing, closed))


# --- taking it back


async def _merge_of(command: commands.UnmergeTicket, tx: Transaction) -> asyncpg.Record:
    there = await changes.lock(tx, [command.ticket_id], command.within_client)
    ticket = _there(there, command.ticket_id, "ticket_id")
    merge = await tx.fetch_one(merges.FIND, ticket_id=ticket.id)
    if merge is None:
        raise Conflict(f"{ticket.reference} is not merged, and nothing is merged into it")
    return merge


async def _back(
    merge: asyncpg.Record, row: asyncpg.Record, below: Sequence[int], tx: Transaction
) -> Ticket:
    """The source as it was; what it waited for begins anew."""
    values = {name: merge[name] for name in ("status", "closed_at", "closed_by")}
    values |= {"merged_into": None, "merged_from": list(below)}
    back = documents.ticket(await changes.update(tx, merge["source_id"], values))
    return await clock.follow(row, row["status"], back, tx)


async def _given_back(
    onward: Sequence[asyncpg.Record],
    locked: dict[int, asyncpg.Record],
    unmerged: set[int],
    tx: Transaction,
) -> list[Ticket]:
    """The tickets on the way to where all is shown, without what the merge brought them."""
    joined = [Joined(tuple(hop["watchers"]), tuple(hop["asset_ids"])) for hop in onward]
    changed = []
    gone = merging.leaving(joined[0], joined[1:])
    for hop, had, leaves in zip(onward, joined, gone, strict=True):
        stays = had.without(leaves)
        await tx.execute(
            merges.GIVE_BACK,
            id=hop["id"],
            watchers=list(stays.watchers),
            asset_ids=list(stays.asset_ids),
        )
        target = documents.ticket(locked[hop["target_id"]])
        values: dict[str, Any] = {
            "watchers": [w for w in target.watchers if w not in leaves.watchers],
            "asset_ids": [a.id for a in target.assets if a.id not in leaves.asset_ids],
            "merged_from": [id for id in target.merged_from if id not in unmerged],
        }
        row = await changes.update(tx, target.id, values)
        changed.append(await _answered_by_now(locked[target.id], row, tx))
    return changed


async def _unmerge_history(
    source: Ticket, back: Ticket, root: Ticket, actor: Actor, tx: Transaction
) -> tuple[HistoryItem, ...]:
    """The target's item first."""
    told = [
        Change(root.id, "merged_from", _named(source), None),
        Change(source.id, "merged_into", _named(root), None),
    ]
    if back.status != source.status:
        told.append(Change(source.id, "status", source.status, back.status))
    return await history.remember(tx, actor, told)


# --- both


def _there(rows: dict[int, asyncpg.Record], id: int, field: str) -> Ticket:
    if id not in rows:
        raise NotFound(f"there is no ticket {id}", field=field)
    return documents.ticket(rows[id])


async def _below(ticket_id: int, tx: Transaction) -> list[int]:
    """All that was merged into a ticket, and into those; locked."""
    rows = await tx.fetch(merges.BELOW, ticket_id=ticket_id)
    ids = [row["source_id"] for row in rows]
    await changes.lock(tx, ids)
    return ids


async def _show(tx: Transaction, origins: Sequence[int], before: int, now: int) -> None:
    """Show the entries and times of some tickets on another one. Raises `Conflict` when time that
    is invoiced would be another client's."""
    values = {"source_id": before, "target_id": now, "origins": list(origins)}
    for row in await tx.fetch(merges.MOVE_ENTRIES, **values):
        tx.emit(EntryChanged(entry=documents.entry(row)))
    for row in await tx.fetch(merges.MOVE_TIME, **values):
        tx.emit(TimeChanged(time=timekeeping.time_entry(row)))
    if invoice := await tx.fetch_value(merges.ASTRAY, ticket_id=now):
        raise Conflict(f"time on {invoice} would be another client's: make that void first")
    await tx.execute(changes.RECOUNT, ids=[before, now])


async def _point(below: Sequence[int], landing: int, tx: Transaction) -> None:
    """Tell what was merged further down where it lands now."""
    for id in below:
        row = await changes.update(tx, id, {"merged_into": landing})
        tx.emit(contracts.TicketChanged(ticket=documents.ticket(row)))


def _named(ticket: Ticket) -> dict[str, Any]:
    return {"id": ticket.id, "name": ticket.reference}
