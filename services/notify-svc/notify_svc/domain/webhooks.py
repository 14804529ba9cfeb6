"""What webhooks are told: that something happened and to what; who may know more asks the API."""

import base64
import hmac
import json
from datetime import datetime
from ipaddress import ip_address
from urllib.parse import urlsplit

from deskwire.contracts.tickets import TicketChanged, TicketMerged
from deskwire.contracts.webhooks import WebhookEvent
from deskwire.errors import Invalid
from notify_svc.domain.mails import Told, entry_of

SECRET_PREFIX = "whsec_"  # noqa: S105  # what secrets begin with is none
SECRET_BYTES = 32


def event_name(event: Told) -> WebhookEvent | None:
    """None for documents that are only told anew."""
    if isinstance(event, TicketChanged) and not event.history:
        return None
    name: WebhookEvent = event.wire_name.removesuffix(".v1")  # type: ignore[assignment]  # are these
    return name


def event_id(event: Told) -> str:
    """The same however often it is told: a ticket's version is of one event."""
    return f"evt_{event.ticket.id}_{event.ticket.version}"


def payload(event: Told, name: str, at: datetime) -> str:
    """As standardwebhooks.com has it, thin: ids, and what decides whether to ask for more."""
    ticket, added = event.ticket, entry_of(event)
    data = {
        "ticket_id": ticket.id,
        "reference": ticket.reference,
        "version": ticket.version,
        "status": ticket.status,
        "priority": ticket.priority,
        "client_id": ticket.client and ticket.client.id,
        "assigned_to": ticket.assigned_to and ticket.assigned_to.id,
        "entry_id": added and added.id,
        "merged": event.source.id if isinstance(event, TicketMerged) else None,
        "changed": sorted({item.field for item in event.history}),
    }
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
