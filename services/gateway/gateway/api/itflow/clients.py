"""``clients/``."""

from decimal import Decimal

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Document, Table, filled, timestamps, told


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
)
