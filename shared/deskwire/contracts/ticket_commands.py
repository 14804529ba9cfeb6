"""What ticket-svc is asked to do with tickets and their entries.

``within_client`` is the only client that the caller may touch (None: all of them), ``uploader`` the
only one whose uploads ``attachment_ids`` may be, see `KeepUpload`.
"""

from datetime import datetime

from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Changes, Command, Document
from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.terms import EntryKind, Priority, Rating, Source, Status
from deskwire.contracts.tickets import Ticket
from deskwire.contracts.timekeeping import TimeEntry


class TicketEntry(Document):
    """A ticket together with the entry that was just added to it, and the time worked for it."""

    ticket: Ticket
    entry: Entry
    time: TimeEntry | None = None


class MergedTickets(Document):
    """Both tickets after a merge, or after one was taken back."""

    source: Ticket
    target: Ticket


class OpenTicket(Command[TicketEntry], name="ticket.open.v1"):
    """``billable``: None for as the client's settings say."""

    subject: str
    body: Body
    client_id: int | None = None
    contact_id: int | None = None
    priority: Priority = "low"
    category: str | None = None
    assigned_to: int | None = None
    watchers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    asset_ids: tuple[int, ...] = ()
    attachment_ids: tuple[int, ...] = ()
    uploader: str | None = None
    billable: bool | None = None
    due_at: datetime | None = None
    source: Source = "api"
    author: Author | None = None
    within_client: int | None = None


class OpenScheduledTicket(Command[TicketEntry], name="ticket.open_scheduled.v1"):
    """From the scheduler: one ticket for one occurrence of a schedule."""

    schedule_id: int
    occurrence: str
    ticket: OpenTicket

    @property
    def aggregate(self) -> str:
        return f"schedule:{self.schedule_id}"


class AddEntry(Command[TicketEntry], name="ticket.add_entry.v1"):
    """To a merged ticket: it lands in the one that this was merged into."""

    ticket_id: int
    kind: EntryKind
    body: Body
    author: Author
    through: Through = Through(type="system")
    status: Status | None = None
    time_worked: int = 0
    cc: tuple[str, ...] = ()
    attachment_ids: tuple[int, ...] = ()
    uploader: str | None = None
    within_client: int | None = None


class EditEntry(Command[TicketEntry], name="ticket.edit_entry.v1"):
    """Of one's own internal notes: what others were told stays as they were told it."""

    ticket_id: int
    entry_id: int
    body: Body
    actor: Actor
    if_version: int | None = None
    within_client: int | None = None


class RedactEntry(Command[TicketEntry], name="ticket.redact_entry.v1"):
    """Its text and files are removed for good; that it was there, and who removed it, stays."""

    ticket_id: int
    entry_id: int
    actor: Actor
    within_client: int | None = None


class TicketChanges(Changes):
    """``client_id``: whose it is from now on, of a ticket that was nobody's."""

    subject: str = ""
    status: Status = "open"
    priority: Priority = "low"
    category: str | None = None
    client_id: int | None = None
    contact_id: int | None = None
    assigned_to: int | None = None
    asset_ids: tuple[int, ...] = ()
    watchers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    billable: bool = False
    due_at: datetime | None = None


class ChangeTicket(Command[Ticket], name="ticket.change.v1"):
    """``if_version`` is the version that the caller saw (None: whatever it is now).

    ``refuse_unchanged``: when all of it is so already, that is a conflict. ``close_in_hours``: of a
    ticket that waits for its client, or does so with this; the hours are counted as the client has
    it.
    """

    ticket_id: int
    changes: TicketChanges
    actor: Actor
    close_in_hours: int | None = None
    if_version: int | None = None
    refuse_unchanged: bool = False
    within_client: int | None = None


class RateTicket(Command[Ticket], name="ticket.rate.v1"):
    """Its contact says how it went; the last word counts, and the same again is no change."""

    ticket_id: int
    contact_id: int
    rating: Rating
    comment: str | None = None


class StopWatching(Command[Ticket], name="ticket.stop_watching.v1"):
    """A watcher wants no more mails: neither of the ticket nor of what it was merged into."""

    ticket_id: int
    email: str


class MergeTicket(Command[MergedTickets], name="ticket.merge.v1"):
    """``across_clients``: the two may be of different clients."""

    ticket_id: int
    into: int
    reason: str = ""
    across_clients: bool = False
    actor: Actor
    within_client: int | None = None


class UnmergeTicket(Command[MergedTickets], name="ticket.unmerge.v1"):
    """Takes the ticket's merge back; of a ticket that is not merged, the last one into it."""

    ticket_id: int
    actor: Actor
    within_client: int | None = None


class WakeTicket(Command[Ticket], name="ticket.wake.v1"):
    """From the scheduler: the alarm came that was set at this time. The ticket knows for what."""

    ticket_id: int
    at: datetime

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.ticket_id}"


class GetTicket(Command[Ticket], name="ticket.get.v1"):
    """The owner's own view of a ticket, for operators who doubt the read model."""

    ticket_id: int
