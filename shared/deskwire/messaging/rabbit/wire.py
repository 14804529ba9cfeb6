"""Envelope to AMQP properties and back."""

from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_OID, UUID, uuid5

from aiormq.abc import DeliveredMessage
from pamqp import decode
from pamqp.commands import Basic

from deskwire.messaging.envelope import Envelope

PERSISTENT = 2


def properties(envelope: Envelope, **more: Any) -> Basic.Properties:
    return Basic.Properties(
        content_type="application/json",
        delivery_mode=PERSISTENT,
        message_id=str(envelope.id),
        message_type=envelope.type,
        headers={
            "aggregate": envelope.aggregate,
            "correlation-id": envelope.correlation_id,
            "causation-id": envelope.causation_id,
            "traceparent": envelope.traceparent,
        },
        **more,
    )


def envelope(message: DeliveredMessage) -> Envelope:
    told = message.header.properties
    headers = told.headers or {}
    return Envelope(
        type=_text(told.message_type or ""),
        body=bytes(message.body),
        id=_message_id(told.message_id, message.body),
        aggregate=_text(headers.get("aggregate", "")),
        correlation_id=_text(headers.get("correlation-id", "")),
        causation_id=_text(headers.get("causation-id", "")),
        traceparent=_text(headers.get("traceparent", "")),
    )


def _text(told: Any) -> str:
    return str(told).replace("\0", "")


def _message_id(told: str | None, body: bytes) -> UUID:
    """A stranger's message may have no usable id: its content then names it."""
    try:
        return UUID(told or "")
    except ValueError:
        return uuid5(NAMESPACE_OID, (told or "") + bytes(body).hex())


def _short_string(value: bytes) -> tuple[int, str]:
    end = value[0] + 1
    return end, value[1:end].decode("utf-8", "replace")


def _table(value: bytes) -> tuple[int, Any]:
    try:
        return decode.field_table(value)
    except (ValueError, OverflowError):
        return 4 + int.from_bytes(value[:4]), {}


def _timestamp(value: bytes) -> tuple[int, datetime]:
    try:
        return decode.timestamp(value)
    except (ValueError, OverflowError, OSError):
        return 8, datetime.fromtimestamp(0, UTC)


# pamqp ends the connection at a property that it cannot decode; the message is delivered again on
# the next one, and so on, until the innocent ones behind it have used up their deliveries.
decode.METHODS |= {"shortstr": _short_string, "table": _table, "timestamp": _timestamp}
