"""Server-Sent Events of what happens to tickets: https://html.spec.whatwg.org/#server-sent-events"""

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, suppress
from typing import Annotated

import structlog
from fastapi import Query, Request, Response
from prometheus_client import Counter, Gauge
from pydantic import BaseModel, ConfigDict
from starlette.types import Receive, Scope, Send

from deskwire.contracts.tickets import Ticket
from deskwire.db import Database
from deskwire.errors import Unavailable
from gateway.api import pages
from gateway.api.auth import Caller, caller, given_key, router, scope
from gateway.api.errors import Malformed, RateLimited, problem
from gateway.api.pages import Several
from gateway.api.services import Services, services
from gateway.api.streaming import SEND_SECONDS, disconnected
from gateway.feed import Listener, TooSlow
from gateway.readmodel import changes, outside
from gateway.readmodel.changes import Change, Place, Wanted

routes = router("/events", "tickets")
log = structlog.get_logger()

RETRY_MILLISECONDS = 3_000
HEARTBEAT_SECONDS = 15.0
CHECK_SECONDS = 5.0

OPEN = Gauge("deskwire_event_streams", "Open streams of events")
ENDED = Counter("deskwire_event_streams_ended", "Streams of events by why they ended", ["cause"])

SCOPE = "tickets:read"
START = {"type": "http.response.start", "status": 200}
HEADERS = [
    (b"content-type", b"text/event-stream; charset=utf-8"),
    (b"cache-control", b"no-store"),
    (b"x-accel-buffering", b"no"),  # nginx would keep events back
]
RETRY = f"retry: {RETRY_MILLISECONDS}\n\n"
RESET = 'data: {"type":"reset","ticket":null,"entry_id":null}\n\n'
LAST_EVENT_ID = {
    "name": "Last-Event-ID",
    "in": "header",
    "description": "The `id` of the last event that arrived: go on behind it",
    "schema": {"type": "string"},
}


class EventQuery(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)

    client_id: Several[pages.Id] | None = None
    ticket_id: Several[pages.Id] | None = None


class EventData(BaseModel):
    """``data`` of an event: what happened (`ticket.replied`), the ticket as it is now, and the
    entry that it happened with. The type `reset` comes without a ticket: what happened since
    Last-Event-ID is not known any more, so read anew what you keep."""

    type: str
    ticket: Ticket | None
    entry_id: int | None


class EventStream(Response):
    """Sends until the listener leaves, its key ends, it is too slow, or this process stops."""

    media_type = "text/event-stream"

    def __init__(self, at: Services, by: Caller, wanted: Wanted, after: Place | None) -> None:
        super().__init__()
        self._at = at
        self._by = by
        self._wanted = wanted
        self._after = after
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["streams"] = True
        with self._at.feed.taking_room(self._by.key.id), OPEN.track_inprogress():
            ENDED.labels(await self._until_ended(scope, receive, send)).inc()
        if not self._started:
            refused = problem(scope, Unavailable.code, "events cannot be read now")
            await refused(scope, receive, send)
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                await send({"type": "http.response.body", "body": b""})

    async def _until_ended(self, scope: Scope, receive: Receive, send: Send) -> str:
        """The name of what came to its end first."""
        work = {
            "slow": self._send_all(send),
            "left": disconnected(receive),
            "key": self._key_ended(given_key(scope["headers"])),
            "stopping": self._at.feed.closing.wait(),
        }
        tasks = [asyncio.create_task(each, name=name) for name, each in work.items()]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        ended = next(task for task in tasks if task in done)
        if error := ended.exception():
            log.warning("event stream failed", cause=str(error) or repr(error))
            return "failed"
        return ended.get_name()

    async def _send_all(self, send: Send) -> None:
        async with aclosing(_blocks(self._at, self._wanted, self._after)) as blocks:
            async for block in blocks:
                if not self._started:
                    self._started = True
                    await send(START | {"headers": [*HEADERS]})
                body = {"type": "http.response.body", "body": block.encode(), "more_body": True}
                try:
                    async with asyncio.timeout(SEND_SECONDS):
                        await send(body)
                except TimeoutError:
                    return

    async def _key_ended(self, token: str) -> None:
        """When the key was revoked, has expired, or sees something else than it did."""
        while True:
            await asyncio.sleep(CHECK_SECONDS)
            key = await self._at.keys.verify(token)
            if key is None or not key.allows(SCOPE) or key.client_id != self._by.within:
                return


