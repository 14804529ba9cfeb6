"""Mail in: what mail-ingest-svc says of a mail, and what ticket-svc says became of it."""

from datetime import datetime
from typing import Literal

from deskwire.contracts.base import Document, Event


class Address(Document):
    """A mailbox of RFC 5322: ``email`` as written, without the display name."""

    name: str = ""
    email: str


class Attachment(Document):
    """A part of a mail that is kept as a blob."""

    blob_id: str
    name: str
    type: str
    size: int
    sha256: str
    content_id: str | None = None
    inline: bool = False


class Body(Document):
    """Text and its HTML. With ``blob_id`` the text is a beginning; the blob has both, as JSON."""

    text: str
    html: str | None = None
    blob_id: str | None = None


class MailReceived(Event, name="mail.received.v1"):
    """A mail is in the ledger. ``automatic`` names the header that says no person wrote it."""

    mail_id: int
    mailbox: str
    message_id: str | None = None
    sender: Address | None = None
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    subject: str = ""
    sent_at: datetime | None = None
    received_at: datetime
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    body: Body
    attachments: tuple[Attachment, ...] = ()
    automatic: str | None = None
    defects: tuple[str, ...] = ()

    @property
    def aggregate(self) -> str:
        return f"mail:{self.mail_id}"


class MailHandled(Event, name="mail.handled.v1"):
    """What ticket-svc made of a mail; closes its ledger row."""

    mail_id: int
    outcome: Literal["ticket", "reply", "ignored", "duplicate"]
    reason: str = ""
    ticket_id: int | None = None
    entry_id: int | None = None

    @property
    def aggregate(self) -> str:
        return f"mail:{self.mail_id}"
