"""An IMAP folder (RFC 3501, 2177 IDLE, 2342 NAMESPACE, 4315 UIDPLUS, 6851 MOVE)."""

import imaplib
import re
import socket
import ssl
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from imap_tools import BaseMailBox
from imap_tools.errors import ImapToolsError
from imap_tools.utils import encode_folder

from mail_ingest_svc.domain import Listed
from mail_ingest_svc.mailbox.imap_idle import idle
from mail_ingest_svc.mailbox.imap_session import (
    SILENCE_SECONDS,
    ImapAccount,
    Namespace,
    abilities,
    connected,
    log_in,
    namespace,
    said,
    telling,
)
from mail_ingest_svc.mailbox.port import Fetched, MailboxAway, NotFetched, NotMoved

KEYWORD = "$Deskwire"

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")


class ImapMailbox:
    settled = True

    def __init__(self, account: ImapAccount, folder: str, processed: str) -> None:
        self.name = f"{account.user}@{account.host}/{folder}"
        self.folder = folder
        self.processed = processed
        self.uidvalidity = 0
        self.oauth = account.oauth
        self._account = account
        self._mailbox: BaseMailBox | None = None
        self._socket: socket.socket | None = None
        self._abilities: frozenset[str] = frozenset()
        self._namespace = Namespace()
        self._last = 0
        self._writable = True
        self._interrupted = False

    def open(self, token: str | None) -> None:
        self.rewind()
        with telling():
            mailbox = self._mailbox = connected(self._account)
            if not (self._account.tls or self._account.loopback):
                mailbox.client.starttls(ssl.create_default_context())
            self._socket = mailbox.client.sock
            self._socket.settimeout(SILENCE_SECONDS)
            log_in(mailbox, self._account, token)
            self._abilities = abilities(mailbox.client)
            if "NAMESPACE" in self._abilities:
                self._namespace = namespace(mailbox.client)

    def close(self) -> None:
        mailbox, self._mailbox = self._mailbox, None
        if mailbox is not None:
            with suppress(OSError, imaplib.IMAP4.error, ImapToolsError):
                mailbox.client.shutdown()

    def rewind(self) -> None:
        self._last = 0

    def listing(self) -> list[Listed]:
        with telling():
            count, uidnext = self._select()
            if count == 0 or (uidnext and uidnext <= self._last + 1):
                return []
            listed = self._list_from(self._last + 1)
        self._last = max((int(mail.uid) for mail in listed), default=self._last)
        return listed

    def _list_from(self, first: int) -> list[Listed]:
        """``n:*`` names the last mail even where its UID is smaller (RFC 3501 section 6.4.8)."""
        status, lines = self._client.uid("FETCH", f"{first}:*", "(UID RFC822.SIZE)")
        if status != "OK":
            raise MailboxAway(f"the folder {self.folder} cannot be listed: {said(lines)}")
        sizes = dict(_sizes(lines))
        return [Listed(str(uid), sizes[uid]) for uid in sorted(sizes) if uid >= first]

    def _select(self) -> tuple[int, int]:
        """Anew before each listing: that brings the UIDVALIDITY, and costs no more than a NOOP."""
        folder: Any = encode_folder(self.folder)
        self._writable = True
        try:
            status, counts = self._client.select(folder)
        except imaplib.IMAP4.readonly:
            self._writable = False
            status, counts = self._client.select(folder, readonly=True)
        if status != "OK":
            raise MailboxAway(f"the folder {self.folder} cannot be opened: {said(counts)}")
        uidvalidity = self._number("UIDVALIDITY")
        if uidvalidity != self.uidvalidity:
            self.uidvalidity = uidvalidity
            self.rewind()
        return int(counts[0] or 0), self._number("UIDNEXT")

    def _number(self, name: str) -> int:
        _, values = self._client.response(name)
        return int(values[-1] or 0) if values else 0

    def fetch(self, mails: Sequence[Listed]) -> Fetched:
        return self._fetch(mails, "BODY.PEEK[]")

    def fetch_headers(self, mails: Sequence[Listed]) -> Fetched:
        return self._fetch(mails, "BODY.PEEK[HEADER]")

    def _fetch(self, mails: Sequence[Listed], part: str) -> Fetched:
        """Together; where the server refuses that, one by one, to find which it was."""
        with telling():
            try:
                status, parts = self._client.uid("FETCH", _uid_set(mails), f"(UID {part})")
            except imaplib.IMAP4.abort:
                raise
            except imaplib.IMAP4.error as error:
                status, parts = "BAD", [str(error).encode()]
        if status == "OK":
            return dict(_literals(parts))
        if len(mails) == 1:
            return {mails[0].uid: NotFetched(f"the server does not give it out: {said(parts)}")}
        fetched: dict[str, bytes | NotFetched] = {}
        for mail in mails:
            fetched |= self._fetch([mail], part)
        return fetched

    def move(self, mails: Sequence[Listed], folder: str) -> None:
        if not self._writable:
            raise NotMoved(f"the folder {self.folder} is read-only")
        with telling():
            if "MOVE" in self._abilities:
                self._told_folder("MOVE", mails, folder)
            elif "UIDPLUS" in self._abilities:
                self._told_folder("COPY", mails, folder)
                self._told("STORE", mails, "+FLAGS.SILENT", r"(\Deleted)")
                self._told("EXPUNGE", mails)
            else:
                self._mark(mails)

    def _told_folder(self, command: str, mails: Sequence[Listed], folder: str) -> None:
        target: Any = encode_folder(self._namespace.name(folder))
        try:
            self._told(command, mails, target)
        except NotMoved:
            with suppress(imaplib.IMAP4.error):
                self._client.create(target)
            self._told(command, mails, target)

    def _mark(self, mails: Sequence[Listed]) -> None:
        """A plain EXPUNGE would expunge what others have marked as deleted: the mails stay."""
        try:
            self._told("STORE", mails, "+FLAGS.SILENT", f"({KEYWORD})")
        except NotMoved:
            self._told("STORE", mails, "+FLAGS.SILENT", r"(\Flagged)")

    def _told(self, command: str, mails: Sequence[Listed], *arguments: str) -> None:
        try:
            status, answer = self._client.uid(command, _uid_set(mails), *arguments)
        except imaplib.IMAP4.abort:
            raise
        except imaplib.IMAP4.error as error:
            raise NotMoved(f"{command}: {error}") from error
        if status != "OK":
            raise NotMoved(f"{command}: {said(answer)}")

    def wait(self, seconds: float) -> None:
        if "IDLE" in self._abilities:
            with telling():
                idle(self._client, seconds)
            return
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline and not self._interrupted:
            time.sleep(0.1)

    def interrupt(self) -> None:
        self._interrupted = True
        if self._socket is not None:
            with suppress(OSError):  # past an SSLSocket's own, which is for its own thread
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)

    @property
    def _client(self) -> imaplib.IMAP4:
        if self._mailbox is None:
            raise MailboxAway("it is not open")
        return self._mailbox.client


def _uid_set(mails: Sequence[Listed]) -> str:
    return ",".join(mail.uid for mail in mails)


def _sizes(lines: Sequence[Any]) -> Iterator[tuple[int, int]]:
    for line in lines:
        if not isinstance(line, bytes):
            continue
        uid, size = _UID.search(line), _SIZE.search(line)
        if uid and size:
            yield int(uid[1]), int(size[1])


def _literals(parts: Sequence[Any]) -> Iterator[tuple[str, bytes]]:
    """UID and content; some servers name the UID before the literal, some after it."""
    for part, after in zip(parts, [*parts[1:], None], strict=True):
        if isinstance(part, tuple):
            around = part[0] + (after if isinstance(after, bytes) else b"")
            if uid := _UID.search(around):
                yield uid[1].decode(), part[1]
