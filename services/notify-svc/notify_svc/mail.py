"""Turns a delivery into the mail that is sent: the same bytes at every attempt.

One folder a mail, `templates/<name>/{subject.txt,body.txt,body.html.j2}`, in English; another
language joins as `templates/<name>/<language>/`. Texts of tickets are values, never templates.
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError
from jinja2.sandbox import SandboxedEnvironment
from markupsafe import Markup

from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import MailSender
from deskwire.errors import SetupError
from deskwire.html import clean_html, clean_text, html_of
from notify_svc.domain import AUTOMATIC, Mail, Notice
from notify_svc.mime import alternatives, field, mailbox, one_line, words
from notify_svc.settings import Settings

DELIMITER = "##- Please type your reply above this line -##"
"""mail-ingest-svc cuts an answer here: everything below it is ours."""

_ANSWERED = frozenset({"ticket-created", "public-reply"})
_LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the brackets
_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # what fits on a line and can stand in a header
_IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)

_ENVIRONMENT = SandboxedEnvironment(
    loader=FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=lambda name: name is not None and name.endswith(".html.j2"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)


class CannotRender(Exception):
    """The mail cannot be written."""


@dataclass(frozen=True, slots=True)
class Letterhead:
    """What stands on every mail of this instance."""

    name: str
    address: str
    reply_address: str
    plus_addressing: bool = True
    ticket_url: str | None = None

    @classmethod
    def of(cls, settings: Settings) -> "Letterhead":
        return cls(
            name=one_line(settings.mail_from_name),
            address=_own_address(settings.mail_from, "DESKWIRE_MAIL_FROM"),
            reply_address=_own_address(
                settings.reply_address or settings.mail_from, "DESKWIRE_REPLY_ADDRESS"
            ),
            plus_addressing=settings.plus_addressing,
            ticket_url=settings.ticket_url,
        )

    def reply_to(self, token: str) -> str:
        local, _, domain = self.reply_address.rpartition("@")
        return f"{local}+{token}@{domain}" if self.plus_addressing else self.reply_address

    def of_sender(self, sender: MailSender) -> "Letterhead":
        """As the desk's settings have it; answers go where they always go, where they are read."""
        return replace(
            self,
            name=one_line(sender.name or self.name),
            address=sender.address or self.address,
        )

    def is_own(self, address: str) -> bool:
        """A mail to it would come in as a ticket."""
        return _without_plus(address) in map(_without_plus, (self.address, self.reply_address))


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in its envelope. ``name`` is the same at every attempt and no other letter's.

    ``international``: the recipient has other characters than ASCII before the @ (RFC 6531).
    """

    name: str
    sender: str
    recipient: str
    content: bytes
    international: bool = False


def render(mail: Mail, letterhead: Letterhead, *, delivery: int, created_at: datetime) -> Letter:
    """The mail as it is sent at every attempt. Raises `CannotRender` with the reason."""
    recipient = ascii_domain(mail.recipient)
    told, letterhead = letterhead, letterhead.of_sender(mail.notice.sender)
    if told.is_own(recipient) or letterhead.is_own(recipient):
        raise CannotRender(f"{recipient} is our own address: the mail would come back as a ticket")
    try:
        content = _content(mail, letterhead, recipient, created_at)
    except (TemplateError, ValueError) as error:
        raise CannotRender(f"{mail.template}: {error}") from error
    return Letter(
        name=f"{int(created_at.timestamp())}.{delivery}.deskwire",
        sender=letterhead.address,
        recipient=recipient,
        content=content,
        international=not recipient.isascii(),
    )


def ascii_domain(address: str) -> str:
    """The address with its domain as DNS knows it (RFC 5891). Raises `CannotRender`."""
    local, _, domain = address.strip().rpartition("@")
    try:
        domain = domain.encode("idna").decode()
    except UnicodeError as error:
        raise CannotRender(f"{domain} is not a domain: {error}") from error
    found = f"{local}@{domain}"
    if not _ADDRESS.fullmatch(found) or len(found) > _LONGEST_ADDRESS:
        raise CannotRender(f"{one_line(address)} is not a mail address")
    return found


def _own_address(address: str, variable: str) -> str:
    try:
        found = ascii_domain(address)
    except CannotRender as error:
        raise SetupError(f"{variable}: {error}") from None
    if not found.isascii():
        raise SetupError(f"{variable}: {found} has other characters than ASCII before the @")
    return found


def _without_plus(address: str) -> str:
    local, _, domain = address.casefold().rpartition("@")
    return f"{local.partition('+')[0]}@{domain}"


def _content(mail: Mail, letterhead: Letterhead, recipient: str, created_at: datetime) -> bytes:
    values = _values(mail, letterhead)
    subject = _filled(mail, "subject.txt", values)
    return alternatives(
        [field(*one) for one in _headers(mail, letterhead, recipient, subject, created_at)],
        boundary=f"=_{sha256(f'{mail.message_id} {recipient}'.encode()).hexdigest()[:32]}",
        text=_filled(mail, "body.txt", values),
        html=_filled(mail, "body.html.j2", values),
    )


def _headers(
    mail: Mail, letterhead: Letterhead, recipient: str, subject: str, created_at: datetime
) -> Iterator[tuple[str, str]]:
    notice, name = mail.notice, letterhead.name
    utf8 = not recipient.isascii()
    yield "From", mailbox(name, letterhead.address, utf8=utf8)
    yield "To", mailbox(notice.to_name, recipient, utf8=utf8)
    yield "Reply-To", mailbox(name, letterhead.reply_to(notice.token), utf8=utf8)
    yield "Subject", words(subject, utf8=utf8)
    yield "Date", format_datetime(created_at.astimezone(UTC))
    yield "Message-ID", mail.message_id
    if answered := _message_ids([notice.in_reply_to or ""]):
        yield "In-Reply-To", answered
    if references := _message_ids(notice.references):
        yield "References", references
    yield "X-Deskwire-Loop", letterhead.reply_address
    if mail.template in AUTOMATIC:
        yield "Auto-Submitted", "auto-generated"
        yield "X-Auto-Response-Suppress", "All"


def _message_ids(ids: Iterable[str]) -> str:
    """Other people's Message-IDs, as far as they are some."""
    return " ".join(one for one in ids if _MESSAGE_ID.fullmatch(one))


def _filled(mail: Mail, file: str, values: dict[str, Any]) -> str:
    return _ENVIRONMENT.get_template(f"{mail.template}/{file}").render(values)


def _values(mail: Mail, letterhead: Letterhead) -> dict[str, Any]:
    notice = mail.notice
    answered = {"delimiter": DELIMITER} if mail.template in _ANSWERED else {}
    return answered | {
        "sender_name": letterhead.name,
        "reference": notice.reference,
        "subject": one_line(notice.subject),
        "client": one_line(notice.client),
        "contact": one_line(notice.contact),
        "author": one_line(notice.author),
        "to_name": one_line(notice.to_name),
        "priority": notice.priority,
        "source": notice.source,
        "text": clean_text(notice.body.text).strip(),
        "html": _html(notice.body),
        "link": _link(notice, letterhead.ticket_url),
    }


def _link(notice: Notice, ticket_url: str | None) -> str:
    return ticket_url.replace("{id}", str(notice.ticket_id)) if ticket_url else ""


def _html(body: Body) -> Markup:
    """Cleaned here once more, whatever the ticket holds; pictures would need their attachments."""
    html = body.html or html_of(clean_text(body.text).strip())
    return Markup(clean_html(_IMAGE.sub("", html)))  # noqa: S704  # cleaned in this line
