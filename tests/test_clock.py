"""Things at their time, from outside: HTTP, mail in over Dovecot, mail out to an SMTP server.

Hours pass by moving what is kept of the future back: nobody waits for them.
"""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from whole import Whole, told, until, whole

from deskwire import db
from deskwire.testing import FreshDatabase
from gateway.keys import create_key

SCHEDULES = "/scheduled-tickets"


@pytest.fixture
async def running(fresh_database: FreshDatabase, tmp_path: Path) -> AsyncIterator[Whole]:
    async with whole(fresh_database, told(f"memory://{uuid4()}", tmp_path)) as running:
        yield running


async def test_a_schedule_from_its_first_to_its_last_day(running: Whole) -> None:
    ticket = {"subject": "Backups", "body": "All.", "client_id": running.client_id}
    made = await running.created(
        SCHEDULES,
        {
            "name": "Backups",
            "rrule": "FREQ=MONTHLY;BYMONTHDAY=-1",
            "timezone": "Europe/Berlin",
            "starts_at": "2030-01-31T08:00:00Z",
            "days_off": "before",
            "lead_seconds": 3600,
            "rotation": [1],
            "ticket": ticket,
        },
    )
    path = f"{SCHEDULES}/{made['id']}"
    days = (await running.api("GET", f"{path}/preview?count=3")).json["data"]
    assert [day["occurrence"] for day in days] == [
        "2030-01-31T09:00",
        "2030-02-28T09:00",
        "2030-03-29T09:00",  # a Friday
    ]
    assert days[0]["opens_at"] == made["next_run_at"] == "2030-01-31T07:00:00Z"

    assert (await running.api("PATCH", path, {"name": "B"}, If_Match='"9"')).status == 412
    patched = (await running.api("PATCH", path, {"rrule": None, "every": "monthly"})).json
    assert (patched["every"], patched["rrule"], patched["version"]) == ("monthly", None, 2)
    refused = await running.api("PATCH", path, {"timezone": "Europe/Atlantis"})
    assert (refused.status, refused.json["errors"][0]["field"]) == (422, "timezone")
    assert (await running.api("POST", f"{path}/pause")).json["state"] == "paused"
    assert (await running.api("POST", f"{path}/resume")).json["state"] == "active"

    ran = await running.api("POST", f"{path}/run")
    assert (ran.status, ran.json["runs"]) == (202, 1)
    (opened,) = await until(running.tickets)
    assert (opened["source"], opened["assigned_to"]["name"]) == ("schedule", "Ann")

    async with db.connect(running.urls["gateway"], size=1) as database:
        other = await create_key(database, "o", scopes=["admin"], client_id=running.client_id + 1)
    for method, place in (("GET", path), ("POST", f"{path}/run"), ("DELETE", path)):
        foreign = await running.api(method, place, Authorization=f"Bearer {other}")
        assert foreign.status == 404, place
    assert (await running.api("DELETE", path)).json["deleted_at"]
    assert (await running.api("GET", path)).status == 404
    assert (await running.api("GET", SCHEDULES)).json["data"] == []
    assert (await running.api("POST", f"{path}/run")).status == 404


REFUSED: tuple[tuple[dict[str, Any], str], ...] = (
    ({"cron": "* * * * *"}, "cron"),
    ({"rrule": "FREQ=SECONDLY", "starts_at": "2030-01-01T00:00:00Z"}, "rrule"),
    ({"rrule": "FREQ=DAILY;" * 1000, "starts_at": "2030-01-01T00:00:00Z"}, "rrule"),
    ({"cron": "0 9 30 2 *"}, "cron"),
    ({"every": "daily", "starts_at": "2030-01-01T00:00:00Z"}, "every"),
    ({"every": "weekly"}, "starts_at"),
    (
        {
            "every": "weekly",
            "starts_at": "2030-01-02T00:00:00Z",
            "ends_at": "2030-01-01T00:00:00Z",
        },
        "ends_at",
    ),
    ({"cron": "0 9 * * *", "timezone": "Europe/Atlantis"}, "timezone"),
    ({"cron": "0 9 * * *", "count": 0}, "count"),
    ({"cron": "0 9 * * *", "lead_seconds": -1}, "lead_seconds"),
    ({"cron": "0 9 * * *", "days_off": "maybe"}, "days_off"),
)


async def test_what_cannot_be_is_refused(running: Whole) -> None:
    for timing, field in REFUSED:
        body = {"name": "x", "ticket": {"subject": "x", "body": "x"}} | timing
        refused = await running.api("POST", SCHEDULES, body)
        assert refused.status == 422, (timing, refused.body)
        assert refused.json["errors"][0]["field"].rpartition(".")[2] == field
