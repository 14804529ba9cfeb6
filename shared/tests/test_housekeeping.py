"""Old rows go, young ones and unpublished ones stay."""

from uuid import uuid4

from deskwire import db
from deskwire.messaging.housekeeping import tidy
from deskwire.testing import FreshDatabase


async def test_only_what_is_old_and_done_is_removed(fresh_database: FreshDatabase) -> None:
    async with db.connect(fresh_database("scheduler_svc")) as database:
        await database.pool.executemany(
            """
            INSERT INTO outbox (message_id, type, aggregate, body, correlation_id, causation_id,
                                traceparent, created_at, published_at)
            VALUES ($1, $2, '', '', '', '', '', now() - interval '99 days',
                    now() - make_interval(days => $3))
            """,
            [(uuid4(), "old", 8), (uuid4(), "young", 6), (uuid4(), "unpublished", None)],
        )
        await database.pool.executemany(
            "INSERT INTO inbox (consumer, message_id, handled_at)"
            " VALUES ($1, $2, now() - make_interval(days => $3))",
            [("old", uuid4(), 31), ("young", uuid4(), 29)],
        )
        await tidy(database)
        outbox = await database.pool.fetch("SELECT type FROM outbox ORDER BY id")
        inbox = await database.pool.fetch("SELECT consumer FROM inbox")
    assert [row["type"] for row in outbox] == ["young", "unpublished"]
    assert [row["consumer"] for row in inbox] == ["young"]
