"""An LMTP server (RFC 2033): mail servers hand mails to it. The only user of aiosmtpd.

It answers 250 once a mail is in the ledger. Whoever may connect may deliver: it belongs on
loopback or on a network of its own.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any
from weakref import WeakSet

import structlog
from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import Envelope, Session

from deskwire.blobs import Blobs
from deskwire.db import Database
from deskwire.errors import SetupError
from mail_ingest_svc.mailbox.faults import ELSEWHERE
from mail_ingest_svc.mailbox.handing import Handed, hand_in

log = structlog.get_logger()

LINE_BYTES = 1024 * 1024
"""RFC 5321 allows 1,000; mails with longer lines come all the same."""

TAKEN = "250 2.0.0 it is in the ledger"
LATER = "451 4.3.0 not now"


@asynccontextmanager
async def listening(
    places: Sequence[tuple[str, int]], database: Database, blobs: Blobs, *, limit: int
) -> AsyncIterator[None]:
    """Take mails of up to ``limit`` bytes at each host and port until left."""
    async with AsyncExitStack() as stack:
        for host, port in places:
            await stack.enter_async_context(_serving(host, port, database, blobs, limit))
        yield


@asynccontextmanager
async def _serving(
    host: str, port: int, database: Database, blobs: Blobs, limit: int
) -> AsyncIterator[None]:
    reception = _Reception(f"lmtp://{host}:{port}", database, blobs)
    loop, connected = asyncio.get_running_loop(), WeakSet[_Server]()

    def connect() -> _Server:
        connected.add(connection := _Server(reception, limit))
        return connection

    try:
        server = await loop.create_server(connect, host, port)
    except OSError as error:
        raise SetupError(f"no LMTP at {host}:{port}: {error.strerror}") from error
    try:
        yield
    finally:  # who is in the middle of a mail sends it again
        server.close()
        for connection in connected:
            connection.hang_up()


class _Reception:
    """``handle_DATA`` is what aiosmtpd calls."""

    def __init__(self, mailbox: str, database: Database, blobs: Blobs) -> None:
        self._mailbox = mailbox
        self._database = database
        self._blobs = blobs

    async def handle_DATA(  # noqa: N802  # aiosmtpd's name
        self, _server: Any, _session: Session, envelope: Envelope
    ) -> str:
        mail = Handed.delivered(_with_envelope(envelope), self._mailbox)
        try:
            await hand_in(self._database, self._blobs, [mail])
        except ELSEWHERE as error:
            log.warning("mail put off", mailbox=self._mailbox, cause=str(error))
            return LATER
        return TAKEN


def _with_envelope(envelope: Envelope) -> bytes:
    """What the last server on the way writes into a mail (RFC 5321 section 4.4, RFC 9228)."""
    recipients = b"".join(b"Delivered-To: %s\r\n" % _plain(each) for each in envelope.rcpt_tos)
    sender = _plain((envelope.mail_from or "").strip("<>"))
    return recipients + b"Return-Path: <%s>\r\n" % sender + (envelope.original_content or b"")


def _plain(address: str) -> bytes:
    return address.encode("utf-8", "replace").replace(b"\r", b"").replace(b"\n", b"")


class _Server(LMTP):
    """Answers for each recipient after the mail (RFC 2033 section 4.2), which aiosmtpd does not."""

    line_length_limit = LINE_BYTES

    def __init__(self, reception: _Reception, limit: int) -> None:
        super().__init__(
            reception, data_size_limit=limit, enable_SMTPUTF8=True, ident="Deskwire LMTP"
        )
        self._answers = 1

    def hang_up(self) -> None:
        if self.transport is not None:
            self.transport.close()

    async def smtp_DATA(self, arg: str) -> None:  # noqa: N802  # aiosmtpd's name
        try:
            await super().smtp_DATA(arg)
        finally:
            self._answers = 1

    async def push(self, status: str | bytes) -> None:
        line = status if isinstance(status, str) else status.decode()
        await super().push("\r\n".join([line] * self._answers))
        if line.startswith("354") and self.envelope is not None:
            self._answers = len(self.envelope.rcpt_tos)
