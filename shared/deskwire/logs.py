"""Logs as JSON lines on standard output; context is bound around a message or request, once."""

import logging
import sys

import structlog

NOISY = ("aiormq", "aio_pika", "asyncio", "uvicorn", "uvicorn.access", "httpcore", "imap_tools")


def configure(service: str, level: str = "INFO") -> None:
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True, key="ts"),
            structlog.processors.dict_tracebacks,
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level]),
        logger_factory=structlog.PrintLoggerFactory(sys.stdout),
        cache_logger_on_first_use=False,
    )
    structlog.contextvars.bind_contextvars(service=service)
    for name in NOISY:
        logging.getLogger(name).setLevel(logging.CRITICAL)
