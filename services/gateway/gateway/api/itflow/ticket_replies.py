"""``ticket_replies/``: read, add. What a ticket was opened with is no reply to ITFlow."""

import re
from collections.abc import Sequence
from typing import Any

from fastapi import Response

from deskwire.blobs import fresh_place
from deskwire.contracts.terms import EntryKind, Status
from deskwire.contracts.ticket_commands import AddEntry
from deskwire.errors import Forbidden, Invalid, NotFound
from gateway.api.answers import whole_docs
from gateway.api.commands import perform
from gateway.api.fields import body_of
from gateway.api.itflow import answers, php
from gateway.api.itflow.call import Call, made
from gateway.api.itflow.face import CREATE, READ, Face
from gateway.api.itflow.rows import Document, Table, id_of
from gateway.readmodel import offsets, outside

TYPES: dict[str, EntryKind] = {"internal": "internal", "public": "public", "client": "client"}
STATUSES: dict[str, Status] = {
    "1": "open",
    "2": "open",
    "3": "hold",
    "4": "closed",
    "5": "closed",
    "open": "open",
    "working": "working",
    "on hold": "hold",
    "auto close": "auto-close",
    "closed": "closed",
}
"""ITFlow's ids (New, Open, On Hold, Resolved, Closed), and the names that our rows have."""

_TIME = re.compile(r"([0-9]{1,3}):([0-5][0-9]):([0-5][0-9])")


async def read(call: Call) -> Response:
    """One reply by its id, those of a ticket, or a list; in the order of the ids."""
    found = await _found(call)
    if not found:
        raise NotFound
    docs = await whole_docs(call.request, found)
    if not call.caller.sees_internal:
        docs = [outside.entry(doc) for doc in docs]
    rows = zip(docs, found, strict=True)
    joined = [f'{{"entry":{doc},"ticket":{row["ticket"]}}}' for doc, row in rows]
    return await answers.rows(call, TABLE, joined)


async def _found(call: Call) -> Sequence[Any]:
    if call.page is None:
        return []
    offset, limit = call.page
    wanted = offsets.Replies(
        kinds=_kinds(call),
        redacted=php.integer(call.given("include_archived")) == 1,
        within=call.within,
        offset=offset,
        limit=limit,
    )
    database = call.services.database
    reply_id, ticket_id = call.given("ticket_reply_id"), call.given("ticket_id")
    if reply_id is not None:
        return await offsets.reply(database, php.integer(reply_id), wanted)
    if ticket_id is not None:
        return await offsets.replies_of_ticket(database, php.integer(ticket_id), wanted)
    return await offsets.replies(database, wanted)


def _kinds(call: Call) -> list[EntryKind]:
    """Those that are wanted of those that the key may see."""
    given = call.given("type")
    wanted = list(TYPES.values()) if given is None else [TYPES.get(php.line(given).lower())]
    seen = call.caller.sees_internal
    return [kind for kind in wanted if kind is not None and (seen or kind != "internal")]


async def create(call: Call) -> Response:
    """A public one is mailed to the contact and the watchers, as every public entry."""
    text = php.text(call.body.get("ticket_reply")).strip()
    if php.is_empty(text):
        raise Invalid("ticket_reply")
    kind, by = _kind(call), call.caller
    command = made(
        AddEntry,
        ticket_id=php.integer(call.body.get("ticket_id")),
        kind=kind,
        body=await call.services.blobs.fold(await body_of(text), fresh_place()),
        author=by.author(client=kind == "client"),
        through=by.through,
        status=STATUSES.get(php.line(call.body.get("ticket_status")).lower()),
        time_worked=_seconds(call.body.get("ticket_reply_time_worked")),
        within_client=call.client_id or None,
    )
    if by.within is not None and (command.status is not None or command.time_worked):
        raise Forbidden
    answer = await perform(call.request, command)
    return answers.created(call, answer.reply.entry.id, replayed=answer.replayed)


def _kind(call: Call) -> EntryKind:
    """Internal unless it is to be public. With a client's own key it is the client's word: what
    was meant for the team alone is refused."""
    wanted = TYPES.get(php.line(call.body.get("ticket_reply_type")).lower())
    if call.caller.within is None:
        return "public" if wanted == "public" else "internal"
    if wanted == "internal":
        raise Forbidden
    return "client"


def _seconds(time: Any) -> int:
    found = _TIME.fullmatch(php.text(time).strip())
    if not found:
        return 0
    hours, minutes, seconds = map(int, found.groups())
    return hours * 3600 + minutes * 60 + seconds


def _by(entry: Document) -> str:
    """An agent of the team's replies, a contact of the client's."""
    author = "contact" if entry["kind"] == "client" else "agent"
    return id_of(entry["author"]) if entry["author"]["type"] == author and _known(entry) else "0"


def _known(entry: Document) -> bool:
    return entry["author"]["id"] is not None


TABLE = Table(
    {
        "ticket_reply_id": lambda r: str(r["entry"]["id"]),
        "ticket_reply": lambda r: php.html(r["entry"]["body"]),
        "ticket_reply_type": lambda r: str(r["entry"]["kind"]).capitalize(),
        "ticket_reply_time_worked": lambda r: php.duration(r["entry"]["time_worked"]),
        "ticket_reply_created_at": lambda r: php.time(r["entry"]["created_at"]),
        "ticket_reply_updated_at": lambda r: php.time(r["entry"]["edited_at"]),
        "ticket_reply_archived_at": lambda r: php.time(r["entry"]["redacted_at"]),
        "ticket_reply_by": lambda r: _by(r["entry"]),
        "ticket_reply_ticket_id": lambda r: str(r["entry"]["ticket_id"]),
        "ticket_prefix": lambda r: str(r["ticket"]["prefix"]),
        "ticket_number": lambda r: str(r["ticket"]["number"]),
        "ticket_subject": lambda r: str(r["ticket"]["subject"]),
        "ticket_client_id": lambda r: id_of(r["ticket"]["client"]),
        "ticket_reply_by_name": lambda r: r["entry"]["author"]["name"] or None,
    }
)

FACES = (
    Face(
        "ticket_replies/read",
        READ,
        "tickets:read",
        read,
        "One reply by `ticket_reply_id`, those of a ticket by `ticket_id`, or a list",
        {
            "ticket_reply_id": "this one",
            "ticket_id": "those of this ticket",
            "type": "Public, Internal or Client",
            "include_archived": "1: redacted ones too",
            "client_id": "of this client",
            "limit": "",
            "offset": "",
        },
        gives=TABLE,
    ),
    Face(
        "ticket_replies/create",
        CREATE,
        "tickets:write",
        create,
        "Reply to a ticket, or add a note to it",
        {
            "ticket_id": "",
            "client_id": "that of the ticket; 0 or none: it is not looked at",
            "ticket_reply": "text or HTML",
            "ticket_reply_type": "Internal or Public, which is mailed; Internal without",
            "ticket_reply_time_worked": "H:MM:SS",
            "ticket_status": "1 and 2 Open, 3 On Hold, 4 and 5 Closed, or the name",
        },
        needs=("ticket_id", "ticket_reply"),
    ),
)
