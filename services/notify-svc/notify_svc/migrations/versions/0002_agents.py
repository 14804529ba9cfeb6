"""Mails about changes of tickets, agents and what they want to be told of, and digests."""

from deskwire import migrations

revision = "0002"
down_revision = "0001"

TABLES = """
ALTER TABLE deliveries
    ADD COLUMN about text,
    ALTER COLUMN ticket_id DROP NOT NULL,
    DROP CONSTRAINT deliveries_once;
UPDATE deliveries SET about = 'entry:' || entry_id;
ALTER TABLE deliveries
    ALTER COLUMN about SET NOT NULL,
    DROP COLUMN entry_id,
    ADD CONSTRAINT deliveries_once UNIQUE (about, template, recipient);

CREATE TABLE agents (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    handles text[] NOT NULL,
    archived boolean NOT NULL,
    version integer NOT NULL
);
CREATE INDEX agents_by_handle ON agents USING gin (handles);

CREATE TABLE preferences (
    agent_id bigint PRIMARY KEY,
    doc text NOT NULL,
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE digest_items (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    delivery_id bigint NOT NULL REFERENCES deliveries,
    event text NOT NULL,
    context text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX digest_items_of ON digest_items (delivery_id, id);
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
