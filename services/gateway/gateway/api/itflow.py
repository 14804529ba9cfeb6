"""The face of ITFlow's API, so that scripts written for it keep working unchanged.

Its manners are other than ours: the key is in the query or the body, the body is JSON whatever its
Content-Type says, and almost every answer has the status 200.
"""

import asyncio
import json
import re
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from html import escape
from json.encoder import encode_basestring_ascii
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import OpenTicket, Priority
from deskwire.errors import Rejected, Unavailable, Unroutable
from deskwire.html import clean_text
from gateway.api.answers import whole_docs
from gateway.api.auth import Caller, caller, known_key
from gateway.api.commands import perform_on_ticket
from gateway.api.errors import RETRY_SECONDS, RateLimited, Unauthorized
from gateway.api.fields import body_of, one_line
from gateway.api.services import services
from gateway.readmodel import reading

LARGEST_LIMIT = 10_000
IN_THREAD = 100
"""More rows than this are written in a thread: the others need not wait for it."""

STATUS = {
    "open": "Open",
    "working": "Working",
    "hold": "On Hold",
    "auto-close": "Auto Close",
    "closed": "Closed",
}
PRIORITIES: dict[str, Priority] = {
    "low": "low",
    "medium": "medium",
    "high": "high",
    "urgent": "high",
}

WRONG_KEY = "Authentication failed. API key is invalid or has expired."
NO_SCOPE = "The user linked to this API key does not have permission for this action."
NOTHING_FOUND = "No resource (for this client and company) with the specified parameter(s)."
NOT_CREATED = (
    "Auth success but insert query failed, ensure ALL required variables are provided (and aren't"
    " duplicates where applicable) and database schema is up-to-date. Turn on error logging and"
    " look for 'undefined index'."
)
NO_DETAILS = "< blank >"

Parameters = Mapping[str, Any]
Ticket = Mapping[str, Any]
Headers = Mapping[str, str] | None
Function = Callable[[Request, Parameters, Parameters], Awaitable[Response]]

_INTEGER = re.compile(r"\s*([+-]?\d{1,19})")
_TAG = re.compile(r"<[!/?a-zA-Z][^>]*>?")


class Face:
    """One ``function.php``: its key and method are checked in ITFlow's order."""

    def __init__(self, path: str, method: str, required_scope: str, function: Function) -> None:
        self.path = path
        self.required_scope = required_scope
        self.method = method
        self._function = function

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        response = await self._answer(Request(scope, receive))
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if request.method not in ("GET", "POST"):
            dump = f'string({len(request.method)}) "{request.method}"\n'
            return Response(dump, 405, media_type="application/json")
        body = parsed(await request.body())
        refused = await self._authorize(request, body)
        if refused is not None:
            return refused
        if request.method != self.method:
            return failed(f"Can only send {self.method} requests to this endpoint.", 405)
        return await self._function(request, request.query_params, body)

    async def _authorize(self, request: Request, body: Parameters) -> Response | None:
        given = body.get("api_key", request.query_params.get("api_key"))
        if given is None:
            return Response(status_code=401, media_type="application/json")
        try:
            key = await known_key(request.scope, given if isinstance(given, str) else "")
        except Unauthorized:
            return failed(WRONG_KEY, 401)
        except RateLimited as error:
            return failed(str(error), 429, {"Retry-After": str(error.retry_after)})
        if not key.allows(self.required_scope):
            return failed(NO_SCOPE, 403)
        request.scope["caller"] = Caller(key)
        return None


async def read_tickets(request: Request, query: Parameters, body: Parameters) -> Response:
    """One ticket by ``ticket_id``, or a list in the order of the ids."""
    given = {**body, **query}
    within = caller(request).within
    if within is None and str(query.get("client_id", "")).strip().isdigit():
        within = integer(query["client_id"])
    rows = await _rows(request, given, within)
    if not rows:
        return failed(NOTHING_FOUND)
    docs = await whole_docs(request, rows)
    positional = services(request).settings.itflow_positional_keys
    if len(docs) > IN_THREAD:
        data = await asyncio.to_thread(_data, docs, positional=positional)
    else:
        data = _data(docs, positional=positional)
    return _json(f'{{"success":"True","count":{len(docs)},"data":[{data}]}}')


async def _rows(request: Request, given: Parameters, within: int | None) -> Sequence[Any]:
    if "ticket_id" in given:
        ticket_id = integer(given["ticket_id"])
        row = await services(request).tickets.get(ticket_id, within)
        return [] if row is None else [row]
    limit, offset = integer(given.get("limit", 50)), integer(given.get("offset", 0))
    if limit <= 0 or offset < 0:
        return []
    database, limit = services(request).database, min(limit, LARGEST_LIMIT)
    return await reading.tickets_from_offset(database, within, offset=offset, limit=limit)


async def create_ticket(request: Request, _query: Parameters, body: Parameters) -> Response:
    """The client and the team are told of it as of every other ticket."""
    try:
        answer = await perform_on_ticket(request, await _command(caller(request), body, request))
    except (Unavailable, Unroutable) as error:
        once = {"Idempotency-Key": request.scope["idempotency_key"]}
        return failed(str(error), 503, once | {"Retry-After": str(RETRY_SECONDS)})
    except (Rejected, ValueError):
        return failed(NOT_CREATED)
    return _json(
        f'{{"success":"True","count":"1","data":[{{"insert_id":{answer.reply.ticket.id}}}]}}'
    )


