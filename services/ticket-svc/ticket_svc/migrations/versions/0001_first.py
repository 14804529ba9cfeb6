"""Clients, contacts, domains, agents, tickets, entries and settings."""

from deskwire import migrations
from deskwire.messaging import schema

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE settings (
    id integer PRIMARY KEY DEFAULT 1 CHECK (id = 1),
    ticket_prefix text NOT NULL,
    client_notifications boolean NOT NULL,
    new_ticket_addresses text[] NOT NULL,
    version integer NOT NULL DEFAULT 1
);
INSERT INTO settings (ticket_prefix, client_notifications, new_ticket_addresses)
VALUES ('TCK-', true, '{}');

CREATE TABLE counters (name text PRIMARY KEY, value bigint NOT NULL) WITH (fillfactor = 50);
INSERT INTO counters (name, value) VALUES ('ticket', 0);

CREATE TABLE clients (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    notifications boolean NOT NULL,
    language text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE contacts (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES clients,
    name text NOT NULL,
    email text,
    email_key text,
    "primary" boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT contacts_unique_email UNIQUE (client_id, email_key)
);
CREATE INDEX contacts_email ON contacts (email_key);
CREATE UNIQUE INDEX contacts_primary ON contacts (client_id) WHERE "primary";

CREATE TABLE domains (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES clients,
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT domains_unique_name UNIQUE (name)
);

CREATE TABLE agents (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL,
    email text NOT NULL,
    email_key text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT agents_unique_email UNIQUE (email_key)
);

CREATE TABLE tickets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number bigint NOT NULL,
    prefix text NOT NULL,
    subject text NOT NULL,
    status text NOT NULL CHECK (status IN ('open', 'working', 'hold', 'auto-close', 'closed')),
    priority text NOT NULL CHECK (priority IN ('low', 'medium', 'high')),
    category text,
    source text NOT NULL,
    client_id bigint REFERENCES clients,
    contact_id bigint REFERENCES contacts,
    assigned_to bigint REFERENCES agents,
    watchers text[] NOT NULL,
    tags text[] NOT NULL,
    billable boolean NOT NULL,
    due_at timestamptz,
    time_worked integer NOT NULL DEFAULT 0,
    entry_count integer NOT NULL DEFAULT 1,
    last_reply_at timestamptz,
    last_reply_kind text,
    last_reply_by text,
    first_response_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    closed_at timestamptz,
    closed_by text,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT tickets_unique_number UNIQUE (number)
) WITH (fillfactor = 90);

CREATE TABLE entries (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    ticket_id bigint NOT NULL REFERENCES tickets,
    kind text NOT NULL CHECK (kind IN ('public', 'internal', 'client')),
    opening boolean NOT NULL DEFAULT false,
    author text NOT NULL,
    body_text text NOT NULL,
    body_html text,
    body_blob text,
    attachments text NOT NULL DEFAULT '[]',
    time_worked integer NOT NULL DEFAULT 0,
    via text NOT NULL,
    message_id text,
    verified boolean NOT NULL DEFAULT true,
    created_at timestamptz NOT NULL DEFAULT now(),
    version integer NOT NULL DEFAULT 1
);
CREATE TABLE attachments (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    blob_id text NOT NULL,
    name text NOT NULL,
    type text NOT NULL,
    size bigint NOT NULL,
    content_id text,
    inline boolean NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX entries_timeline ON entries (ticket_id, id);
CREATE INDEX entries_message_id ON entries (message_id) WHERE message_id IS NOT NULL;
"""


def upgrade() -> None:
    migrations.run_script(schema.CREATE)
    migrations.run_script(TABLES)
