"""Which links a mail has, by which its reader does something with a click and a second one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deskwire.links import AnyLink, DigestLink, FeedbackLink, Links, WatcherLink
from notify_svc.domain.mails import Digest, Mail, Notice

FEEDBACK_DAYS = 90
"""So long can be said how a ticket went."""

UNSUBSCRIBE_DAYS = 2 * 365
"""Old mails are found again when somebody wants no more of them."""


@dataclass(frozen=True, slots=True)
class MailLinks:
    """Without a ``maker``, as nobody said where the gateway is, mails have none."""

    maker: Links | None = None

    @classmethod
    def of(cls, public_url: str, keys: str) -> "MailLinks":
        if not public_url or not keys:
            return cls()
        return cls(Links.of(keys, public_url))

    def in_mail(self, mail: Mail, created_at: datetime) -> dict[str, str]:
        """By what they are for; empty where there is nothing to do."""
        return {
            "feedback": self._url(_feedback(mail.notice), created_at, FEEDBACK_DAYS),
            "unsubscribe": self._url(_unsubscribe(mail), created_at, UNSUBSCRIBE_DAYS),
        }

    def _url(self, claim: AnyLink | None, created_at: datetime, days: int) -> str:
        if self.maker is None or claim is None:
            return ""
        return self.maker.url(claim, created_at + timedelta(days=days))


def _feedback(notice: Notice | Digest) -> FeedbackLink | None:
    if isinstance(notice, Digest) or notice.asked is None:
        return None
    return FeedbackLink(notice.ticket_id, notice.asked, notice.language)


def _unsubscribe(mail: Mail) -> WatcherLink | DigestLink | None:
    notice = mail.notice
    if isinstance(notice, Digest):
        if notice.agent_id is None:  # of an earlier version
            return None
        return DigestLink(notice.agent_id, notice.every, notice.language)
    if not notice.watches:
        return None
    return WatcherLink(notice.ticket_id, mail.recipient, notice.reference, notice.language)