async def _command(by: Caller, given: Parameters, request: Request) -> OpenTicket:
    """Raises `ValueError` without a subject; ``"0"`` is as good as none to PHP."""
    subject = one_line(_TAG.sub("", text(given.get("ticket_subject"))))
    if subject == "0" or len(subject) > 500:
        raise ValueError("ticket_subject")
    details = text(given.get("ticket_details")).strip()
    body = await body_of(details) if details else Body(text=NO_DETAILS, html=NO_DETAILS)
    contact_id = integer(given.get("ticket_contact_id")) or None
    named = by.within is None or contact_id is not None
    return OpenTicket(
        subject=subject,
        body=await services(request).blobs.fold(body),
        client_id=by.within or integer(given.get("client_id")) or None,
        contact_id=contact_id,
        priority=PRIORITIES.get(text(given.get("ticket_priority")).strip().lower(), "low"),
        assigned_to=integer(given.get("ticket_assigned_to")) or None,
        author=by.agent if named else by.author(),
        within_client=by.within,
    )


def parsed(body: bytes) -> Parameters:
    """The body's JSON object; anything else is as no body at all."""
    try:
        values = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return values if isinstance(values, dict) else {}


def integer(value: Any) -> int:
    """As PHP's intval: the number at the beginning, else 0. What is negative is -1, and no id."""
    if isinstance(value, bool | int | float):
        number = int(value) if abs(value) < reading.LARGEST_ID else reading.LARGEST_ID
    else:
        found = _INTEGER.match(value) if isinstance(value, str) else None
        number = int(found[1]) if found else 0
    return max(-1, min(reading.LARGEST_ID, number))


def text(value: Any) -> str:
    if isinstance(value, str):
        return clean_text(value)
    return str(value) if isinstance(value, int | float) and not isinstance(value, bool) else ""


def failed(message: str, status: int = 200, headers: Headers = None) -> Response:
    told = json.dumps({"success": "False", "message": message}, separators=(",", ":"))
    return _json(told, status, headers)


def _json(body: str, status: int = 200, headers: Headers = None) -> Response:
    return Response(body.replace("/", "\\/"), status, headers, media_type="application/json")


def _data(docs: Sequence[str], *, positional: bool) -> str:
    row = _POSITIONAL if positional else _NAMED
    return ",".join(row.format(*_values(orjson.loads(doc))) for doc in docs)


def _values(ticket: Ticket) -> Iterator[str]:
    """What the columns hold, as PHP writes it; `_json` escapes the slashes."""
    for value_of in COLUMNS.values():
        value = value_of(ticket)
        yield "null" if value is None else encode_basestring_ascii(value)


def details_of(body: Mapping[str, Any]) -> str:
    """The body as HTML."""
    html: str | None = body["html"]
    return html if html is not None else escape(body["text"], quote=False).replace("\n", "<br>\n")


def _time(at: str | None) -> str | None:
    """RFC 3339 in UTC to ``YYYY-MM-DD HH:MM:SS``."""
    return at and f"{at[:10]} {at[11:19]}"


def _id(of: Mapping[str, Any] | None) -> str:
    return str(of["id"]) if of else "0"


def _was_updated(ticket: Ticket) -> bool:
    return bool(ticket["updated_at"] != ticket["created_at"])


def _agent(author: Mapping[str, Any] | None) -> str:
    return _id(author) if author and author["type"] == "agent" else "0"


def _nothing(_ticket: Ticket) -> None:
    """What we do not keep, where ITFlow has NULL."""


def _none(_ticket: Ticket) -> str:
    """What we do not keep, where ITFlow has the id of none."""
    return "0"


COLUMNS: dict[str, Callable[[Ticket], str | None]] = {
    "ticket_id": lambda t: str(t["id"]),
    "ticket_prefix": lambda t: str(t["prefix"]),
    "ticket_number": lambda t: str(t["number"]),
    "ticket_category": lambda t: t["category"],
    "ticket_subject": lambda t: str(t["subject"]),
    "ticket_details": lambda t: details_of(t["body"]),
    "ticket_priority": lambda t: str(t["priority"]).capitalize(),
    "ticket_status": lambda t: STATUS[t["status"]],
    "ticket_feedback": _nothing,
    "ticket_created_at": lambda t: _time(t["created_at"]),
    "ticket_updated_at": lambda t: _time(t["updated_at"]) if _was_updated(t) else None,
    "ticket_archived_at": _nothing,
    "ticket_closed_at": lambda t: _time(t["closed_at"]),
    "ticket_created_by": lambda t: _agent(t["created_by"]),
    "ticket_assigned_to": lambda t: _id(t["assigned_to"]),
    "ticket_closed_by": lambda t: _agent(t["closed_by"]),
    "ticket_vendor_id": _none,
    "ticket_client_id": lambda t: _id(t["client"]),
    "ticket_contact_id": lambda t: _id(t["contact"]),
    "ticket_location_id": _none,
    "ticket_asset_id": lambda t: _id(next(iter(t["assets"]), None)),
}
"""Of a row, in the order of the time when they also had numbers."""


def _template(*, positional: bool) -> str:
    """A row for `str.format`; the positional keys are before the names."""
    pairs = []
    for place, name in enumerate(COLUMNS):
        numbered = [f'"{place}":{{{place}}}'] if positional else []
        pairs += [*numbered, f'"{name}":{{{place}}}']
    return "{{" + ",".join(pairs) + "}}"


_POSITIONAL, _NAMED = _template(positional=True), _template(positional=False)

_ROOT = "/api/v1/tickets"
FACES = (
    Face(f"{_ROOT}/read.php", "GET", "tickets:read", read_tickets),
    Face(f"{_ROOT}/create.php", "POST", "tickets:write", create_ticket),
)
routes = [Route(face.path, face) for face in FACES]
