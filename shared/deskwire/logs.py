"""Logs as JSON lines on standard output; context is bound around a message or request, once."""

import logging
import sys

import structlog
from structlog.tracebacks import ExceptionDictTransformer

STACKS = ExceptionDictTransformer(show_locals=False, max_frames=20)
"""Without the local variables: keys, passwords and people's words are among them."""

NOISY = ("aiormq", "aio_pika", "asyncio", "uvicorn", "uvicorn.access", "httpcore", "imap_tools")


def configure(service: str, level: str = "INFO") -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
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
