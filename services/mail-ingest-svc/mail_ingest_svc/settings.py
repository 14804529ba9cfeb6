"""What mail-ingest-svc can be told."""

from pydantic import Field

from deskwire.oauth import OAuthClient
from deskwire.settings import ServiceSettings


class Settings(ServiceSettings):
    mailboxes: list[str] = Field(
        default_factory=list,
        description="imap://, imaps:// or maildir: URLs, ?processed=FOLDER takes what was read; "
        "lmtp://HOST:PORT listens there",
    )
    oauth: dict[str, OAuthClient] = Field(
        default_factory=dict,
        description="by name, for mailboxes with ?oauth=NAME: token_url, client_id, client_secret, "
        "refresh_token (without: the application's own grant), scope",
    )
    poll_seconds: float = Field(60.0, gt=0, description="a look at each mailbox, IDLE or not")
    max_mail_bytes: int = Field(
        50 * 1024 * 1024, gt=0, description="of a larger mail only the headers are read"
    )
    raw_mail_days: int | None = Field(
        None,
        ge=1,
        description="how long the mail as it came is kept once its ledger row is settled (None: "
        "for ever)",
    )
    authserv_id: str = Field(
        "", description="our mail server's name in its Authentication-Results; empty: none counts"
    )
    mail_from: str | None = Field(
        None, description="the address that notify-svc writes from: its mails are known by it"
    )
    reply_address: str | None = None

    @property
    def own_addresses(self) -> list[str]:
        return [address for address in (self.mail_from, self.reply_address) if address]
