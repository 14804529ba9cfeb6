"""Which links a mail has, by which its reader does something with a click and a second one."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from deskwire.links import FeedbackLink, Links
from notify_svc.domain.mails import Mail, Notice

FEEDBACK_DAYS = 90
"""So long can be said how a ticket went."""


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
        found = {"feedback": ""}
        notice = mail.notice
        if self.maker and isinstance(notice, Notice) and notice.asked is not None:
            claim = FeedbackLink(notice.ticket_id, notice.asked, notice.language)
            found["feedback"] = self.maker.url(claim, created_at + timedelta(days=FEEDBACK_DAYS))
        return found
