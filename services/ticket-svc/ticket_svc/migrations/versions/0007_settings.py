"""All settings, clients' overrides, their history; and which ticket another one follows."""

from deskwire import migrations

revision = "0007"
down_revision = "0006"

TABLES = """
ALTER TABLE settings ADD COLUMN doc jsonb;
UPDATE settings SET doc = jsonb_build_object(
    'ticket_prefix', ticket_prefix,
    'email_parsing', true,
    'unknown_senders', 'ignore',
    'new_ticket_addresses', new_ticket_addresses,
    'languages', jsonb_build_array('en'),
    'timezone', 'UTC',
    'client_notifications', client_notifications,
    'from_name', null,
    'from_address', null,
    'reopen_days', 14,
    'auto_close', jsonb_build_object('enabled', true, 'chaser_hours', 48, 'close_hours', 72),
    'chaser_text', null,
    'business_hours', jsonb_build_object(
        'monday', jsonb_build_array('09:00-17:00'), 'tuesday', jsonb_build_array('09:00-17:00'),
        'wednesday', jsonb_build_array('09:00-17:00'), 'thursday', jsonb_build_array('09:00-17:00'),
        'friday', jsonb_build_array('09:00-17:00'), 'saturday', jsonb_build_array(),
        'sunday', jsonb_build_array()),
    'holidays', jsonb_build_array());
ALTER TABLE settings
    ALTER COLUMN doc SET NOT NULL,
    DROP COLUMN ticket_prefix,
    DROP COLUMN client_notifications,
    DROP COLUMN new_ticket_addresses;

CREATE TABLE client_settings (
    client_id bigint PRIMARY KEY REFERENCES clients,
    overrides jsonb NOT NULL,
    version integer NOT NULL DEFAULT 1
);

CREATE TABLE setting_history (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    client_id bigint REFERENCES clients,
    at timestamptz NOT NULL DEFAULT now(),
    actor text NOT NULL,
    through text NOT NULL,
    field text NOT NULL,
    old text NOT NULL,
    new text NOT NULL
);
CREATE TRIGGER setting_history_stays BEFORE UPDATE OR DELETE OR TRUNCATE ON setting_history
    FOR EACH STATEMENT EXECUTE FUNCTION history_stays();

ALTER TABLE tickets ADD COLUMN follows bigint REFERENCES tickets;
"""


def upgrade() -> None:
    migrations.run_script(TABLES)