@routes.get(
    "",
    status_code=200,
    response_class=EventStream,
    responses={200: {"model": EventData}},
    openapi_extra={"parameters": [LAST_EVENT_ID]},
)
@scope(SCOPE)
async def stream_events(request: Request, query: Annotated[EventQuery, Query()]) -> Response:
    """What happens to tickets, as Server-Sent Events, from now on or behind `Last-Event-ID`.

    Events are kept for 24 hours. The stream ends when the key does.
    """
    at, by = services(request), caller(request)
    after = _last_event_id(request)
    if at.feed.closing.is_set():
        raise Unavailable("this server is stopping")
    if not at.feed.has_room(by.key.id):
        raise RateLimited("too many streams are open", RETRY_MILLISECONDS // 1000)
    wanted = Wanted(by.within, query.client_id, query.ticket_id)
    return EventStream(at, by, wanted, after)


def _last_event_id(request: Request) -> Place | None:
    given = request.headers.get("last-event-id")
    if not given:
        return None
    place = Place.parse(given)
    if place is None:
        raise Malformed("not the id of an event of ours", field="Last-Event-ID")
    return place


async def _blocks(at: Services, wanted: Wanted, after: Place | None) -> AsyncGenerator[str, None]:
    """What goes out, piece by piece; the first when nothing that happens from now on is missed."""
    lost = after is not None and not await changes.resumable(at.database, after)
    heard = None if lost else after
    if heard is not None:
        yield RETRY
        async for page in _missed(at.database, wanted, heard):
            heard = page.upto
            yield await _told(at.database, wanted, page.changes)
    async with at.feed.listening() as listener:
        if heard is None:
            yield RETRY + (RESET if lost else "")
        else:  # the reader may be ahead of what was missed
            async for page in _missed(at.database, wanted, heard):
                found = [each for each in page.changes if each.place <= listener.since]
                yield await _told(at.database, wanted, found)
        heard = max(heard or listener.since, listener.since)
        yield _mark(heard)
        async for block in _heard(at.database, listener, wanted, heard):
            yield block


async def _missed(database: Database, wanted: Wanted, after: Place) -> AsyncIterator[changes.Page]:
    more = True
    while more:
        page = await changes.read(database, after, wanted)
        yield page
        after, more = page.upto, page.more


async def _heard(
    database: Database, listener: Listener, wanted: Wanted, after: Place
) -> AsyncIterator[str]:
    sent = time.monotonic()
    while True:
        try:
            found = await listener.next(HEARTBEAT_SECONDS)
        except TooSlow:
            yield ": too slow, go on with Last-Event-ID\n\n"
            return
        new = [each for each in found if each.place > after and wanted.has(each)]
        block = await _told(database, wanted, new)
        if not block and time.monotonic() - sent >= HEARTBEAT_SECONDS:
            block = ":\n" + _mark(max(after, listener.upto))
        if block:
            yield block
            sent = time.monotonic()


async def _told(database: Database, wanted: Wanted, found: Sequence[Change]) -> str:
    data: Sequence[str] = [each.data for each in found]
    if found and wanted.within is not None:
        docs = await outside.tickets(database, [each.doc for each in found])
        data = [each.with_ticket(doc) for each, doc in zip(found, docs, strict=True)]
    return "".join(
        f"id: {each.place}\ndata: {told}\n\n" for each, told in zip(found, data, strict=True)
    )


def _mark(place: Place) -> str:
    """An id without an event: a listener remembers it as its Last-Event-ID."""
    return f"id: {place}\n\n"
