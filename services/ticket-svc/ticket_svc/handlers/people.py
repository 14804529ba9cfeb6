"""The instance's settings."""

from deskwire.contracts import settings as settings_contracts
from deskwire.errors import StaleVersion
from deskwire.messaging.outbox import Transaction
from ticket_svc.store import people


async def update_settings(
    command: settings_contracts.UpdateSettings, tx: Transaction
) -> settings_contracts.Settings:
    addresses = command.new_ticket_addresses
    row = await tx.fetch_one(
        people.UPDATE_SETTINGS,
        if_version=command.if_version,
        ticket_prefix=command.ticket_prefix,
        client_notifications=command.client_notifications,
        addresses=None if addresses is None else list(addresses),
    )
    if row is None:
        raise StaleVersion
    settings = people.settings(row)
    tx.emit(settings_contracts.SettingsChanged(settings=settings))
    return settings
