"""Clients, contacts, domains and agents in full; assets and locations."""

from deskwire import migrations

revision = "0003"
down_revision = "0002"

TABLES = """
ALTER TABLE clients
    ADD COLUMN type text,
    ADD COLUMN abbreviation text,
    ADD COLUMN website text,
    ADD COLUMN referral text,
    ADD COLUMN lead boolean NOT NULL DEFAULT false,
    ADD COLUMN rate numeric(15, 2) CHECK (rate >= 0),
    ADD COLUMN currency text NOT NULL DEFAULT 'EUR',
    ADD COLUMN net_terms integer,
    ADD COLUMN tax_id text,
    ADD COLUMN timezone text NOT NULL DEFAULT 'UTC',
    ADD COLUMN notes text,
    ADD COLUMN updated_at timestamptz;

CREATE TABLE locations (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES clients,
    name text NOT NULL,
    description text,
    country text,
    address text,
    city text,
    state text,
    zip text,
    phone text,
    hours text,
    notes text,
    "primary" boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);
CREATE UNIQUE INDEX locations_primary ON locations (client_id) WHERE "primary";

ALTER TABLE contacts
    ADD COLUMN title text,
    ADD COLUMN department text,
    ADD COLUMN phone text,
    ADD COLUMN extension text,
    ADD COLUMN mobile text,
    ADD COLUMN notes text,
    ADD COLUMN important boolean NOT NULL DEFAULT false,
    ADD COLUMN billing boolean NOT NULL DEFAULT false,
    ADD COLUMN technical boolean NOT NULL DEFAULT false,
    ADD COLUMN location_id bigint REFERENCES locations,
    ADD COLUMN updated_at timestamptz,
    DROP CONSTRAINT contacts_unique_email;
CREATE UNIQUE INDEX contacts_unique_email ON contacts (client_id, email_key)
    WHERE archived_at IS NULL;

ALTER TABLE domains
    ADD COLUMN updated_at timestamptz,
    ADD COLUMN archived_at timestamptz,
    DROP CONSTRAINT domains_unique_name;
CREATE UNIQUE INDEX domains_unique_name ON domains (name) WHERE archived_at IS NULL;

ALTER TABLE agents
    ADD COLUMN updated_at timestamptz,
    DROP CONSTRAINT agents_unique_email;
CREATE UNIQUE INDEX agents_unique_email ON agents (email_key) WHERE archived_at IS NULL;

CREATE TABLE assets (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint NOT NULL REFERENCES clients,
    name text NOT NULL,
    type text,
    description text,
    make text,
    model text,
    serial text,
    os text,
    ip text,
    mac text,
    uri text,
    status text,
    purchase_date date,
    warranty_expire date,
    install_date date,
    notes text,
    location_id bigint REFERENCES locations,
    contact_id bigint REFERENCES contacts,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1
);

CREATE INDEX tickets_client_id ON tickets (client_id, id);
CREATE INDEX tickets_contact_id ON tickets (contact_id, id);
CREATE INDEX tickets_assigned_to ON tickets (assigned_to, id);
CREATE INDEX tickets_asset_ids ON tickets USING gin (asset_ids) WITH (fastupdate = off)
    WHERE asset_ids <> '{}';
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
