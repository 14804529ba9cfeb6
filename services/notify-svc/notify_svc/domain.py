"""Who gets which mail, and what an attempt to send it means. Pure: no clock, no database."""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

from deskwire.contracts.base import Document
from deskwire.contracts.mail import Address, Body
from deskwire.contracts.notifications import DeliveryState
from deskwire.contracts.tickets import MailSender, MailThread, TicketOpened, TicketReplied

Template = Literal["ticket-created", "new-ticket", "public-reply"]
Told = TicketOpened | TicketReplied

AUTOMATIC: frozenset[Template] = frozenset({"ticket-created", "new-ticket"})
"""No person wrote these: nothing automatic must answer them (RFC 3834)."""

_ROBOT = re.compile(r"(?:mailer-daemon|postmaster|no-?reply|do-?not-?reply)\b", re.IGNORECASE)


class Notice(Document):
    """What a mail says: everything that its template may show and its headers need."""

    ticket_id: int
    reference: str
    subject: str
    client: str = ""
    contact: str = ""
    priority: str
    source: str
    author: str = ""
    to_name: str = ""
    body: Body
    token: str
    in_reply_to: str | None = None
    references: tuple[str, ...] = ()
    sender: MailSender = MailSender()


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail to one recipient. It exists once for an entry, whatever is told twice."""

    entry_id: int
    template: Template
    recipient: str
    message_id: str
    notice: Notice

    def saying(self, body: Body) -> "Mail":
        return replace(self, notice=self.notice.model_copy(update={"body": body}))


def mails(event: Told) -> Iterator[Mail]:
    for template, recipients in RULES[type(event)]:
        for address in _each_once(recipients(event)):
            yield Mail(
                entry_id=event.entry.id,
                template=template,
                recipient=address.email,
                message_id=message_id(template, event.thread),
                notice=_notice(event, address.name),
            )


def message_id(template: Template, thread: MailThread) -> str:
    """Clients get the entry's own Message-ID, which later mails refer to; the team gets another."""
    if template != "new-ticket":
        return thread.message_id
    domain = thread.message_id.rpartition("@")[2]
    return f"<new.{thread.token}@{domain}"


def _notice(event: Told, to_name: str) -> Notice:
    ticket, thread = event.ticket, event.thread
    return Notice(
        ticket_id=ticket.id,
        reference=ticket.reference,
        subject=ticket.subject,
        client=ticket.client.name if ticket.client else "",
        contact=ticket.contact.name if ticket.contact else "",
        priority=ticket.priority,
        source=ticket.source,
        author=event.entry.author.name,
        to_name=to_name,
        body=event.entry.body,
        token=thread.token,
        in_reply_to=thread.in_reply_to,
        references=thread.references,
        sender=thread.sender,
    )


# --- who


def _contact(event: Told) -> list[Address]:
    contact = event.ticket.contact
    return [Address(name=contact.name, email=contact.email)] if contact and contact.email else []


def _contact_to_confirm(event: Told) -> list[Address]:
    if not isinstance(event, TicketOpened) or not event.notify_client:
        return []
    return [address for address in _contact(event) if not _ROBOT.match(address.email)]


def _team(event: Told) -> list[Address]:
    emails = event.team if isinstance(event, TicketOpened) else ()
    return [Address(email=email) for email in emails]


def _followers(event: Told) -> list[Address]:
    """An agent's entry is for the client's side, a client's for the other watchers."""
    if event.entry.kind == "internal" or not event.entry.verified:
        return []
    watchers = [Address(email=email) for email in event.ticket.watchers]
    followers = [*_contact(event), *watchers] if event.entry.kind == "public" else watchers
    author = (event.entry.author.email or "").casefold()
    return [address for address in followers if address.email.casefold() != author]


Rule = tuple[Template, Callable[[Told], list[Address]]]

RULES: Mapping[type[Told], tuple[Rule, ...]] = {
    TicketOpened: (("ticket-created", _contact_to_confirm), ("new-ticket", _team)),
    TicketReplied: (("public-reply", _followers),),
}


def _each_once(addresses: Iterable[Address]) -> Iterable[Address]:
    first: dict[str, Address] = {}
    for address in addresses:
        first.setdefault(address.email.casefold(), address)
    return first.values()


# --- what became of an attempt


@dataclass(frozen=True, slots=True)
class Sent:
    """The server has taken the mail and answers for it (RFC 5321 section 6.1)."""

    answer: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The server said no: 4xx for now, 5xx for ever."""

    code: int
    answer: str


@dataclass(frozen=True, slots=True)
class Unsendable:
    """No server could take it: the address is none, or the mail cannot be written."""

    reason: str


@dataclass(frozen=True, slots=True)
class Unreachable:
    """The server was not reached, or was lost before the mail was handed over."""

    reason: str


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The whole mail was handed over, the answer was lost (RFC 1047)."""

    reason: str


@dataclass(frozen=True, slots=True)
class NotTried:
    """The service stops before its turn."""


Result = Sent | Refused | Unsendable | Unreachable | Ambiguous | NotTried

DEFERRED = ((0, 60), (60, 300), (360, 900), (1260, 3600), (4860, 14_400))
"""(Age, pause) in seconds: after 1 min, 5 min, 15 min, 1 h, then every 4 h."""

UNREACHABLE = ((0, 5), (10, 15), (60, 60), (600, 300))
"""The server's trouble is not the mail's: when it is back, all are sent within minutes."""

GIVE_UP_SECONDS = 3 * 86_400
REPEATS = 3
"""So often is a mail repeated that the server may have taken; each can be a duplicate."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The state that follows; ``retry_seconds`` None: there is no further attempt."""

    state: DeliveryState
    answer: str | None
    retry_seconds: float | None = None
    tried: bool = True


def judge(result: Result, *, age: float, ambiguous: int, uncertain_retry: float) -> Verdict:
    """``age`` in seconds since it was queued; ``ambiguous``: how many attempts were, before."""
    match result:
        case Sent(answer):
            return Verdict("sent", answer)
        case Unsendable(reason):
            return Verdict("failed", reason)
        case Refused(code, answer):
            return _refused(f"{code} {answer}", code, age)
        case Unreachable(reason):
            return _later(reason, age, UNREACHABLE)
        case Ambiguous(reason):
            return Verdict("uncertain", reason, uncertain_retry if ambiguous < REPEATS else None)
        case NotTried():
            return Verdict("queued", None, 0, tried=False)


def _refused(answer: str, code: int, age: float) -> Verdict:
    return Verdict("failed", answer) if code >= 500 else _later(answer, age, DEFERRED)


def _later(answer: str, age: float, pauses: tuple[tuple[int, int], ...]) -> Verdict:
    if age >= GIVE_UP_SECONDS:
        return Verdict("failed", f"given up after {GIVE_UP_SECONDS // 86_400} days: {answer}")
    return Verdict("queued", answer, max(pause for since, pause in pauses if age >= since))
