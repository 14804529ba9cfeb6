"""Invoices."""

from deskwire import migrations

revision = "0013"
down_revision = "0012"

TABLES = """
CREATE TABLE invoices (
    id bigint PRIMARY KEY,
    number bigint NOT NULL,
    client_id bigint NOT NULL,
    state text NOT NULL,
    issued boolean NOT NULL,
    date date NOT NULL,
    version integer NOT NULL,
    doc text NOT NULL
);
CREATE INDEX invoices_number ON invoices (number);
CREATE INDEX invoices_client ON invoices (client_id, number);
CREATE INDEX invoices_date ON invoices (date);
CREATE INDEX invoices_draft ON invoices (number) WHERE state = 'draft';
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
