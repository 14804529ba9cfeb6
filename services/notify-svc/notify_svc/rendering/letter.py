"""Turns a delivery into the mail that is sent: the same bytes at every attempt."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from dataclasses import field as field_of
from datetime import UTC, datetime
from email.utils import format_datetime
from hashlib import sha256
from urllib.parse import urlsplit

from jinja2 import TemplateError

from deskwire.contracts.threads import MailSender
from deskwire.errors import SetupError
from notify_svc.dkim import SigningKey, signed
from notify_svc.domain.mails import Bill, Digest, Mail, Notice, Template
from notify_svc.mime import File, field, mailbox, message, one_line, words
from notify_svc.rendering.contents import Contents, contents
from notify_svc.rendering.linking import MailLinks
from notify_svc.rendering.wording import NotSaid, Wording
from notify_svc.settings import Settings

WRITTEN_BY_PEOPLE: frozenset[Template] = frozenset({"public-reply"})
"""A machine wrote the others: nothing automatic must answer them (RFC 3834)."""

_ANYBODY = MailSender()
_LONGEST_ADDRESS = 254  # RFC 5321 section 4.5.3.1.3, without the brackets
_ADDRESS = re.compile(r"[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+@[^\s<>@\"(),:;\\\[\]\x00-\x1f\x7f]+")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")  # what fits on a line and can stand in a header


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
    wording: Wording = field_of(default_factory=Wording)
    links: MailLinks = field_of(default_factory=MailLinks)
    bounce_tokens: bool = False
    keys: tuple[SigningKey, ...] = ()

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
            wording=Wording(settings.templates),
            links=MailLinks.of(settings.public_url, settings.link_key),
            bounce_tokens=_bounce_tokens(settings),
            keys=settings.dkim,
        )

    def reply_to(self, notice: Notice | Digest | Bill) -> str:
        return self._with_token(notice.token if isinstance(notice, Notice) else "")

    def envelope_sender(self, notice: Notice | Digest | Bill) -> str:
        """Where bounces go: by the token in it one is known as that of a mail of ours, whatever is
        in it. Only in the domain of the From, for which servers look (RFC 7489 section 3.1.2)."""
        of_reply, of_from = (each.rpartition("@")[2] for each in (self.reply_address, self.address))
        if self.bounce_tokens and of_reply == of_from:
            return self._with_token("" if isinstance(notice, Digest) else notice.token)
        return self.address

    def _with_token(self, token: str) -> str:
        if not self.plus_addressing or not token:
            return self.reply_address
        local, _, domain = self.reply_address.rpartition("@")
        return f"{local}+{token}@{domain}"

    def of_sender(self, sender: MailSender) -> "Letterhead":
        """As the desk's settings have it; answers go where they are read, which is the mailbox that
        the ticket came by or the one for all."""
        if sender == _ANYBODY:
            return self
        return replace(
            self,
            name=one_line(sender.name or self.name),
            address=sender.address or self.address,
            reply_address=sender.reply_to or self.reply_address,
        )

    def is_own(self, address: str) -> bool:
        """A mail to it would come in as a ticket."""
        return _without_plus(address) in map(_without_plus, (self.address, self.reply_address))


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail in its envelope. ``name`` is the same at every attempt and no other letter's.

    ``international``: the recipient has other characters than ASCII before the @ (RFC 6531). To a
    webhook, ``recipient`` is its URL, and ``secret`` signs the content.
    """

    name: str
    sender: str
    recipient: str
    content: bytes
    international: bool = False
    secret: str = field_of(default="", repr=False)


def render(
    mail: Mail,
    letterhead: Letterhead,
    *,
    delivery: int,
    created_at: datetime,
    files: Sequence[File] = (),
) -> Letter:
    """The mail as it is sent at every attempt. Raises `CannotRender` with the reason.

    ``files`` are in it; those of its notice are only named.
    """
    recipient = ascii_domain(mail.recipient)
    told, letterhead = letterhead, letterhead.of_sender(mail.notice.sender)
    if told.is_own(recipient) or letterhead.is_own(recipient):
        raise CannotRender(f"{recipient} is our own address: the mail would come back as a ticket")
    try:
        content = _content(mail, letterhead, recipient, told.reply_address, created_at, files)
    except (TemplateError, NotSaid, ValueError) as error:
        raise CannotRender(f"{mail.template}: {error}") from error
    return Letter(
        name=f"{int(created_at.timestamp())}.{delivery}.deskwire",
        sender=letterhead.envelope_sender(mail.notice),
        recipient=recipient,
        content=signed(letterhead.keys, content, letterhead.address, created_at),
        international=not recipient.isascii(),
    )


def _content(
    mail: Mail,
    letterhead: Letterhead,
    recipient: str,
    desk: str,
    created_at: datetime,
    files: Sequence[File],
) -> bytes:
    """``desk``: our own address, by which we know the mail when it comes back."""
    links = letterhead.links.in_mail(mail, created_at)
    said = contents(
        mail,
        letterhead.wording,
        sender_name=letterhead.name,
        ticket_url=letterhead.ticket_url,
        links=links,
    )
    head = [
        *_headers(mail, letterhead, recipient, said, created_at),
        ("X-Deskwire-Loop", desk),
        *_way_out(links["unsubscribe"]),
    ]
    return message(
        [field(*each) for each in head],
        boundary=f"=_{sha256(f'{mail.message_id} {recipient}'.encode()).hexdigest()[:32]}",
        text=said.text,
        html=said.html,
        files=files,
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


def _bounce_tokens(settings: Settings) -> bool:
    """Servers that know who logs in often let them write from their own address alone."""
    if settings.bounce_tokens is not None:
        return settings.bounce_tokens
    return urlsplit(settings.smtp_url).username is None


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


def _headers(
    mail: Mail, letterhead: Letterhead, recipient: str, said: Contents, created_at: datetime
) -> Iterator[tuple[str, str]]:
    notice, name = mail.notice, letterhead.name
    utf8 = not recipient.isascii()
    yield "From", mailbox(name, letterhead.address, utf8=utf8)
    yield "To", mailbox(notice.to_name, recipient, utf8=utf8)
    yield "Reply-To", mailbox(name, letterhead.reply_to(notice), utf8=utf8)
    yield "Subject", words(said.subject, utf8=utf8)
    yield "Date", format_datetime(created_at.astimezone(UTC))
    yield "Message-ID", mail.message_id
    if isinstance(notice, Notice):
        yield from _place_in_thread(notice)
    yield "Content-Language", said.language
    if mail.template not in WRITTEN_BY_PEOPLE:
        yield "Auto-Submitted", "auto-generated"
        yield "X-Auto-Response-Suppress", "All"


def _way_out(link: str) -> Iterator[tuple[str, str]]:
    """For mail programs that offer it themselves, with one click (RFC 8058)."""
    if link:
        yield "List-Unsubscribe", f"<{link}>"
    if link.startswith("https://"):
        yield "List-Unsubscribe-Post", "List-Unsubscribe=One-Click"


def _place_in_thread(notice: Notice) -> Iterator[tuple[str, str]]:
    if answered := _message_ids([notice.in_reply_to or ""]):
        yield "In-Reply-To", answered
    if references := _message_ids(notice.references):
        yield "References", references


def _message_ids(ids: Iterable[str]) -> str:
    """Other people's Message-IDs, as far as they are some."""
    return " ".join(one for one in ids if _MESSAGE_ID.fullmatch(one))
