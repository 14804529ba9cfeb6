"""The mailboxes that `DESKWIRE_MAILBOXES` names."""

from collections.abc import Collection, Sequence
from pathlib import Path
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from deskwire.errors import SetupError
from mail_ingest_svc.mailbox.imap import ImapMailbox
from mail_ingest_svc.mailbox.imap_session import ImapAccount
from mail_ingest_svc.mailbox.maildir import MaildirMailbox
from mail_ingest_svc.mailbox.port import Mailbox

PROCESSED = "Processed"
PORTS = {"imap": 143, "imaps": 993, "lmtp": 24}


def open_mailboxes(urls: Sequence[str], oauth: Collection[str] = ()) -> list[Mailbox]:
    """One for each URL but those of `lmtp_places`, not yet connected; a `SetupError` names what is
    wrong with one.

    ``oauth`` are the names that ``?oauth=`` may give.
    """
    found = [_told(number, url, oauth) for number, url in enumerate(urls, 1)]
    return [each for each in found if not isinstance(each, tuple)]


def lmtp_places(urls: Sequence[str]) -> list[tuple[str, int]]:
    """Hosts and ports of those that are ``lmtp://``: mail is brought there."""
    found = (_told(number, url, ()) for number, url in enumerate(urls, 1) if _is_lmtp(url))
    return [each for each in found if isinstance(each, tuple)]


def _is_lmtp(url: str) -> bool:
    return url.partition(":")[0].lower() == "lmtp"


def _told(number: int, url: str, oauth: Collection[str]) -> Mailbox | tuple[str, int]:
    try:
        return _of_kind(_split(url), oauth)
    except WrongURLError as wrong:
        raise SetupError(f"DESKWIRE_MAILBOXES: mailbox {number} {wrong}") from None


class WrongURLError(Exception):
    """Says what is wrong with it, and nothing of what it says: it may hold a password."""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:
        raise WrongURLError("is no URL; special characters are written as %XX") from None


def _of_kind(parts: SplitResult, oauth: Collection[str]) -> Mailbox | tuple[str, int]:
    processed = parse_qs(parts.query).get("processed", [PROCESSED])[-1]
    if parts.scheme == "lmtp":
        if not parts.hostname or parts.path.strip("/"):
            raise WrongURLError("needs a host and a port alone: lmtp://127.0.0.1:2424")
        return parts.hostname, _port(parts)
    if parts.scheme == "maildir":
        return _maildir(parts, processed)
    if parts.scheme in {"imap", "imaps"}:
        folder = unquote(parts.path.strip("/")) or "INBOX"
        if processed.casefold() == folder.casefold():
            raise WrongURLError(f"would for ever read what it has processed: {processed}")
        return ImapMailbox(_account(parts, oauth), folder, processed)
    kinds = "imap://, imaps://, maildir: or lmtp://"
    raise WrongURLError(f"must begin with {kinds}, not {parts.scheme or 'this'}")


def _maildir(parts: SplitResult, processed: str) -> Mailbox:
    path = Path(unquote(parts.path))
    if parts.netloc or not path.is_absolute():
        raise WrongURLError("needs an absolute path: maildir:/var/mail/support")
    return MaildirMailbox(path, processed)


def _account(parts: SplitResult, oauth: Collection[str]) -> ImapAccount:
    name = parse_qs(parts.query).get("oauth", [None])[-1]
    if name is not None and name not in oauth:
        raise WrongURLError("has an ?oauth= that DESKWIRE_OAUTH does not name")
    if not parts.hostname or not parts.username or (parts.password is None) == (name is None):
        raise WrongURLError(
            f"needs a host, a user and a password or an ?oauth=: {parts.scheme}://USER:PASSWORD@HOST"
        )
    return ImapAccount(
        host=parts.hostname,
        port=_port(parts),
        user=unquote(parts.username),
        password=parts.password and unquote(parts.password),
        tls=parts.scheme == "imaps",
        oauth=name,
    )


def _port(parts: SplitResult) -> int:
    try:
        return parts.port or PORTS[parts.scheme]
    except ValueError:  # its message holds what may be a part of an unquoted password
        raise WrongURLError("has no valid port; special characters are written as %XX") from None
