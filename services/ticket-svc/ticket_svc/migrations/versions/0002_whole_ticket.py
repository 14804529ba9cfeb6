"""Merging, history, and entries that are edited or redacted."""

from deskwire import migrations

revision = "0002"
down_revision = "0001"

TABLES = """
ALTER TABLE tickets
    ADD COLUMN asset_ids bigint[] NOT NULL DEFAULT '{}',
    ADD COLUMN merged_into bigint REFERENCES tickets,
    ADD COLUMN merged_from bigint[] NOT NULL DEFAULT '{}';

ALTER TABLE entries
    ADD COLUMN origin_ticket_id bigint REFERENCES tickets,
    ADD COLUMN edited_at timestamptz,
    ADD COLUMN redacted_at timestamptz,
    ADD COLUMN redacted_by text;
UPDATE entries SET origin_ticket_id = ticket_id;
ALTER TABLE entries ALTER COLUMN origin_ticket_id SET NOT NULL;

CREATE TABLE merges (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    source_id bigint NOT NULL REFERENCES tickets,
    target_id bigint NOT NULL REFERENCES tickets,
    reason text NOT NULL,
    status text NOT NULL,
    closed_at timestamptz,
    closed_by text,
    watchers text[] NOT NULL,
    asset_ids bigint[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    undone_at timestamptz
);
CREATE UNIQUE INDEX merges_source ON merges (source_id) WHERE undone_at IS NULL;
CREATE INDEX merges_target ON merges (target_id) WHERE undone_at IS NULL;

CREATE TABLE history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id bigint NOT NULL REFERENCES tickets,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    through text NOT NULL,
    field text NOT NULL,
    old text NOT NULL,
    new text NOT NULL
);
CREATE FUNCTION history_stays() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'history is only ever added to';
END $$;
CREATE TRIGGER history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON history
    FOR EACH STATEMENT EXECUTE FUNCTION history_stays();
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
