"""Tickets and their entries: documents and events. ticket-svc owns them."""

from datetime import datetime

from pydantic import JsonValue

from deskwire.contracts.actors import Author, Named, Person, Through
from deskwire.contracts.base import Document, Event
from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.terms import Deadline, EntryKind, Priority, Rating, Source, Status
from deskwire.contracts.threads import LastMessage, MailThread


class LastReply(Document):
    at: datetime
    kind: EntryKind
    by: str


class AutoClosing(Document):
    """Of a ticket that waits for its client: when that is reminded (None: not any more), when it
    was, and when the ticket is closed."""

    chaser_at: datetime | None = None
    chased_at: datetime | None = None
    closes_at: datetime


class Feedback(Document):
    """What the contact said of how it went, when asked at the end."""

    rating: Rating
    comment: str | None = None
    by: Author
    at: datetime


class Ticket(Document):
    """The whole ticket as the API shows it.

    A merged one is closed, and all that was on it is shown on the ticket ``merged_into``, also when
    that is not the one that it was merged into first. ``follows``: the closed ticket that was
    answered too late to be opened again. ``possibly_related``: the ticket that the mail named which
    opened this one, though its sender took no part in it; keys of one client see none.
    ``time_worked`` are seconds.
    """

    id: int
    number: int
    prefix: str
    reference: str
    subject: str
    body: Body
    status: Status
    priority: Priority
    category: str | None = None
    source: Source
    client: Named | None = None
    contact: Person | None = None
    assigned_to: Person | None = None
    assets: tuple[Named, ...] = ()
    watchers: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    billable: bool = False
    due_at: datetime | None = None
    time_worked: int = 0
    merged_into: int | None = None
    merged_from: tuple[int, ...] = ()
    follows: int | None = None
    possibly_related: int | None = None
    invoice_ids: tuple[int, ...] = ()
    entry_count: int
    last_reply: LastReply | None = None
    first_response_at: datetime | None = None
    created_at: datetime
    created_by: Author
    updated_at: datetime
    closed_at: datetime | None = None
    closed_by: Author | None = None
    auto_close: AutoClosing | None = None
    first_response_due_at: datetime | None = None
    breached: tuple[Deadline, ...] = ()
    feedback: Feedback | None = None
    version: int


class HistoryItem(Document):
    """One value that was changed: who did it, when, through what. Never changed itself."""

    id: int
    ticket_id: int
    at: datetime
    by: Author
    through: Through
    field: str
    old: JsonValue = None
    new: JsonValue = None


# Events. Those of a ticket carry the whole new document: a projector needs nothing else.


class TicketEvent(Event):
    """``history``: what changed with it, for those who tell people of it.

    Of some of them: ``thread`` is there when mails may be written about it; ``notify_client``:
    the client hears of new and of closed tickets.
    """

    ticket: Ticket
    history: tuple[HistoryItem, ...] = ()

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.ticket.id}"


class TicketOpened(TicketEvent, name="ticket.opened.v1"):
    """Fat enough to write every mail about it: nobody asks back for an address."""

    entry: Entry
    thread: MailThread
    notify_client: bool
    team: tuple[str, ...]


class TicketReplied(TicketEvent, name="ticket.replied.v1"):
    """A public or client entry was added. ``team``: told of a client's while nobody is assigned.

    ``answers`` is what mails about it quote; None when that was not for all who get one.
    ``reached``: who of the ticket's people has got it as a mail, to them or as a copy.
    """

    entry: Entry
    thread: MailThread
    notify_client: bool = False
    team: tuple[str, ...] = ()
    answers: LastMessage | None = None
    reached: tuple[str, ...] = ()


class TicketNoted(TicketEvent, name="ticket.noted.v1"):
    """An internal entry was added. ``team``: told of a stranger's while nobody is assigned."""

    entry: Entry
    thread: MailThread | None = None
    notify_client: bool = False
    team: tuple[str, ...] = ()


class TicketChanged(TicketEvent, name="ticket.changed.v1"):
    """The document changed without an entry, or is told anew."""

    thread: MailThread | None = None
    notify_client: bool = False


class TicketChased(TicketEvent, name="ticket.chased.v1"):
    """Its client is to be reminded that it waits, and when it is closed.

    ``entry`` is the last that an agent let the client read; ``text`` what the reminder says (None:
    what its template says).
    """

    entry: Entry | None = None
    text: str | None = None
    thread: MailThread
    notify_client: bool


class TicketDeadline(TicketEvent, name="ticket.deadline.v1"):
    """Three quarters of the time until it is due are over, or all of it (``breached``).

    ``team``: the list that is told too. Clients never are.
    """

    deadline: Deadline
    breached: bool
    due_at: datetime
    thread: MailThread
    team: tuple[str, ...]
    notify_client: bool = False


class TicketRated(TicketEvent, name="ticket.rated.v1"):
    """Its contact said how it went, or changed that. ``team``: told while nobody is assigned."""

    thread: MailThread
    team: tuple[str, ...] = ()
    notify_client: bool = False


class RecountDeadlines(Event, name="deadlines.recount.v1"):
    """From ticket-svc to itself: hours of work, holidays, targets or auto-close changed; a page of
    tickets.

    ``client_id`` None: those of all clients. ``before_ticket``: the next page is of older ones.
    """

    client_id: int | None = None
    before_ticket: int | None = None

    @property
    def aggregate(self) -> str:
        return "deadlines"


class TicketMerged(TicketEvent, name="ticket.merged.v1"):
    """Another ticket, the source, was merged into this one.

    ``closed``: it was not closed before. ``notify_client`` and ``thread.language`` are for its
    people, who are told where it went on.
    """

    source: Ticket
    reason: str = ""
    thread: MailThread
    closed: bool = False
    notify_client: bool = False


class HistoryTold(Event, name="history.told.v1"):
    """History that is told anew."""

    item: HistoryItem

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.item.ticket_id}"


class EntryChanged(Event, name="entry.changed.v1"):
    entry: Entry

    @property
    def aggregate(self) -> str:
        return f"ticket:{self.entry.ticket_id}"
