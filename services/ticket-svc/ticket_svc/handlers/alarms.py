"""A ticket's alarm comes: what has come of what it waits for is done."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import asyncpg

from deskwire.contracts import ticket_commands as commands
from deskwire.contracts import tickets as contracts
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.terms import Status
from deskwire.contracts.ticket_commands import TicketChanges
from deskwire.contracts.tickets import Ticket
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import clock as rules
from ticket_svc.domain import deadlines
from ticket_svc.domain.clock import Clock, Name
from ticket_svc.domain.threads import Signer
from ticket_svc.handlers.changes import change_ticket
from ticket_svc.handlers.clock import alarm, wind
from ticket_svc.handlers.tickets import opening_thread
from ticket_svc.store import changes, clocks, documents, history
from ticket_svc.store.history import Change
from ticket_svc.store.settings import team

SYSTEM = Actor(author=Author(type="system"), through=Through(type="system"))


@dataclass(frozen=True, slots=True)
class Woken:
    """A ticket, locked, and what it waits for."""

    signer: Signer
    row: asyncpg.Record
    ticket: Ticket
    clock: Clock
    now: datetime


async def wake_ticket(signer: Signer, command: commands.WakeTicket, tx: Transaction) -> None:
    """The ticket's own state decides: an alarm says when to look, never what to do.

    One that came for nothing, because the ticket changed meanwhile, is set anew.
    """
    now = max(command.at, await tx.fetch_value(clocks.NOW))  # the two clocks may differ
    woken = await _woken(signer, command.ticket_id, now, tx)
    if woken and not woken.clock.due(now) and woken.clock.alarm:
        tx.emit(alarm(woken.ticket, woken.clock))
    while woken and (due := woken.clock.due(now)):
        if due[0] in rules.OF_ROUND and await _answered(woken, tx):
            await _move(woken, "open", tx)
        else:
            await ACTIONS[due[0]](woken, tx)
        woken = await _woken(signer, command.ticket_id, now, tx)


async def _woken(signer: Signer, id: int, now: datetime, tx: Transaction) -> Woken | None:
    row = (await changes.lock(tx, [id])).get(id)
    if row is None:
        return None
    return Woken(signer, row, documents.ticket(row), documents.clock(row), now)


async def _answered(woken: Woken, tx: Transaction) -> bool:
    """By what a merge has brought; what the client said to the ticket itself ended the round."""
    last = await tx.fetch_row(clocks.LAST_WORD, ticket_id=woken.ticket.id)
    since = woken.clock.since
    return since is not None and last["kind"] == "client" and last["created_at"] > since


async def _let_wait(woken: Woken, tx: Transaction) -> None:
    """It was on hold for so long that its client is waited for."""
    if rules.waits_for_client(woken.ticket):
        await _move(woken, "auto-close", tx)
    else:
        await wind(woken.ticket, woken.clock, woken.clock.without("wait"), tx)


async def _remind(woken: Woken, tx: Transaction) -> None:
    """Once in a round: who was reminded has the moment, and it is not to come any more."""
    ticket = documents.ticket(await changes.update(tx, woken.ticket.id, {}))
    policy = clocks.policy_of(woken.row)
    ticket = await wind(ticket, woken.clock, rules.chased(woken.clock, policy, woken.now), tx)
    told = [Change(ticket.id, "chased_at", None, woken.now.isoformat())]
    entry = await tx.fetch_one(clocks.LAST_PUBLIC, ticket_id=ticket.id)
    row = woken.row
    tx.emit(
        contracts.TicketChased(
            ticket=ticket,
            history=await history.remember(tx, SYSTEM, told),
            entry=entry and documents.entry(entry),
            text=policy.chaser_text,
            thread=await opening_thread(woken.signer, row, tx),
            notify_client=row["notify_client"],
        )
    )


async def _tell_deadline(woken: Woken, tx: Transaction, *, name: Name) -> None:
    """Once: the moment does not come any more."""
    deadline, breached = deadlines.DEADLINES[name]
    due_at = woken.ticket.due_at if deadline == "resolution" else woken.clock.respond_by
    after = woken.clock.without(name)
    if breached:
        after = deadlines.missed(after, deadline)
    ticket = documents.ticket(await changes.update(tx, woken.ticket.id, {}))
    ticket = await wind(ticket, woken.clock, after, tx)
    told = [Change(ticket.id, "breached", None, deadline)] if breached else []
    row = woken.row
    tx.emit(
        contracts.TicketDeadline(
            ticket=ticket,
            history=await history.remember(tx, SYSTEM, told),
            deadline=deadline,
            breached=breached,
            due_at=due_at or woken.clock.moments[name],
            thread=await opening_thread(woken.signer, row, tx),
            team=team(row),
        )
    )


async def _close(woken: Woken, tx: Transaction) -> None:
    await _move(woken, "closed", tx)


async def _move(woken: Woken, status: Status, tx: Transaction) -> None:
    changed = TicketChanges(status=status)
    command = commands.ChangeTicket(ticket_id=woken.ticket.id, changes=changed, actor=SYSTEM)
    await change_ticket(woken.signer, command, tx)


ACTIONS: Mapping[Name, Callable[[Woken, Transaction], Awaitable[None]]] = {
    "wait": _let_wait,
    "chaser": _remind,
    "close": _close,
    **{name: partial(_tell_deadline, name=name) for name in deadlines.DEADLINES},
}
