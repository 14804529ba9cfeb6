"""Time worked on tickets: commands and events. ticket-svc owns it."""

from datetime import datetime

from deskwire.contracts.actors import Actor, Named
from deskwire.contracts.base import Changes, Command, Document, Event
from deskwire.contracts.entries import Entry
from deskwire.contracts.tickets import HistoryItem, Ticket

LONGEST_TIME = 366 * 86_400
"""Seconds: no time worked is longer."""


class TimeEntry(Document):
    """Time that was worked on a ticket, or that a timer counts now: then ``seconds`` is None.

    ``entry_id`` is the reply or note that it was written with, whose ``time_worked`` it is. It is
    nobody's (``agent``) when that was written with a key of no agent. ``client`` and ``reference``
    are those of the ticket that it is shown on. Names are as they were when it last changed. What
    is on an invoice (``invoice_id``) stays as it is.
    """

    id: int
    ticket_id: int
    origin_ticket_id: int
    reference: str
    client: Named | None = None
    entry_id: int | None = None
    agent: Named | None = None
    seconds: int | None = None
    started_at: datetime
    billable: bool
    note: str = ""
    created_at: datetime
    updated_at: datetime
    deleted_at: datetime | None = None
    invoice_id: int | None = None
    version: int = 1


class KeptTime(Document):
    """A time entry as it is now, and what changed with it: the timer that was stopped for it, the
    tickets whose ``time_worked`` it is, the reply that it was written with."""

    time: TimeEntry
    stopped: TimeEntry | None = None
    tickets: tuple[Ticket, ...] = ()
    entry: Entry | None = None


# Commands. What is for a merged ticket lands on the one that this was merged into. ``agent_id`` is
# None for the agent who does it.


class AddTime(Command[KeptTime], name="ticket.add_time.v1"):
    """``started_at`` is None for what ends now; ``billable`` is None for as the ticket is."""

    ticket_id: int
    agent_id: int | None = None
    seconds: int
    started_at: datetime | None = None
    billable: bool | None = None
    note: str = ""
    actor: Actor


class TimeChanges(Changes):
    agent_id: int = 0
    seconds: int = 0
    started_at: datetime | None = None
    billable: bool = False
    note: str = ""


class ChangeTime(Command[KeptTime], name="ticket.change_time.v1"):
    """``if_version`` is the version that the caller saw (None: whatever it is now)."""

    ticket_id: int
    time_id: int
    changes: TimeChanges
    actor: Actor
    if_version: int | None = None


class RemoveTime(Command[KeptTime], name="ticket.remove_time.v1"):
    """It counts no longer; what it was stays in the ticket's history."""

    ticket_id: int
    time_id: int
    actor: Actor


class StartTimer(Command[KeptTime], name="ticket.start_timer.v1"):
    """An agent has one running timer at most: ``switch`` stops the one that runs."""

    ticket_id: int
    agent_id: int | None = None
    billable: bool | None = None
    note: str = ""
    switch: bool = False
    actor: Actor


class StopTimer(Command[KeptTime], name="ticket.stop_timer.v1"):
    """``note`` is None for the one that it was started with."""

    ticket_id: int
    agent_id: int | None = None
    note: str | None = None
    actor: Actor


class TimeChanged(Event, name="time.changed.v1"):
    """The document changed, or is told anew; once it is deleted it stays so."""

    time: TimeEntry
    history: tuple[HistoryItem, ...] = ()

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.time.ticket_id}"
