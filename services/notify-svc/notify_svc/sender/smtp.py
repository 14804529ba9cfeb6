"""SMTP: the only place that knows aiosmtplib.

One transaction for one recipient (RFC 5321 section 3.3), so that each answer is about one delivery.
"""

import asyncio
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import parse_qs, unquote, urlsplit

import aiosmtplib
import structlog

from deskwire.errors import DeskwireError, SetupError
from deskwire.oauth import Tokens
from notify_svc.domain.attempts import Ambiguous, Refused, Result, Sent, Unreachable, Unsendable
from notify_svc.mail import Letter

log = structlog.get_logger()

CONNECT_SECONDS = 30
COMMAND_SECONDS = 300  # RFC 5321 section 4.5.3.2 asks for five minutes
DATA_SECONDS = 600  # and for ten at the end of the data: shorter ones make duplicates
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0

OF_THE_SERVER = frozenset({421, 432, 454, 530, 534, 535, 538})
"""Answers that are about the connection or the login (RFC 5321, RFC 4954), not about a mail."""

_LOST = (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError)


class Away(Exception):
    """There is no connection to hand a mail to."""


class SmtpServer:
    """A mail server, and whether it can be used at present.

    ``tokens`` are for a server with ``?oauth=NAME`` in its URL.
    """

    def __init__(self, url: str, *, helo: str, tokens: Tokens | None = None) -> None:
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

    def line(self) -> "SmtpLine":
        return SmtpLine(self)

    async def connected(self) -> aiosmtplib.SMTP:
        """A new connection, ready for a mail. While the server is away few are tried."""
        now = asyncio.get_running_loop().time()
        if now < self._closed_until:
            raise Away(self._reason)
        client = self._client()
        try:
            await client.connect(timeout=CONNECT_SECONDS)
            if client.is_ehlo_or_helo_needed:
                await client.ehlo()
        except (aiosmtplib.SMTPException, DeskwireError, OSError, ValueError) as error:
            client.close()
            if isinstance(error, aiosmtplib.SMTPAuthenticationError):
                self._forget_token()
            raise self.away(_explained(error)) from error
        return client

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
        assert self._oauth is not None  # noqa: S101
        return await self._tokens.access(self._oauth)

    def _forget_token(self) -> None:
        """It may have been taken back before its end."""
        if self._tokens and self._oauth:
            self._tokens.forget(self._oauth)

    def away(self, reason: str) -> Away:
        """It is left alone for a while, longer each time, whichever mails wait for it."""
        if reason != self._reason:
            log.error("mail server cannot be used", host=self._host, cause=reason)
        self._reason = reason
        self._pause = min(max(self._pause * 2, FIRST_PAUSE), LONGEST_PAUSE)
        self._closed_until = asyncio.get_running_loop().time() + self._pause
        return Away(reason)

    def works(self) -> None:
        if self._reason:
            log.info("mail server is back", host=self._host)
        self._reason, self._pause, self._closed_until = "", 0.0, 0.0


class SmtpLine:
    """One connection, kept from mail to mail."""

    def __init__(self, server: SmtpServer) -> None:
        self._server = server
        self._client: aiosmtplib.SMTP | None = None

    async def send(self, letter: Letter) -> Result:
        if self._client is not None:
            with suppress(Away):  # the server closes what is idle: that is no failure
                return await self._transfer(self._client, letter)
        try:
            self._client = await self._server.connected()
            return await self._transfer(self._client, letter)
        except Away as away:
            return Unreachable(str(away))

    async def rest(self) -> None:
        if self._client is not None:
            with suppress(aiosmtplib.SMTPException, OSError):
                await self._client.quit(timeout=5)
            self._close()

    async def _transfer(self, client: aiosmtplib.SMTP, letter: Letter) -> Result:
        """Raises `Away` when the mail was not handed over."""
        if letter.international and not client.supports_extension("smtputf8"):
            return Unsendable("the mail server takes no international addresses (SMTPUTF8)")
        try:
            await self._envelope(client, letter)
        except aiosmtplib.SMTPResponseException as error:
            if error.code in OF_THE_SERVER:
                self._close()
                raise self._server.away(_explained(error)) from error
            return await self._refused(client, error)
        except _LOST as error:
            self._close()
            raise Away(_explained(error)) from error
        return await self._data(client, letter)

    async def _envelope(self, client: aiosmtplib.SMTP, letter: Letter) -> None:
        options, encoding = (["SMTPUTF8"], "utf-8") if letter.international else ([], "ascii")
        await client.mail(letter.sender, options=options, encoding=encoding)
        await client.rcpt(letter.recipient, encoding=encoding)

    async def _data(self, client: aiosmtplib.SMTP, letter: Letter) -> Result:
        try:
            response = await client.data(letter.content, timeout=DATA_SECONDS)
        except aiosmtplib.SMTPDataError as error:
            return await self._refused(client, error)
        except (aiosmtplib.SMTPResponseException, *_LOST) as error:
            self._close()
            return Ambiguous(f"after the mail was handed over: {_explained(error)}")
        self._server.works()
        return Sent(f"{response.code} {response.message}")

    async def _refused(
        self, client: aiosmtplib.SMTP, error: aiosmtplib.SMTPResponseException
    ) -> Result:
        """The connection stays good for the next mail, unless the server is closing it."""
        self._server.works()
        try:
            if error.code in OF_THE_SERVER:
                self._close()
            else:
                await client.rset()
        except (aiosmtplib.SMTPException, OSError):
            self._close()
        return Refused(error.code, error.message)

    def _close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._client = None


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
