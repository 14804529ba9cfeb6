"""Getting into an IMAP server: connected, encrypted, logged in, and what it can do."""

import imaplib
import ipaddress
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from imap_tools import BaseMailBox, MailBox, MailBoxUnencrypted
from imap_tools.errors import ImapToolsError, MailboxLoginError

from mail_ingest_svc.mailbox.port import HungUp, LoginRefused, MailboxAway

CONNECT_SECONDS = 10
SILENCE_SECONDS = 60

_PERSONAL = re.compile(rb'\(\("((?:[^"\\]|\\.)*)" (?:"(\\?.)"|NIL)')


@dataclass(frozen=True, slots=True)
class ImapAccount:
    host: str
    port: int
    user: str
    password: str | None = field(repr=False)
    tls: bool
    oauth: str | None = None

    @property
    def loopback(self) -> bool:
        """Nothing is said in clear text but to this machine itself."""
        if self.host == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False


def abilities(client: imaplib.IMAP4) -> frozenset[str]:
    _, words = client.capability()
    return frozenset(words[-1].decode().upper().split())


@dataclass(frozen=True, slots=True)
class Namespace:
    """Where the user's own folders are (RFC 2342): ``INBOX.`` on some servers."""

    prefix: str = ""
    separator: str = "/"

    def name(self, folder: str) -> str:
        """``folder`` is written with ``/`` between its levels."""
        name = folder.replace("/", self.separator)
        return name if name.upper().startswith(self.prefix.upper()) else self.prefix + name


def namespace(client: imaplib.IMAP4) -> Namespace:
    """The first personal one."""
    status, answer = client.namespace()
    found = _PERSONAL.match(answer[-1] or b"") if status == "OK" else None
    if found is None:
        return Namespace()
    prefix, separator = (re.sub(rb"\\(.)", rb"\1", part or b"").decode() for part in found.groups())
    return Namespace(prefix, separator or "/")


def connected(account: ImapAccount) -> BaseMailBox:
    host, port = account.host, account.port
    if account.tls:
        verified = ssl.create_default_context()
        return MailBox(host, port, timeout=CONNECT_SECONDS, ssl_context=verified)
    return MailBoxUnencrypted(host, port, timeout=CONNECT_SECONDS)


def log_in(mailbox: BaseMailBox, account: ImapAccount, token: str | None) -> None:
    secret = token or account.password or ""
    try:
        if token is not None:
            mailbox.xoauth2(account.user, secret, initial_folder=None)
        elif (account.user + secret).isascii():
            mailbox.login(account.user, secret, initial_folder=None)
        else:
            mailbox.login_utf8(account.user, secret, initial_folder=None)
    except MailboxLoginError as error:
        raise LoginRefused(f"the login is refused: {said(error.command_result[1])}") from error
    except imaplib.IMAP4.abort:
        raise
    except imaplib.IMAP4.error as error:  # AUTHENTICATE raises it instead
        raise LoginRefused(f"the login is refused: {error}") from error


@contextmanager
def telling() -> Iterator[None]:
    """Whatever the libraries raise, as one line that names no secret."""
    try:
        yield
    except imaplib.IMAP4.abort as error:
        raise HungUp(str(error)) from error
    except (OSError, imaplib.IMAP4.error, ImapToolsError) as error:
        raise MailboxAway(str(error) or type(error).__name__) from error


def said(answer: Any) -> str:
    """The server's words."""
    words = [word.decode("utf-8", "replace") for word in answer or () if isinstance(word, bytes)]
    return " ".join(words)[:300] or "no reason given"
