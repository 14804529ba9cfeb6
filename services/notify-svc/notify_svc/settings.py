"""What notify-svc can be told."""

from pathlib import Path

from pydantic import Field

from deskwire.oauth import OAuthClient
from deskwire.settings import KeyLines, ServiceSettings
from notify_svc.dkim import SigningKey


class Settings(ServiceSettings):
    smtp_url: str = Field(
        description="smtp://, smtps://USER:PASSWORD@HOST:PORT, USER@HOST?oauth=NAME, "
        "or maildir:/FOLDER"
    )
    oauth: dict[str, OAuthClient] = Field(
        default_factory=dict, description="by name, for a mail server with ?oauth=NAME"
    )
    mail_from: str = Field(description="the address that mails come from")
    mail_from_name: str = Field("Support", description="the name that mails come from")
    reply_address: str | None = Field(None, description="where answers go; mail_from if not given")
    plus_addressing: bool = Field(
        default=True, description="answers go to LOCAL+TOKEN@DOMAIN, which names the ticket"
    )
    bounce_tokens: bool | None = Field(
        None,
        description="bounces go to such an address, too; unless given, where no login is needed",
    )
    ticket_url: str | None = Field(
        None, description="where an agent sees a ticket: https://desk.example.com/tickets/{id}"
    )
    public_url: str = Field(
        "", description="how clients reach the gateway, for links in mails; empty: there are none"
    )
    link_key: KeyLines = Field(
        "",
        description="secret behind these links, the gateway's too; empty: there are none",
    )
    dkim: tuple[SigningKey, ...] = Field(
        (), description="JSON list of domain, selector and key_file, which mails are signed with"
    )
    templates: Path | None = Field(
        None, description="a folder with sentences and templates of mails, before those that are"
    )
    attached_bytes: int = Field(
        10 * 1024 * 1024, ge=0, description="so much of an entry's files goes along with its mail"
    )
    webhooks_to_private: bool = Field(
        default=False, description="webhooks may be http:// and in a private network"
    )
    smtp_connections: int = Field(4, ge=1, le=50, description="how many mails are sent at once")
    smtp_per_minute: int | None = Field(
        None, ge=1, description="at most so many mails a minute, by each replica"
    )
    uncertain_retry_seconds: float = Field(
        600.0, gt=0, description="when to repeat a mail that the server may have taken"
    )
