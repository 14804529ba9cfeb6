"""Logs as JSON lines on standard output, with the message that is being handled."""

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer
from structlog.typing import EventDict

from deskwire.messaging.envelope import current

STACKS = ExceptionDictTransformer(show_locals=False, max_frames=20)
"""Without the local variables: keys, passwords and people's words are among them."""

NOISY = (
    "aiormq",
    "aio_pika",
    "asyncio",
    "asyncpg",
    "uvicorn",
    "uvicorn.access",
    "httpcore",
    "imap_tools",
)


def configure(service: str, level: str = "INFO") -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            add_message,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.ExceptionRenderer(STACKS),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def add_message(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Looked up when there is a line: binding it costs each message as much as its metrics do."""
    if (envelope := current.get()) is not None:
        event.setdefault("message_id", str(envelope.id))
        event.setdefault("type", envelope.type)
        event.setdefault("trace_id", envelope.traceparent[3:35])
    return event
