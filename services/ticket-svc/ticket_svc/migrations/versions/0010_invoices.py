"""Invoices of time worked, and the rates of agents."""

from deskwire import migrations

revision = "0010"
down_revision = "0009"

TABLES = """
INSERT INTO counters (name, value) VALUES ('invoice', 0);

ALTER TABLE agents ADD COLUMN rate numeric(15, 2), ADD COLUMN currency text;
ALTER TABLE tickets ADD COLUMN invoice_ids bigint[] NOT NULL DEFAULT '{}';
CREATE INDEX tickets_closed ON tickets (client_id, closed_at) WHERE closed_at IS NOT NULL;

CREATE TABLE invoices (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    number bigint NOT NULL,
    prefix text NOT NULL,
    state text NOT NULL DEFAULT 'draft',
    client_id bigint NOT NULL REFERENCES clients,
    client_name text NOT NULL,
    seller text NOT NULL,
    buyer text NOT NULL,
    language text NOT NULL,
    date date NOT NULL,
    due date NOT NULL,
    currency text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    created_by text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    issued_at timestamptz,
    voided_at timestamptz,
    void_reason text,
    version integer NOT NULL DEFAULT 1,
    CONSTRAINT invoices_unique_number UNIQUE (number)
);

CREATE TABLE invoice_lines (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    invoice_id bigint NOT NULL REFERENCES invoices,
    ticket_id bigint NOT NULL REFERENCES tickets,
    reference text NOT NULL,
    description text NOT NULL,
    agent_id bigint REFERENCES agents,
    agent_name text,
    time_entry_id bigint REFERENCES time_entries,
    worked_from date NOT NULL,
    worked_to date NOT NULL,
    seconds bigint NOT NULL,
    quantity numeric NOT NULL,
    rate numeric NOT NULL,
    amount numeric NOT NULL,
    tax_rate numeric NOT NULL,
    tax numeric NOT NULL
);
CREATE INDEX invoice_lines_invoice ON invoice_lines (invoice_id, id);

CREATE TABLE invoiced_time (
    line_id bigint REFERENCES invoice_lines,
    time_entry_id bigint REFERENCES time_entries,
    invoice_id bigint NOT NULL REFERENCES invoices,
    freed_at timestamptz,
    PRIMARY KEY (line_id, time_entry_id)
);
CREATE INDEX invoiced_time_invoice ON invoiced_time (invoice_id);
CREATE UNIQUE INDEX invoiced_time_once ON invoiced_time (time_entry_id) WHERE freed_at IS NULL;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
