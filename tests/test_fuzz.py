"""The API, called in all the ways that its OpenAPI document allows, and in others: schemathesis."""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from whole import Whole, told, whole

from deskwire.testing import FreshDatabase
from gateway.api import openapi_document, services
from gateway.api.openapi import KEY
from gateway.rates import Rate

GIVEN = os.environ.get("DESKWIRE_FUZZ_SECONDS")
SECONDS = int(GIVEN or "25")
"""Without any given, the same calls are made each time, as far as they go."""

ENDLESS = "/api/v1/events"
"""Its answer has no end: `test_events.py` reads it."""

LEFT_OUT = {"api_key", "message/rfc822"}

KEEP_THE_KEY = (
    """
    CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS
        'BEGIN NEW.revoked_at := NULL; RETURN NEW; END'
    """,
    """
    CREATE TRIGGER keep BEFORE UPDATE ON api_keys
        FOR EACH ROW WHEN (OLD.name = 'tests') EXECUTE FUNCTION keep()
    """,
)
"""The key that all of it is called with is not revoked on the way."""


@pytest.mark.timeout(SECONDS + 300)
async def test_every_answer_is_as_described(
    fresh_database: FreshDatabase, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(services, "WRONG_KEYS", Rate(1_000_000, 60))
    async with whole(fresh_database, told(f"memory://{uuid4()}", tmp_path)) as running:
        for statement in KEEP_THE_KEY:
            await running.query("gateway", statement)
        status, output = await fuzz(running, tmp_path)
        assert status == 0, output
        assert (await running.api("GET", "/tickets")).status == 200


def described(value: Any) -> Any:
    """The document, without what random texts only get wrong: the Idempotency-Keys of other
    requests, keys in the bodies of ITFlow's calls, which would win over the right one; mails."""
    if isinstance(value, dict):
        return {name: described(each) for name, each in value.items() if name not in LEFT_OUT}
    if isinstance(value, list):
        return [described(each) for each in value if each != KEY]
    return value


async def fuzz(running: Whole, folder: Path) -> tuple[int | None, str]:
    document = folder / "openapi.json"
    document.write_text(json.dumps(described(openapi_document())))
    config = str(Path(__file__).with_name("schemathesis.toml"))
    command = [
        *(sys.executable, "-m", "schemathesis.cli", "--config-file", config, "run", str(document)),
        *("--url", f"http://127.0.0.1:{running.told['port']}", "--exclude-path", ENDLESS),
        *(
            "--max-time",
            str(SECONDS),
            "--request-timeout",
            "20",
            "--no-color",
            "--continue-on-failure",
        ),
        *os.environ.get("FUZZ_ARGS", "").split(),
    ]
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=os.environ | {"DESKWIRE_FUZZ_KEY": running.key},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()
