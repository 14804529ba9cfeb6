"""What mails about an entry need besides it: their thread, and what was said before."""

from datetime import datetime

from deskwire.contracts.actors import Author
from deskwire.contracts.base import Document
from deskwire.contracts.terms import Status


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
