"""A message as it travels: its body and what is said about it."""

import re
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cached_property
from random import getrandbits
from uuid import UUID, uuid4

from deskwire.contracts.base import MESSAGE_BYTES, MESSAGES, Message
from deskwire.errors import Invalid, UnknownMessage, Unreadable


@dataclass(frozen=True)
class Envelope:
    """``id`` names the message for ever: a repeated id is the same message."""

    type: str
    body: bytes
    id: UUID = field(default_factory=uuid4)
    aggregate: str = ""
    correlation_id: str = ""
    causation_id: str = ""
    traceparent: str = ""

    @cached_property
    def message(self) -> Message:
        """The body, decoded once for all queues of this process that take it.

        Raises `UnknownMessage` or `Unreadable`.
        """
        message_class = MESSAGES.get(self.type)
        if message_class is None:
            raise UnknownMessage(f"nobody here knows {self.type or 'a message without a type'}")
        try:
            return message_class.model_validate_json(self.body)
        except ValueError as error:
            raise Unreadable(f"{self.type}: {error}") from error


_TRACEPARENT = re.compile(r"00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")

current: ContextVar[Envelope | None] = ContextVar("envelope", default=None)
"""The message being handled: what it causes carries on its correlation and trace."""


def wrap(message: Message, *, id: UUID | None = None) -> Envelope:
    body = message.model_dump_json().encode()
    if len(body) > MESSAGE_BYTES:
        raise Invalid(f"{message.wire_name} is larger than {MESSAGE_BYTES} bytes")
    message_id = id or uuid4()
    cause = current.get()
    return Envelope(
        type=message.wire_name,
        body=body,
        id=message_id,
        aggregate=message.aggregate,
        correlation_id=cause.correlation_id if cause else str(message_id),
        causation_id=str(cause.id) if cause else "",
        traceparent=_child(cause.traceparent) if cause else new_traceparent(),
    )


def new_traceparent() -> str:
    """W3C Trace Context, version 00."""
    return f"00-{getrandbits(128):032x}-{_span()}-01"


def _child(traceparent: str) -> str:
    if not _TRACEPARENT.fullmatch(traceparent):
        return new_traceparent()
    return f"{traceparent[:36]}{_span()}{traceparent[52:]}"


def _span() -> str:
    return f"{getrandbits(64):016x}"
