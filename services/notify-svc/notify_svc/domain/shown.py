"""What a mail of an event shows: a text, files, what is quoted below."""

from dataclasses import dataclass, replace

from deskwire.contracts.entries import StoredFile
from deskwire.contracts.mail import Body
from deskwire.contracts.threads import LastMessage
from deskwire.contracts.tickets import TicketChased, TicketMerged, TicketReplied
from notify_svc.domain.mails import Told, entry_of

NO_TEXT = Body(text="")


@dataclass(frozen=True, slots=True)
class Shown:
    """The text in a mail, its files, and what is quoted below."""

    body: Body = NO_TEXT
    files: tuple[StoredFile, ...] = ()
    quotes: LastMessage | None = None


def nothing(_event: Told) -> Shown:
    return Shown()


def opening(event: Told) -> Shown:
    added = entry_of(event)
    files = added.attachments if added and added.opening else ()
    return Shown(event.ticket.body, files)


def opening_unless_mailed(event: Told) -> Shown:
    """Who has just written it knows it."""
    return nothing(event) if event.ticket.source == "email" else opening(event)


def entry(event: Told) -> Shown:
    added = entry_of(event)
    return Shown(added.body, added.attachments) if added else Shown()


def answer(event: Told) -> Shown:
    """The entry above what was said before it, as one answers by mail."""
    said = event.answers if isinstance(event, TicketReplied) else None
    return replace(entry(event), quotes=said)


def last_reply(event: Told) -> Shown:
    said = isinstance(event, TicketChased) and event.entry
    return Shown(said.body) if said else Shown()


def comment(event: Told) -> Shown:
    said = event.ticket.feedback
    return Shown(Body(text=said.comment or "")) if said else Shown()


def reason(event: Told) -> Shown:
    return Shown(Body(text=event.reason)) if isinstance(event, TicketMerged) else Shown()
