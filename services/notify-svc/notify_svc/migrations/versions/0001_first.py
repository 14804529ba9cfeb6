"""Deliveries."""

from deskwire import migrations
from deskwire.messaging import schema

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE deliveries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    entry_id bigint NOT NULL,
    ticket_id bigint NOT NULL,
    template text NOT NULL,
    recipient text NOT NULL,
    message_id text NOT NULL,
    context text NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'uncertain')),
    attempts integer NOT NULL DEFAULT 0,
    ambiguous integer NOT NULL DEFAULT 0,
    next_attempt_at timestamptz DEFAULT now(),
    leased_by uuid,
    lease_until timestamptz,
    answer text,
    created_at timestamptz NOT NULL DEFAULT now(),
    queued_at timestamptz NOT NULL DEFAULT now(),
    sent_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT deliveries_once UNIQUE (entry_id, template, recipient),
    CONSTRAINT deliveries_sending_is_leased
        CHECK ((state = 'sending') = (leased_by IS NOT NULL AND lease_until IS NOT NULL))
);
CREATE INDEX deliveries_due ON deliveries (next_attempt_at, id)
    WHERE state IN ('queued', 'uncertain');
CREATE INDEX deliveries_in_order ON deliveries (ticket_id, recipient, id)
    WHERE state IN ('queued', 'sending');
CREATE INDEX deliveries_by_state ON deliveries (state, id);
"""


def upgrade() -> None:
    migrations.run_script(schema.CREATE)
    migrations.run_script(TABLES)
