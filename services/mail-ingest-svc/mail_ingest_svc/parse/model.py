"""What is known of a mail after it was parsed."""

from dataclasses import dataclass
from datetime import datetime

from deskwire.contracts.mail import Address, Authentication, MailKind, Undelivered
from mail_ingest_svc.parse.reply import Reply


@dataclass(frozen=True, slots=True)
class ParsedAttachment:
    """A part that is not the text; ``content`` is decoded, a forwarded mail is the mail itself."""

    name: str
    type: str
    content: bytes
    content_id: str | None = None
    inline: bool = False


@dataclass(frozen=True, slots=True)
class ParsedMail:
    """Every string is clean: valid Unicode without NUL or controls. Ids are without brackets.

    ``sender`` is the one author there is; ``authors`` are all that the From names. ``automatic``
    names what says that no person wrote it. ``text`` and ``html`` are whole; ``reply`` tells apart
    what a person wrote in them. ``defects`` are stable codes.
    """

    message_id: str | None = None
    sender: Address | None = None
    authors: tuple[Address, ...] = ()
    to: tuple[Address, ...] = ()
    cc: tuple[Address, ...] = ()
    reply_to: tuple[Address, ...] = ()
    subject: str = ""
    date: datetime | None = None
    in_reply_to: tuple[str, ...] = ()
    references: tuple[str, ...] = ()
    text: str = ""
    html: str | None = None
    reply: Reply | None = None
    attachments: tuple[ParsedAttachment, ...] = ()
    kind: MailKind = "person"
    automatic: str | None = None
    authentication: Authentication = "none"
    undelivered: tuple[Undelivered, ...] = ()
    bounced_id: str | None = None
    defects: tuple[str, ...] = ()
