"""API keys and the read model."""

from deskwire import migrations
from deskwire.messaging import schema

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE api_keys (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    secret_sha256 bytea NOT NULL,
    client_id bigint,
    agent_id bigint,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    request_id uuid UNIQUE
);

CREATE TABLE tickets (
    id bigint PRIMARY KEY,
    number bigint NOT NULL,
    reference text NOT NULL,
    status text NOT NULL,
    priority text NOT NULL,
    client_id bigint,
    contact_id bigint,
    assigned_to bigint,
    source text NOT NULL,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    version integer NOT NULL,
    blob_id text,
    doc text NOT NULL
) WITH (fillfactor = 90);
CREATE INDEX tickets_reference ON tickets (reference);
CREATE INDEX tickets_by_number ON tickets (number, id);
CREATE INDEX tickets_by_created ON tickets (created_at, id);
CREATE INDEX tickets_by_updated ON tickets (updated_at, id);
CREATE INDEX tickets_client_number ON tickets (client_id, number, id);
CREATE INDEX tickets_client_created ON tickets (client_id, created_at, id);
CREATE INDEX tickets_client_updated ON tickets (client_id, updated_at, id);
CREATE INDEX tickets_agent_number ON tickets (assigned_to, number, id);
CREATE INDEX tickets_agent_created ON tickets (assigned_to, created_at, id);
CREATE INDEX tickets_agent_updated ON tickets (assigned_to, updated_at, id);
CREATE INDEX tickets_status_number ON tickets (status, number, id);
CREATE INDEX tickets_status_created ON tickets (status, created_at, id);
CREATE INDEX tickets_status_updated ON tickets (status, updated_at, id);
CREATE INDEX tickets_contact ON tickets (contact_id, number, id);
CREATE INDEX tickets_priority ON tickets (priority, number, id);
CREATE INDEX tickets_source ON tickets (source, number, id);

CREATE TABLE entries (
    id bigint PRIMARY KEY,
    ticket_id bigint NOT NULL,
    kind text NOT NULL,
    created_at timestamptz NOT NULL,
    version integer NOT NULL,
    blob_id text,
    doc text NOT NULL
);
CREATE INDEX entries_timeline ON entries (ticket_id, created_at, id);

CREATE TABLE records (
    kind text NOT NULL,
    id bigint NOT NULL,
    client_id bigint,
    version integer NOT NULL,
    doc text NOT NULL,
    PRIMARY KEY (kind, id)
);
CREATE INDEX records_client ON records (kind, client_id, id);

CREATE TABLE deliveries (
    id bigint PRIMARY KEY,
    ticket_id bigint NOT NULL,
    state text NOT NULL,
    version integer NOT NULL,
    doc text NOT NULL
);
CREATE INDEX deliveries_ticket ON deliveries (ticket_id, id);
CREATE INDEX deliveries_state ON deliveries (state, id);
"""


def upgrade() -> None:
    migrations.run_script(schema.CREATE)
    migrations.run_script(TABLES)
