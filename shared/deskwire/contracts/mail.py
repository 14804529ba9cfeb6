"""Mail in: what mail-ingest-svc says of a mail, and what ticket-svc says became of it."""

import re
from datetime import datetime
from typing import Literal

from deskwire.contracts.actors import Actor, Author
from deskwire.contracts.base import Command, Document, Event

DELIMITER_START, DELIMITER_END = "##-", "-##"
"""Around the line of our mails above which an answer is to be written, in any language."""

DIGEST_ID = re.compile(r"<digest\.[0-9a-f]{20}@[^\s<>@]+>")
"""The Message-ID of a digest: random, so that only who got the mail can say that it came back."""


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
    """Text and its HTML; of a mail what it quotes and how it is signed, which are not in these two.

    With ``blob_id`` the text is a beginning; the blob has all of it, as JSON.
    """

    text: str
    html: str | None = None
    quoted: str = ""
    signature: str = ""
    blob_id: str | None = None


MailKind = Literal[
    "person", "auto-reply", "bounce", "feedback", "receipt", "list", "loop", "own", "automatic"
]
"""Who wrote a mail. ``loop`` came from us or went through us before, ``own`` is from our address,
``automatic`` is any other mail of a machine."""


class Undelivered(Document):
    """A recipient of whom a bounce tells. ``address`` is empty where it does not say who it is.

    ``status`` is of RFC 3463, ``5.0.9nn`` if no server gave one; ``cause`` is a word of Sisimai's:
    ``userunknown``, ``mailboxfull``, ``delivered``. ``hard``: nothing will ever reach the address.
    """

    address: str
    status: str
    cause: str
    hard: bool = False


Authentication = Literal["pass", "fail", "none"]
"""Whether the domain of the From vouches for the mail, as our own mail server has found: by DMARC,
or by DKIM or SPF of that domain. ``none``: it was not looked at, or says nothing."""


class MailReceived(Event, name="mail.received.v1"):
    """A mail is in the ledger. ``automatic`` names what says that no person wrote it.

    Of a bounce, ``undelivered`` says who did not get the mail with the Message-ID ``bounced_id``.
    ``accepted``: somebody has looked at it and lets it in, for the client ``client_id`` if told.
    """

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
    kind: MailKind = "person"
    automatic: str | None = None
    undelivered: tuple[Undelivered, ...] = ()
    bounced_id: str | None = None
    authentication: Authentication = "none"
    defects: tuple[str, ...] = ()
    accepted: bool = False
    client_id: int | None = None

    @property
    def aggregate(self) -> str:
        return f"mail:{self.mail_id}"


class MailHandled(Event, name="mail.handled.v1"):
    """What ticket-svc made of a mail; closes its ledger row."""

    mail_id: int
    outcome: Literal["ticket", "reply", "ignored", "quarantined", "duplicate"]
    reason: str = ""
    ticket_id: int | None = None
    entry_id: int | None = None

    @property
    def aggregate(self) -> str:
        return f"mail:{self.mail_id}"


class MailBounced(Event, name="mail.bounced.v1"):
    """A mail of ours, by its Message-ID, did not reach these recipients, or not yet.

    The bounce is the mail ``mail_id``. Who does not say whom it is about has an empty list.
    ``ticket_id`` is None for a mail about an invoice, and for a digest.
    """

    mail_id: int
    ticket_id: int | None = None
    message_id: str
    undelivered: tuple[Undelivered, ...] = ()

    @property
    def aggregate(self) -> str:
        return f"mail:{self.mail_id}" if self.ticket_id is None else f"ticket:{self.ticket_id}"


# The ledger.


InboundState = Literal[
    "received", "ticket", "reply", "ignored", "quarantined", "failed", "duplicate"
]
"""``received``: what becomes of it is not known yet; ``quarantined``: somebody is to look at it."""


class InboundMail(Document):
    """A mail that came in, and what became of it; ``reason`` says why.

    ``size`` in bytes, as the server told it. ``decided_by``: who retried, accepted or discarded it
    last. ``raw_id`` is the blob of the mail as it came; None when it could not be read at all, or
    when it was kept for as long as it is to be (``raw_deleted_at``).
    """

    id: int
    mailbox: str
    state: InboundState
    reason: str = ""
    sender: str | None = None
    subject: str = ""
    message_id: str | None = None
    size: int
    attempts: int
    ticket_id: int | None = None
    entry_id: int | None = None
    decided_by: Author | None = None
    seen_at: datetime
    received_at: datetime | None = None
    handled_at: datetime | None = None
    raw_id: str | None = None
    raw_deleted_at: datetime | None = None
    version: int


class InboundChanged(Event, name="mail.inbound_changed.v1"):
    mail: InboundMail

    @property
    def aggregate(self) -> str:
        return f"inbound:{self.mail.id}"


class HandInMail(Command[InboundMail], name="mail.hand_in.v1"):
    """A mail that no mailbox brought: the blob ``raw_id`` of so many bytes.

    ``mailbox`` says which way it came, ``uid`` names it there: the same again is the same mail.
    """

    mailbox: str
    uid: str
    raw_id: str
    size: int


class RetryMail(Command[InboundMail], name="mail.retry.v1"):
    """Have it go its way anew: after it failed, or with other contacts and settings than then."""

    mail_id: int
    actor: Actor


class AcceptMail(Command[InboundMail], name="mail.accept.v1"):
    """Let it in whoever sent it: as from a contact of the client, else for nobody's ticket."""

    mail_id: int
    client_id: int | None = None
    actor: Actor


class DiscardMail(Command[InboundMail], name="mail.discard.v1"):
    """It is looked after: it is ignored. What was kept of it stays."""

    mail_id: int
    actor: Actor
