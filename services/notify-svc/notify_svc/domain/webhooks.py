"""What webhooks are told: that something happened and to what; who may know more asks the API."""

import base64
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from deskwire.contracts.base import Event
from deskwire.contracts.invoices import InvoiceChanged, InvoiceDrafted
from deskwire.contracts.tickets import TicketChanged, TicketMerged, TicketNoted
from deskwire.contracts.webhooks import WebhookEvent
from deskwire.errors import Invalid
from notify_svc.domain.mails import Told, entry_of

SECRET_PREFIX = "whsec_"  # noqa: S105  # what secrets begin with is none
SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Call:
    """What webhooks are told. ``event_id`` is the same however often it is told; ``internal`` is
    not for those of a client."""

    event_id: str
    event: WebhookEvent
    client_id: int | None
    internal: bool
    payload: str
    ticket_id: int | None = None


def of_ticket(event: Told, at: datetime) -> Call | None:
    """None for documents that are only told anew. A ticket's version is of one event."""
    if isinstance(event, TicketChanged) and not event.history:
        return None
    ticket, added, name = event.ticket, entry_of(event), _name(event)
    client_id = ticket.client.id if ticket.client else None
    data = {
        "ticket_id": ticket.id,
        "reference": ticket.reference,
        "version": ticket.version,
        "status": ticket.status,
        "priority": ticket.priority,
        "client_id": client_id,
        "assigned_to": ticket.assigned_to and ticket.assigned_to.id,
        "entry_id": added and added.id,
        "merged": event.source.id if isinstance(event, TicketMerged) else None,
        "changed": sorted({item.field for item in event.history}),
    }
    return Call(
        event_id=f"evt_{ticket.id}_{ticket.version}",
        event=name,
        client_id=client_id,
        internal=isinstance(event, TicketNoted),
        payload=_payload(name, at, data),
        ticket_id=ticket.id,
    )


def of_invoice(event: InvoiceDrafted | InvoiceChanged, at: datetime) -> Call | None:
    """None for what is only told anew. A client hears of what was issued."""
    what = "drafted" if isinstance(event, InvoiceDrafted) else event.what
    if what is None:
        return None
    invoice, name = event.invoice, _name(event)
    data = {
        "invoice_id": invoice.id,
        "reference": invoice.reference,
        "version": invoice.version,
        "state": invoice.state,
        "client_id": invoice.client.id,
        "total": invoice.total.model_dump(),
        "date": invoice.date.isoformat(),
        "due": invoice.due.isoformat(),
        "changed": what,
    }
    return Call(
        event_id=f"evt_invoice_{invoice.id}_{invoice.version}",
        event=name,
        client_id=invoice.client.id,
        internal=invoice.issued_at is None,
        payload=_payload(name, at, data),
    )


def _name(event: Event) -> WebhookEvent:
    name: WebhookEvent = event.wire_name.removesuffix(".v1")  # type: ignore[assignment]  # are these
    return name


def _payload(name: str, at: datetime, data: Mapping[str, Any]) -> str:
    """As standardwebhooks.com has it, thin: ids, and what decides whether to ask for more."""
    told = {"type": name, "timestamp": at.isoformat().replace("+00:00", "Z"), "data": data}
    return json.dumps(told, ensure_ascii=False)


def secret_of(random: bytes) -> str:
    return SECRET_PREFIX + base64.b64encode(random).decode()


def signature(secret: str, id: str, timestamp: int, body: bytes) -> str:
    """Version 1 of Standard Webhooks: HMAC-SHA256 over id, timestamp and body."""
    key = base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    digest = hmac.digest(key, f"{id}.{timestamp}.".encode() + body, "sha256")
    return f"v1,{base64.b64encode(digest).decode()}"


def check_url(url: str, *, private: bool) -> None:
    """Raises `Invalid`. ``private``: clear text and addresses of our own network are fine."""
    parts = urlsplit(url)
    try:
        allowed = parts.hostname and (parts.port or 1)
    except ValueError:
        allowed = None
    if not allowed or parts.username or parts.scheme not in ("https", "http"):
        raise Invalid("must be as in https://example.com/hook", field="url")
    if private:
        return
    if parts.scheme != "https":
        raise Invalid("must begin with https://", field="url")
    if not is_public(str(parts.hostname)):
        raise Invalid("must not be an address of a private network", field="url")


def is_public(host: str) -> bool:
    """Whether it is a name, which may be anything until it is looked up, or a public address."""
    try:
        address = ip_address(host)
    except ValueError:
        return host != "localhost" and not host.endswith(".localhost")
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_global and not mapped.is_multicast
