"""Invoices: kept and read. A client sees those that were issued, also when they are void now."""

from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts.invoices import Invoice
from deskwire.db import Database, compiled
from gateway.readmodel.documents import keep, newest, text_of
from gateway.readmodel.lists import Filter
from gateway.readmodel.tables.work import invoices

KEEP_INVOICES = newest(invoices)

_GET = compiled(
    text("""
    SELECT version, doc FROM invoices
    WHERE id = :id AND (CAST(:within AS bigint) IS NULL OR client_id = :within AND issued)
    """)
)


def invoice_row(invoice: Invoice) -> dict[str, Any]:
    return {
        "id": invoice.id,
        "number": invoice.number,
        "client_id": invoice.client.id,
        "state": invoice.state,
        "issued": invoice.issued_at is not None,
        "date": invoice.date,
        "version": invoice.version,
        "doc": text_of(invoice),
    }


async def keep_invoice(database: Database, invoice: Invoice) -> None:
    await keep(database, KEEP_INVOICES, invoice_row(invoice))


async def invoice(database: Database, id: int, within: int | None) -> asyncpg.Record | None:
    return await database.fetch_one(_GET, id=id, within=within)


def seen_by(within: int | None) -> list[Filter]:
    """What of a list is left for a key of the client; None: all of it."""
    if within is None:
        return []
    return [Filter("client_id", "one", within), Filter("issued", "one", value=True)]
