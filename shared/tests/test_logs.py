"""A line says of which message it is, while one is handled."""

import json
import logging

import pytest
import structlog

from deskwire import logs
from deskwire.messaging.envelope import Envelope, current


def test_a_line_has_the_message_that_is_handled(capsys: pytest.CaptureFixture[str]) -> None:
    before = structlog.get_config()
    logs.configure("test-svc")
    try:
        log, envelope = structlog.get_logger(), Envelope("mail.received.v1", b"{}", traceparent="0")
        log.info("idle")
        token = current.set(envelope)
        log.info("at work", type="other")
        current.reset(token)
    finally:
        structlog.configure(**before)
        structlog.contextvars.clear_contextvars()
    idle, at_work = map(json.loads, capsys.readouterr().out.splitlines())
    assert (idle["event"], idle["service"], "message_id" in idle) == ("idle", "test-svc", False)
    assert (at_work["message_id"], at_work["type"]) == (str(envelope.id), "other")


def test_what_the_pool_says_of_an_outage_is_no_line_of_its_own() -> None:
    """We log the outage ourselves; this would be a traceback on standard error."""
    before = structlog.get_config()
    logs.configure("test-svc")
    structlog.configure(**before)
    structlog.contextvars.clear_contextvars()
    assert not logging.getLogger("asyncpg.pool").isEnabledFor(logging.WARNING)
