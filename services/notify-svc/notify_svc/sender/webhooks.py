"""Webhooks over HTTP: no redirect is followed, and no address of our own network is called."""

import asyncio
import socket
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

import httpx2

from deskwire.db import Database
from notify_svc.domain.attempts import Deferred, Result, Sent, Unsendable
from notify_svc.domain.webhooks import is_public, signature
from notify_svc.rendering.letter import CannotRender, Letter
from notify_svc.store import webhooks
from notify_svc.store.deliveries import Claimed

SECONDS = 15.0
"""Whoever needs longer should answer first and work then."""

REST_SECONDS = 30.0
"""So long one that cannot be reached is not tried, so that others need not wait for it."""

ANSWER_BYTES = 200


class WebhookWriter:
    def __init__(self, database: Database) -> None:
        self._database = database

    def expect(self, claims: Sequence[Claimed]) -> None:
        """Whether a webhook is on is asked when it is its turn."""

    async def letter(self, claimed: Claimed) -> Letter:
        id = int(claimed.recipient.removeprefix("webhook:"))
        row = await self._database.fetch_one(webhooks.TARGET, id=id)
        if row is None or not row["live"]:
            raise CannotRender("the webhook is switched off")
        return Letter(
            name=claimed.message_id,
            sender="",
            recipient=row["url"],
            content=claimed.context.encode(),
            secret=row["secret"],
        )


class WebhookServer:
    """All that are called; ``private``: those in our own network, too."""

    def __init__(self, *, private: bool) -> None:
        self.private = private
        self._resting: dict[str, tuple[float, str]] = {}

    def line(self) -> "WebhookLine":
        return WebhookLine(self)

    def rests(self, url: str) -> str | None:
        """Why it is not tried for now."""
        until, reason = self._resting.get(url, (0.0, ""))
        return reason if time.monotonic() < until else None

    def let_rest(self, url: str, reason: str) -> None:
        now = time.monotonic()
        self._resting = {url: rest for url, rest in self._resting.items() if rest[0] > now}
        self._resting[url] = now + REST_SECONDS, reason


class WebhookLine:
    handing_over = True  # a call is short

    def __init__(self, server: WebhookServer) -> None:
        self._server = server
        self._client: httpx2.AsyncClient | None = None

    async def send(self, letter: Letter) -> Result:
        if reason := self._server.rests(letter.recipient):
            return Deferred(reason)
        try:
            async with asyncio.timeout(SECONDS):
                return await self._post(letter)
        except (httpx2.HTTPError, OSError, TimeoutError) as error:
            reason = str(error) or type(error).__name__
            self._server.let_rest(letter.recipient, reason)
            return Deferred(reason)
        except (httpx2.InvalidURL, UnicodeError, ValueError) as error:
            return Unsendable(f"{letter.recipient}: {error}")

    async def rest(self) -> None:
        if self._client is not None:
            await self._client.aclose()
        self._client = None

    async def _post(self, letter: Letter) -> Result:
        url = httpx2.URL(letter.recipient)
        addresses = await _addresses(letter.recipient)
        if not self._server.private and not all(map(is_public, addresses)):
            return Unsendable(f"{url.host} is in a private network")
        request = self._open().build_request(
            "POST",
            url.copy_with(host=addresses[0]),  # what was looked at is what is called
            content=letter.content,
            headers=_headers(letter) | {"Host": url.netloc.decode()},
            extensions={"sni_hostname": url.host},
        )
        response = await self._open().send(request, stream=True)
        try:
            return _judged(response.status_code, await _beginning(response))
        finally:
            await response.aclose()

    def _open(self) -> httpx2.AsyncClient:
        if self._client is None:
            self._client = httpx2.AsyncClient(
                timeout=SECONDS, follow_redirects=False, trust_env=False
            )
        return self._client


def _headers(letter: Letter) -> dict[str, str]:
    now = int(time.time())
    return {
        "Content-Type": "application/json",
        "User-Agent": "Deskwire-Webhooks/1",
        "webhook-id": letter.name,
        "webhook-timestamp": str(now),
        "webhook-signature": signature(letter.secret, letter.name, now, letter.content),
    }


async def _addresses(url: str) -> Sequence[str]:
    parts = urlsplit(url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    found = await asyncio.get_running_loop().getaddrinfo(
        parts.hostname, port, type=socket.SOCK_STREAM
    )
    return list(dict.fromkeys(str(each[4][0]) for each in found))


async def _beginning(response: httpx2.Response) -> str:
    read = b""
    async for chunk in response.aiter_raw():
        read += chunk
        if len(read) >= ANSWER_BYTES:
            break
    return " ".join(read[:ANSWER_BYTES].decode("utf-8", "replace").split())


def _judged(status: int, text: str) -> Result:
    """Only who says that it is gone for good (410) is not asked again."""
    answer = f"{status} {text}".rstrip()
    if 200 <= status < 300:
        return Sent(answer)
    if status == 410:
        return Unsendable(answer)
    if 300 <= status < 400:
        return Deferred(f"{status}: redirects are not followed")
    return Deferred(answer)
