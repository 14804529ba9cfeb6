"""What a ticket waits for follows from its changes; the scheduler wakes it at the first of that."""

import asyncpg

from deskwire.contracts.schedules import SetAlarm
from deskwire.contracts.tickets import EntryKind, Status, Ticket
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import clock as rules
from ticket_svc.domain.clock import Clock
from ticket_svc.store import clocks, documents


async def follow(
    row: asyncpg.Record,
    before: Status,
    ticket: Ticket,
    tx: Transaction,
    *,
    replied: EntryKind | None = None,
    hours: int | None = None,
) -> Ticket:
    """The changed ticket with what it waits for now; ``hours``: that it is closed in.

    ``row`` has the columns of `settings.TOLD`, and what it waited for before.
    """
    if before == ticket.status and replied != "public" and hours is None:
        return ticket
    clock, policy = documents.clock(row), clocks.policy_of(row)
    after = rules.follow(clock, before, ticket, policy, replied=replied)
    if hours is not None:
        after = rules.put_off(after, ticket, policy, hours)
    return await wind(ticket, clock, after, tx)


async def wind(ticket: Ticket, before: Clock, after: Clock, tx: Transaction) -> Ticket:
    """Keep what the ticket waits for, and have it woken for that."""
    if before == after:
        return ticket
    await tx.execute(clocks.SET, id=ticket.id, clock=clocks.column(after))
    if before.alarm != after.alarm:
        tx.emit(alarm(ticket, after))
    return ticket.model_copy(update={"auto_close": after.auto_close})


def alarm(ticket: Ticket, clock: Clock) -> SetAlarm:
    return SetAlarm(ticket_id=ticket.id, at=clock.alarm, version=ticket.version)
