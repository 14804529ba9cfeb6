"""Schedules by other rules than cron, with all that can be said of when; days off."""

from deskwire import migrations

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE schedules
    ADD COLUMN timing text,
    ADD COLUMN rotation bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN client_id bigint,
    ADD COLUMN next_wall text,
    ADD COLUMN runs integer NOT NULL DEFAULT 0,
    ADD COLUMN last_run_at timestamptz,
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN deleted_at timestamptz;
UPDATE schedules SET
    timing = json_build_object('cron', cron, 'timezone', timezone),
    client_id = CAST(CAST(ticket AS json) ->> 'client_id' AS bigint),
    next_wall = to_char(next_run_at AT TIME ZONE timezone, 'YYYY-MM-DD"T"HH24:MI'),
    runs = (SELECT count(*) FROM occurrences WHERE schedule_id = schedules.id),
    last_run_at = (SELECT max(fired_at) FROM occurrences WHERE schedule_id = schedules.id);
ALTER TABLE schedules
    ALTER COLUMN timing SET NOT NULL,
    DROP COLUMN cron,
    DROP COLUMN timezone,
    ADD CONSTRAINT schedules_next_wall CHECK ((next_wall IS NULL) = (next_run_at IS NULL));

CREATE INDEX occurrences_old ON occurrences (fired_at);

CREATE TABLE calendars (
    client_id bigint PRIMARY KEY,
    doc jsonb NOT NULL,
    version integer NOT NULL
);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
