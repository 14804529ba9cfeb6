"""The mails of tickets, those that came in and those that went out in one row."""

from typing import Any

from sqlalchemy import JSON, ColumnElement, Select, Table, cast, func, literal, select, union_all

from deskwire.columns import TIME
from gateway.readmodel.tables.mails import deliveries, inbound


def _mails(direction: str, id: Any, at: ColumnElement[Any], table: Table) -> Select[Any]:
    doc = literal(f'{{"direction":"{direction}",') + func.substr(table.c.doc, 2)
    return select(id.label("id"), table.c.ticket_id, at.label("at"), doc.label("doc"))


_QUEUED_AT = cast(cast(deliveries.c.doc, JSON)["created_at"].as_string(), TIME)

# An expression that no index has: the few of a ticket are found, and not looked for in their order.
_SEEN_AT = func.greatest(inbound.c.seen_at)

# What came in has its id below zero, so that no two have the same.
MAILS_OF_TICKETS = union_all(
    _mails("in", -inbound.c.id, _SEEN_AT, inbound),
    _mails("out", deliveries.c.id, _QUEUED_AT, deliveries).where(deliveries.c.channel == "mail"),
).subquery("mails")
