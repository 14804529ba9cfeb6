"""Schedules and their occurrences."""

from deskwire import migrations
from deskwire.messaging import schema

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE schedules (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    cron text NOT NULL,
    timezone text NOT NULL,
    ticket text NOT NULL,
    state text NOT NULL DEFAULT 'active',
    next_run_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT schedules_state CHECK (state IN ('active', 'paused', 'ended')),
    CONSTRAINT schedules_next_run CHECK ((state = 'active') = (next_run_at IS NOT NULL))
);
CREATE INDEX schedules_due ON schedules (next_run_at);

CREATE TABLE occurrences (
    schedule_id bigint NOT NULL REFERENCES schedules,
    occurrence text NOT NULL,
    fired_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (schedule_id, occurrence)
);
"""


def upgrade() -> None:
    migrations.run_script(schema.CREATE)
    migrations.run_script(TABLES)
