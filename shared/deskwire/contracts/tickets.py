"""Tickets and their entries: documents and events. ticket-svc owns them."""

from datetime import datetime
from typing import Literal

from pydantic import JsonValue

from deskwire.contracts.base import Document, Event
from deskwire.contracts.mail import Body
from deskwire.contracts.people import Author, Named, Person, Through

Status = Literal["open", "working", "hold", "auto-close", "closed"]
Priority = Literal["low", "medium", "high"]
Deadline = Literal["first_response", "resolution"]
EntryKind = Literal["public", "internal", "client"]
Source = Literal["api", "email", "agent", "schedule", "portal"]
Via = Literal["api", "email", "schedule"]
Rating = Literal["good", "bad"]

LONGEST_TIME = 366 * 86_400
"""Seconds: no time worked is longer."""


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


class StoredFile(Document):
    """A file of an entry. ``inline``: its HTML shows it; ``content_id``: a mail's HTML did so as
    ``cid:`` and this, which became the URL of the file (`with_pictures`)."""

    id: int
    name: str
    size: int
    type: str
    inline: bool = False
    content_id: str | None = None
    sha256: str | None = None
    blob_id: str


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


class Entry(Document):
    """A reply or note on a ticket's timeline; the first one is what the ticket was opened with."""

    id: int
    ticket_id: int
    origin_ticket_id: int
    kind: EntryKind
    opening: bool = False
    author: Author
    body: Body
    attachments: tuple[StoredFile, ...] = ()
    time_worked: int = 0
    via: Via
    message_id: str | None = None
    verified: bool = True
    created_at: datetime
    edited_at: datetime | None = None
    redacted_at: datetime | None = None
    redacted_by: Author | None = None
    version: int = 1


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


class TicketEntry(Document):
    """A ticket together with the entry that was just added to it, and the time worked for it."""

    ticket: Ticket
    entry: Entry
    time: TimeEntry | None = None


class MergedTickets(Document):
    """Both tickets after a merge, or after one was taken back."""

    source: Ticket
    target: Ticket


class LastMessage(Document):
    """What was said last before an entry: ``text`` is its beginning, without quotations."""

    author: Author
    at: datetime
    text: str


class MailSender(Document):
    """Who a mail comes from, and where its answers go; None: as notify-svc is told."""

    name: str | None = None
    address: str | None = None
    reply_to: str | None = None


class MailThread(Document):
    """How mails about an entry thread (RFC 5322 section 3.6.4).

    ``message_id`` is for the mails that a client gets; ``token`` is the signed part of it, for
    other Message-IDs and for the Reply-To address. ``sender`` is who all of them come from.
    ``language`` is what the client's people read, ``team_language`` what agents do (BCP 47);
    ``timezone`` is the client's. ``feedback``: who hears that it is closed is asked how it went.
    ``statuses``: those of which the client's people hear, if they hear that it is closed.
    ``contact_hears``: also the contact.
    """

    token: str
    message_id: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    sender: MailSender = MailSender()
    language: str = "en"
    team_language: str = "en"
    timezone: str = "UTC"
    feedback: bool = False
    statuses: tuple[Status, ...] = ()
    contact_hears: bool = True


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
