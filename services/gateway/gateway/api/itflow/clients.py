"""``clients/``."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import orjson
from fastapi import Response

from deskwire.contracts.people import ChangeClient, ClientChanges
from deskwire.contracts.records import ClientDetails
from deskwire.errors import Invalid, NotFound
from gateway.api import records
from gateway.api.clients import ClientChange, NewClient
from gateway.api.commands import perform
from gateway.api.itflow import answers, php, writes
from gateway.api.itflow.call import Call, made
from gateway.api.itflow.face import CREATE, READ, UPDATE, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Document, Table, filled, timestamps, told
from gateway.api.itflow.writes import Field, Function, change, given, line, lines, takes
from gateway.readmodel import reading


def _rate(client: Document) -> str | None:
    rate = client.get("rate")
    return f"{Decimal(rate['amount']):.2f}" if rate else None


def _currency(client: Document) -> str:
    return str((client.get("rate") or client).get("currency") or "")


TABLE = Table(
    {
        "client_id": told("id"),
        "client_name": told("name"),
        "client_type": told("type"),
        "client_website": told("website"),
        "client_referral": told("referral"),
        "client_rate": _rate,
        "client_currency_code": _currency,
        "client_net_terms": filled("net_terms", "0"),
        "client_tax_id_number": told("tax_id"),
        "client_notes": told("notes"),
        **timestamps("client"),
    }
)

_SCHEME = re.compile(r"^https?://", re.IGNORECASE)


def _website(value: Any) -> str | None:
    return _SCHEME.sub("", php.line(value)) or None


def _abbreviation(value: Any) -> str | None:
    return php.line(value)[:6].strip() or None


def _amount(value: Any) -> str:
    return f"{php.number(value):.2f}"


def _code(value: Any) -> str | None:
    return php.line(value).upper() or None


FIELDS = {
    "client_name": Field("name", php.line),
    "client_type": Field("type", line),
    "client_website": Field("website", _website, "without http:// or https://"),
    "client_referral": Field("referral", line),
    "client_net_terms": Field("net_terms", php.integer, "days"),
    "client_tax_id_number": Field("tax_id", line),
    "client_abbreviation": Field("abbreviation", _abbreviation, "six characters of it"),
    "client_is_lead": Field("lead", writes.flag, "0 or 1"),
    "client_notes": Field("notes", lines),
}
PRICE = {
    "client_rate": Field("amount", _amount, "for an hour"),
    "client_currency_code": Field("currency", _code, "ISO 4217, of the rate"),
}


async def create(call: Call) -> Response:
    """Only with a key that is not bound to a client."""
    call.caller.everywhere()
    if call.client_id or php.is_empty(php.plain(call.body.get("client_name"))):
        raise Invalid
    new = made(NewClient, **given(call.body, FIELDS), **_price(call, ClientDetails().model_dump()))
    answer = await perform(call.request, new.command())
    return answers.created(call, answer.reply.id, replayed=answer.replayed)


async def update(call: Call) -> Response:
    """What was not given stays as it is. Only with a key that is not bound to a client."""
    call.caller.everywhere()
    price: Mapping[str, Any] = {}
    if given(call.body, PRICE):
        price = _price(call, await _before(call))
    wanted = made(ClientChange, **given(call.body, FIELDS), **price)
    changes = records.given(wanted, ClientChanges)
    return await change(call, "client", ChangeClient, changes, within=None)


def archive(*, archived: bool) -> Function:
    async def function(call: Call) -> Response:
        """Only with a key that is not bound to a client."""
        call.caller.everywhere()
        return await change(call, "client", ChangeClient, {"archived": archived}, within=None)

    return function


async def _before(call: Call) -> Document:
    id = php.integer(call.body.get("client_id"))
    row = await reading.record(call.services.database, "client", id, None)
    if row is None:
        raise NotFound
    found: Document = orjson.loads(row["doc"])
    return found


def _price(call: Call, before: Document) -> dict[str, Any]:
    """The rate and its currency: of both, what was not given is as before."""
    told = given(call.body, PRICE)
    currency = told.get("currency") or before["currency"]
    amount = told.get("amount") or (before["rate"] or {}).get("amount")
    rate = {"rate": {"amount": amount, "currency": currency}} if amount else {}
    return {"currency": currency} | rate


FACES = (
    Face(
        "clients/read",
        READ,
        "clients:read",
        Reader("client", TABLE, {"client_name": "name"}),
        "One client by `client_id`, those of a name, or a list",
        {"client_id": "this one", "client_name": "the whole name", "limit": "", "offset": ""},
        gives=TABLE,
    ),
    Face(
        "clients/create",
        CREATE,
        "clients:write",
        create,
        "Make a client",
        takes(FIELDS) | takes(PRICE),
        needs=("client_name",),
    ),
    Face(
        "clients/update",
        UPDATE,
        "clients:write",
        update,
        "Change a client; what is not given stays as it is",
        {"client_id": "this one"} | takes(FIELDS) | takes(PRICE),
        needs=("client_id",),
    ),
    Face(
        "clients/archive",
        UPDATE,
        "clients:write",
        archive(archived=True),
        "Archive a client",
        {"client_id": "this one"},
        needs=("client_id",),
    ),
    Face(
        "clients/unarchive",
        UPDATE,
        "clients:write",
        archive(archived=False),
        "Take a client back from the archive",
        {"client_id": "this one"},
        needs=("client_id",),
    ),
)
