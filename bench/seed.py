"""100,000 tickets, in the ticket service's tables and in the gateway's read model alike."""

from datetime import UTC, datetime

from bench.rig import Rig
from deskwire.contracts.actors import Author, Named, Person
from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import Ticket

TICKETS = 100_000
NUMBER = 987654321  # stands for the number in the template of a document

OWNER = """
WITH made AS (
    INSERT INTO tickets (number, prefix, subject, status, priority, source, client_id, contact_id,
                         watchers, tags, billable, created_by, created_at, updated_at)
    SELECT n, 'TCK-', 'Ticket ' || n, (ARRAY['open', 'working', 'hold', 'closed'])[1 + n %% 4],
           'low', 'api', 1, 1, '{}', '{}', false, '{"type": "system"}', t, t
    FROM generate_series(1, %d) n,
         LATERAL (SELECT now() - make_interval(mins => %d - n) AS t) at
    RETURNING id, created_at
), entry AS (
    INSERT INTO entries (ticket_id, origin_ticket_id, kind, opening, author, body_text, via,
                         created_at)
    SELECT id, id, 'public', true, '{"type": "system"}', repeat('It is on fire. ', 20), 'api',
           created_at FROM made
)
UPDATE counters SET value = %d WHERE name = 'ticket'
"""

READ_MODEL = """
WITH made AS (
    INSERT INTO tickets (id, number, reference, status, priority, client_id, source, created_at,
                         updated_at, version, doc, lookups)
    SELECT n, n, 'TCK-' || n, (ARRAY['open', 'working', 'hold', 'closed'])[1 + n % 4], 'low', 1,
           'api', t, t, 1, replace($1, $2, n::text), '{contact:1}'
    FROM generate_series(1, $4::int) n,
         LATERAL (SELECT now() - make_interval(mins => $4::int - n) AS t) at
    RETURNING id, created_at
)
INSERT INTO entries (id, ticket_id, kind, created_at, version, doc)
SELECT id, id, 'public', created_at, 1, replace($3, $2, id::text) FROM made
"""


async def seed(rig: Rig) -> None:
    ticket, entry = documents()
    await rig.query("ticket-svc", OWNER % (TICKETS, TICKETS, TICKETS))
    await rig.query("gateway", READ_MODEL, ticket, str(NUMBER), entry, TICKETS)
    for service in ("ticket-svc", "gateway"):
        await rig.query(service, "ANALYZE")


def documents() -> tuple[str, str]:
    now = datetime.now(UTC)
    system, body = Author(type="system"), Body(text="It is on fire. " * 20)
    ticket = Ticket(
        id=NUMBER,
        number=NUMBER,
        prefix="TCK-",
        reference=f"TCK-{NUMBER}",
        subject=f"Ticket {NUMBER}",
        body=body,
        status="open",
        priority="low",
        source="api",
        client=Named(id=1, name="Example Client"),
        contact=Person(id=1, name="Alice Client", email="alice@client.test"),
        entry_count=1,
        created_at=now,
        created_by=system,
        updated_at=now,
        version=1,
    )
    entry = Entry(
        id=NUMBER,
        ticket_id=NUMBER,
        origin_ticket_id=NUMBER,
        kind="public",
        opening=True,
        author=system,
        body=body,
        via="api",
        created_at=now,
    )
    return ticket.model_dump_json(), entry.model_dump_json()
