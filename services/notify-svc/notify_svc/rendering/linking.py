"""Which links a mail has, by which its reader does something with a click and a second one."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from deskwire.links import (
    AnyLink,
    DigestLink,
    FeedbackLink,
    FileLink,
    InvoiceLink,
    Links,
    WatcherLink,
)
from notify_svc.domain.mails import CLIENT_TEMPLATES, Bill, Digest, Mail, Notice
from notify_svc.mime import one_line

FEEDBACK_DAYS = 90
"""So long can be said how a ticket went."""

UNSUBSCRIBE_DAYS = 2 * 365
"""Old mails are found again when somebody wants no more of them."""

FILE_DAYS = 30
"""So long can be fetched what did not go along with its mail."""

INVOICE_DAYS = 365
"""So long can be fetched what was sent."""


@dataclass(frozen=True, slots=True)
class MailLinks:
    """Without a ``maker``, as nobody said where the gateway is, mails have none."""

    maker: Links | None = None

    @classmethod
    def of(cls, public_url: str, keys: str) -> "MailLinks":
        if not public_url or not keys:
            return cls()
        return cls(Links.of(keys, public_url))

    def in_mail(self, mail: Mail, created_at: datetime) -> dict[str, Any]:
        """By what they are for; empty where there is nothing to do. ``fetch``: names and links of
        the files that are not in it, for ``days``."""
        return {
            "fetch": self._files(mail, created_at),
            "days": FILE_DAYS,
            "invoice": self._url(_invoice(mail.notice), created_at, INVOICE_DAYS),
            "feedback": self._url(_feedback(mail.notice), created_at, FEEDBACK_DAYS),
            "unsubscribe": self._url(_unsubscribe(mail), created_at, UNSUBSCRIBE_DAYS),
        }

    def _files(self, mail: Mail, created_at: datetime) -> list[tuple[str, str]]:
        notice = mail.notice
        if self.maker is None or not isinstance(notice, Notice):
            return []
        left = notice.files if mail.template in CLIENT_TEMPLATES else ()
        claims = ((each.name, FileLink(each.id, notice.language)) for each in left)
        return [(one_line(name), self._url(claim, created_at, FILE_DAYS)) for name, claim in claims]

    def _url(self, claim: AnyLink | None, created_at: datetime, days: int) -> str:
        if self.maker is None or claim is None:
            return ""
        return self.maker.url(claim, created_at + timedelta(days=days))


def _invoice(notice: Notice | Digest | Bill) -> InvoiceLink | None:
    return InvoiceLink(notice.invoice_id, notice.language) if isinstance(notice, Bill) else None


def _feedback(notice: Notice | Digest | Bill) -> FeedbackLink | None:
    if not isinstance(notice, Notice) or notice.asked is None:
        return None
    return FeedbackLink(notice.ticket_id, notice.asked, notice.language)


def _unsubscribe(mail: Mail) -> WatcherLink | DigestLink | None:
    notice = mail.notice
    if isinstance(notice, Digest):
        if notice.agent_id is None:  # of an earlier version
            return None
        return DigestLink(notice.agent_id, notice.every, notice.language)
    if not isinstance(notice, Notice) or not notice.watches:
        return None
    return WatcherLink(notice.ticket_id, mail.recipient, notice.reference, notice.language)
