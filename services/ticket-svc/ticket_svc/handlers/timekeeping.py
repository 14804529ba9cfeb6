"""Time worked on tickets is told, changed, taken back, or counted by a timer."""

from datetime import UTC, datetime

from deskwire.contracts import timekeeping as contracts
from deskwire.contracts.actors import Actor
from deskwire.contracts.entries import Entry
from deskwire.contracts.tickets import EntryChanged, Ticket, TicketChanged
from deskwire.contracts.timekeeping import LONGEST_TIME, KeptTime, TimeEntry
from deskwire.errors import Conflict, NotFound, check_version
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import timekeeping as rules
from ticket_svc.store import changes, documents, entries, history, timekeeping
from ticket_svc.store.history import Change


async def add_time(command: contracts.AddTime, tx: Transaction) -> KeptTime:
    now = datetime.now(UTC)
    started_at = command.started_at or rules.beginning(command.seconds, now)
    rules.check_time(command.seconds, started_at, now)
    agent_id = await _agent(command.agent_id, command.actor, tx)
    ticket = await _shown_on(command.ticket_id, tx)
    row = await tx.fetch_row(
        timekeeping.ADD,
        ticket_id=ticket.id,
        agent_id=agent_id,
        seconds=command.seconds,
        started_at=started_at,
        billable=command.billable,
        note=command.note,
    )
    return await _kept(None, timekeeping.time_entry(row), command.actor, tx)


async def change_time(command: contracts.ChangeTime, tx: Transaction) -> KeptTime:
    """What is so already is no change and makes no new version."""
    before = await _own_time(command, tx)
    check_version(before.version, command.if_version)
    wanted = rules.differences(before, command.changes.values, datetime.now(UTC))
    if not wanted:
        return KeptTime(time=before)
    rules.check_not_invoiced(before)
    if "agent_id" in wanted:
        await _agent(wanted["agent_id"], command.actor, tx)
    values = rules.current_values(before) | wanted
    row = await tx.fetch_row(timekeeping.CHANGE, time_id=before.id, **values)
    return await _kept(before, timekeeping.time_entry(row), command.actor, tx)


async def remove_time(command: contracts.RemoveTime, tx: Transaction) -> KeptTime:
    before = await _own_time(command, tx)
    rules.check_not_invoiced(before)
    row = await tx.fetch_row(timekeeping.REMOVE, time_id=before.id)
    return await _kept(before, timekeeping.time_entry(row), command.actor, tx)


async def start_timer(command: contracts.StartTimer, tx: Transaction) -> KeptTime:
    agent_id = await _agent(command.agent_id, command.actor, tx)
    other = await _locked_timer(agent_id, tx) if command.switch else None
    stopped = None if other is None else await _stop(other, None, command.actor, tx)
    ticket = await _shown_on(command.ticket_id, tx)
    row = await tx.fetch_one(
        timekeeping.START,
        ticket_id=ticket.id,
        agent_id=agent_id,
        billable=command.billable,
        note=command.note,
    )
    if row is None:
        raise await _occupied(agent_id, tx)
    kept = await _kept(None, timekeeping.time_entry(row), command.actor, tx)
    if stopped is None:
        return kept
    return kept.model_copy(update={"stopped": stopped.time, "tickets": stopped.tickets})


async def stop_timer(command: contracts.StopTimer, tx: Transaction) -> KeptTime:
    agent_id = rules.agent_of(command.agent_id, command.actor.author)
    ticket = await _shown_on(command.ticket_id, tx)
    running = await _locked_timer(agent_id, tx)
    if running is None:
        raise Conflict(f"no timer of the agent {agent_id} is running")
    if running.ticket_id != ticket.id:
        raise Conflict(f"the timer runs on {running.reference}, not on {ticket.reference}")
    return await _stop(running, command.note, command.actor, tx)


# --- what is there


async def _agent(asked: int | None, by: Actor, tx: Transaction) -> int:
    """Whose time it is; that agent is there, and starts no timer meanwhile."""
    agent_id = rules.agent_of(asked, by.author)
    if await tx.fetch_one(timekeeping.AGENT, agent_id=agent_id) is None:
        raise NotFound(f"there is no agent {agent_id}", field="agent_id")
    return agent_id


async def _shown_on(ticket_id: int, tx: Transaction) -> Ticket:
    return documents.ticket(await changes.lock_shown(tx, ticket_id))


async def _own_time(
    command: contracts.ChangeTime | contracts.RemoveTime, tx: Transaction
) -> TimeEntry:
    ticket = await _shown_on(command.ticket_id, tx)
    row = await tx.fetch_one(timekeeping.GET, time_id=command.time_id, ticket_id=ticket.id)
    if row is None:
        raise NotFound(f"there is no time entry {command.time_id} on ticket {ticket.id}")
    time = timekeeping.time_entry(row)
    rules.check_own(time, command.actor.author)
    return time


async def _timer(agent_id: int, tx: Transaction) -> TimeEntry | None:
    row = await tx.fetch_one(timekeeping.RUNNING, agent_id=agent_id)
    return None if row is None else timekeeping.time_entry(row)


async def _locked_timer(agent_id: int, tx: Transaction) -> TimeEntry | None:
    """The agent's running timer, its ticket locked; until that it may be stopped, or moved."""
    locked = None
    while (running := await _timer(agent_id, tx)) is not None and running.ticket_id != locked:
        locked = (await _shown_on(running.ticket_id, tx)).id
    return running


async def _occupied(agent_id: int, tx: Transaction) -> Conflict:
    running = await _timer(agent_id, tx)
    where = f" on {running.reference} since {running.started_at:%F %T} UTC" if running else ""
    return Conflict(f"the agent's timer is running{where}: stop it, or switch", field="switch")


# --- what becomes of it


async def _stop(running: TimeEntry, note: str | None, by: Actor, tx: Transaction) -> KeptTime:
    row = await tx.fetch_row(timekeeping.STOP, time_id=running.id, note=note, longest=LONGEST_TIME)
    return await _kept(running, timekeeping.time_entry(row), by, tx)


async def _kept(before: TimeEntry | None, after: TimeEntry, by: Actor, tx: Transaction) -> KeptTime:
    """Remember and tell it; if another time counts now, its ticket and its reply too."""
    change = Change(after.ticket_id, "time", rules.shown(before), rules.shown(after))
    items = await history.remember(tx, by, [change])
    tx.emit(contracts.TimeChanged(time=after, history=items))
    if rules.counted(before) == rules.counted(after):
        return KeptTime(time=after)
    ticket = documents.ticket(await tx.fetch_row(changes.RETIME, id=after.ticket_id))
    tx.emit(TicketChanged(ticket=ticket))
    return KeptTime(time=after, tickets=(ticket,), entry=await _written_with(after, tx))


async def _written_with(time: TimeEntry, tx: Transaction) -> Entry | None:
    """The reply that the time was written with, which shows it as its own."""
    if time.entry_id is None:
        return None
    seconds = rules.counted(time)
    row = await tx.fetch_row(entries.WORKED, entry_id=time.entry_id, seconds=seconds)
    entry = documents.entry(row)
    tx.emit(EntryChanged(entry=entry))
    return entry
