"""SMTP: which server, whether it can be used, and one transaction for one recipient (RFC 5321
section 3.3), so that each answer is about one delivery."""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import structlog

from deskwire.errors import DeskwireError, SetupError
from deskwire.oauth import Tokens
from notify_svc.domain.attempts import Ambiguous, Refused, Result, Sent, Unreachable, Unsendable
from notify_svc.rendering.letter import Letter
from notify_svc.sender.session import COMMAND_SECONDS, GO_ON, Answer, Lost, Session

log = structlog.get_logger()

CONNECT_SECONDS = 30
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

OF_THE_SERVER = frozenset({421, 432, 454, 530, 534, 535, 538})
"""Answers that are about the connection or the login (RFC 5321, RFC 4954), not about a mail."""


class TurnedAway(Lost):
    """The server works, but not for us."""


class SmtpServer:
    """A mail server, and whether it can be used at present.

    ``tokens`` are for a server with ``?oauth=NAME`` in its URL; ``per_minute``: it gets no more
    mails than that.
    """

    def __init__(
        self, url: str, *, helo: str, tokens: Tokens | None = None, per_minute: int | None = None
    ) -> None:
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError as error:
            raise SetupError(f"DESKWIRE_SMTP_URL: {error}") from None
        if not parts.hostname:
            raise SetupError("DESKWIRE_SMTP_URL names no host")
        self._host, self._port, self._helo = parts.hostname, port, helo
        self._tls = parts.scheme == "smtps"
        self._user = unquote(parts.username) if parts.username else None
        self._password = unquote(parts.password) if parts.password else None
        self._oauth = parse_qs(parts.query).get("oauth", [None])[-1]
        if self._oauth and not (tokens and tokens.knows(self._oauth) and self._user):
            raise SetupError(
                "DESKWIRE_SMTP_URL has an ?oauth= that DESKWIRE_OAUTH does not name, or no user"
            )
        self._tokens = tokens
        self._reason = ""
        self._pause = 0.0
        self._closed_until = 0.0
        self._seconds_apart = 60 / per_minute if per_minute else 0.0
        self._next_at = 0.0

    def line(self) -> "SmtpLine":
        return SmtpLine(self)

    async def turn(self) -> None:
        """Returns when the next mail may go, over whichever connection."""
        if self._seconds_apart:
            now = asyncio.get_running_loop().time()
            at = max(self._next_at, now)
            self._next_at = at + self._seconds_apart
            await asyncio.sleep(at - now)

    async def connected(self) -> Session:
        """A new connection, ready for a mail. While the server is away few are tried; then as when
        this one fails it is `Lost`."""
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            raise Lost(self._reason)
        client = self._client()
        try:
            await client.connect(timeout=CONNECT_SECONDS)
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except asyncio.CancelledError:
            client.close()
            raise
        except (aiosmtplib.SMTPException, DeskwireError, OSError, ValueError) as error:
            client.close()
            if isinstance(error, aiosmtplib.SMTPAuthenticationError):
                self._forget_token()
            self.away(_explained(error))
            raise Lost(self._reason) from error
        return Session(client)

    def _client(self) -> aiosmtplib.SMTP:
        """Encrypted and verified, unless the server is this machine."""
        local = _is_loopback(self._host)
        return aiosmtplib.SMTP(
            hostname=self._host,
            port=self._port,
            username=self._user,
            password=self._password,
            oauth_token_generator=self._token if self._oauth else None,
            local_hostname=self._helo,
            timeout=COMMAND_SECONDS,
            use_tls=self._tls,
            start_tls=False if self._tls else (None if local else True),
            validate_certs=not local,
        )

    async def _token(self) -> str:
        """Raises `OAuthRefused` or `OAuthAway`."""
        assert self._tokens is not None  # noqa: S101  # looked at in the beginning
        assert self._oauth is not None  # noqa: S101  # the same
        return await self._tokens.access(self._oauth)

    def _forget_token(self) -> None:
        """It may have been taken back before its end."""
        if self._tokens and self._oauth:
            self._tokens.forget(self._oauth)

    def away(self, reason: str) -> None:
        """It is left alone for a while, longer each time, whichever mails wait for it."""
        if reason != self._reason:
            log.error("mail server cannot be used", host=self._host, cause=reason)
        self._reason = reason
        self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        self._closed_until = asyncio.get_running_loop().time() + self._pause

    def works(self) -> None:
        if self._reason:
            log.info("mail server is back", host=self._host)
        self._reason, self._pause, self._closed_until = "", 0.0, 0.0


class SmtpLine:
    """One connection, kept from mail to mail."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._session: Session | None = None
        self.handing_over = False

    async def send(self, letter: Letter) -> Result:
        await self._server.turn()
        try:
            result = await self._send(letter)
        except asyncio.CancelledError:
            self._close()
            raise
        self.handing_over = False  # not when it is cut off: then nobody knows
        return result

    async def _send(self, letter: Letter) -> Result:
        if self._session is not None:
            with suppress(Lost):  # the server closes what is idle, or was used enough: no failure
                return await self._transfer(self._session, letter)
        try:
            self._session = await self._server.connected()
            return await self._transfer(self._session, letter)
        except TurnedAway as error:
            self._server.away(str(error))
            return Unreachable(str(error))
        except Lost as error:
            return Unreachable(str(error))

    async def rest(self) -> None:
        if self._session is not None:
            await self._session.quit()
        self._session = None

    async def _transfer(self, session: Session, letter: Letter) -> Result:
        """Raises `Lost` when the mail was not handed over."""
        if letter.international and not session.international:
            return Unsendable("the mail server takes no international addresses (SMTPUTF8)")
        try:
            answer = await session.envelope(letter)
        except Lost:
            self._close()
            raise
        if answer.code in OF_THE_SERVER:
            self._close()
            raise TurnedAway(str(answer))
        return await self._content(session, letter) if answer.code == GO_ON else self._told(answer)

    async def _content(self, session: Session, letter: Letter) -> Result:
        self.handing_over = True
        try:
            answer = await session.content(letter)
        except Lost as error:
            self._close()
            return Ambiguous(f"after the mail was handed over: {error}")
        if answer.code in OF_THE_SERVER:
            self._close()
        return self._told(answer)

    def _told(self, answer: Answer) -> Result:
        """The connection stays good for the next mail."""
        self._server.works()
        taken = answer.code // 100 == 2
        return Sent(str(answer)) if taken else Refused(answer.code, answer.text)

    def _close(self) -> None:
        if self._session is not None:
            self._session.close()
        self._session = None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _explained(error: Exception) -> str:
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return f"the mail server refuses the credentials: {error.code} {error.message}"
    if isinstance(error, aiosmtplib.SMTPResponseException):
        return f"{error.code} {error.message}"
    return str(error) or type(error).__name__
