"""What a ticket waits for follows from its changes; the scheduler wakes it at the first of that."""

from collections.abc import Collection

import asyncpg

from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.terms import EntryKind, Status
from deskwire.contracts.tickets import RecountDeadlines, Ticket, TicketChanged
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import clock as rules
from ticket_svc.domain import deadlines
from ticket_svc.domain.clock import NOTHING, Clock
from ticket_svc.store import changes, clocks, documents


async def follow(
    row: asyncpg.Record,
    before: Status,
    ticket: Ticket,
    tx: Transaction,
    *,
    replied: EntryKind | None = None,
    hours: int | None = None,
    changed: Collection[str] = (),
) -> Ticket:
    """The changed ticket with what it waits for now; ``hours``: that it is closed in.

    ``row`` has the columns of `settings.TOLD`, and what it waited for before.
    """
    same = before == ticket.status and replied != "public" and hours is None
    if same and not deadlines.CHANGES.intersection(changed):
        return ticket
    clock, policy = documents.clock(row), clocks.policy_of(row)
    after = rules.follow(clock, before, ticket, policy, replied=replied)
    if hours is not None:
        after = rules.put_off(after, ticket, policy, hours)
    after = deadlines.follow(after, ticket, policy, set(changed), ticket.updated_at)
    return await wind(ticket, clock, after, tx)


async def begin(row: asyncpg.Record, ticket: Ticket, tx: Transaction) -> Ticket:
    """The new ticket with its deadlines."""
    after = deadlines.opened(NOTHING, ticket, clocks.policy_of(row))
    return await wind(ticket, NOTHING, after, tx)


async def wind(ticket: Ticket, before: Clock, after: Clock, tx: Transaction) -> Ticket:
    """Keep what the ticket waits for, and have it woken for that."""
    if before == after:
        return ticket
    due_at = deadlines.due_at(after, ticket)
    await tx.execute(clocks.SET, id=ticket.id, clock=clocks.column(after), due_at=due_at)
    if before.alarm != after.alarm:
        tx.emit(alarm(ticket, after))
    return ticket.model_copy(update=documents.of_clock(after) | {"due_at": due_at})


def alarm(ticket: Ticket, clock: Clock) -> SetAlarm:
    return SetAlarm(ticket_id=ticket.id, at=clock.alarm, version=ticket.version)


async def recount_deadlines(message: RecountDeadlines, tx: Transaction) -> None:
    """One page of the tickets that wait for something; the next one is a message of its own."""
    page = await tx.fetch(clocks.PAGE, client_id=message.client_id, before=message.before_ticket)
    ids = [row["id"] for row in page]
    now = await tx.fetch_value(clocks.NOW)
    moved: dict[int, tuple[Ticket, Clock, Clock]] = {}
    for row in (await changes.lock(tx, ids)).values():
        ticket, before, policy = documents.ticket(row), documents.clock(row), clocks.policy_of(row)
        after = rules.switched(before, ticket, policy, now)
        after = deadlines.follow(after, ticket, policy, {"calendar"}, now)
        if after != before:
            moved[ticket.id] = ticket, before, after
    rows = await tx.fetch(
        clocks.MOVE,
        ids=list(moved),
        clocks=[clocks.column(after) for _, _, after in moved.values()],
        due_ats=[deadlines.due_at(after, ticket) for ticket, _, after in moved.values()],
    )
    for row in rows:
        ticket = documents.ticket(row)
        tx.emit(TicketChanged(ticket=ticket))
        _, before, after = moved[ticket.id]
        if before.alarm != after.alarm:
            tx.emit(alarm(ticket, after))
    if len(ids) == clocks.ROWS:
        tx.emit(message.model_copy(update={"before_ticket": ids[-1]}))
