"""Settings are changed: the instance's, and what a client has otherwise."""

import json
from collections.abc import Sequence

from deskwire.contracts import settings as contracts
from deskwire.contracts.settings import ClientSettings, Settings
from deskwire.contracts.tickets import RecountDeadlines
from deskwire.errors import NotFound, StaleVersion
from deskwire.messaging.outbox import Transaction
from ticket_svc.domain import settings as rules
from ticket_svc.store import setting_history
from ticket_svc.store import settings as store


async def update_settings(command: contracts.UpdateSettings, tx: Transaction) -> Settings:
    """What is so already is no change and makes no new version."""
    before = store.settings(await tx.fetch_row(store.LOCK))
    if command.if_version != before.version:
        raise StaleVersion
    after = rules.changed(before, command.changes)
    if after == before:
        return before
    old, new = (each.model_dump(mode="json", exclude={"version"}) for each in (before, after))
    after = store.settings(await tx.fetch_row(store.UPDATE, doc=json.dumps(new)))
    history = await setting_history.remember(tx, command.actor, old, new)
    tx.emit(contracts.SettingsChanged(settings=after, history=history))
    _recount(history, None, tx)
    return after


async def update_client_settings(
    command: contracts.UpdateClientSettings, tx: Transaction
) -> ClientSettings:
    client_id = command.client_id
    if await tx.fetch_one(store.LOCK_CLIENT, client_id=client_id) is None:
        raise NotFound(f"there is no client {client_id}")
    row = await tx.fetch_row(store.OF_CLIENT, client_id=client_id)
    before = store.client_settings(row)
    if command.if_version != before.version + row["instance_version"]:
        raise StaleVersion
    overrides = rules.overridden(before.overrides, command.changes)
    if overrides.values == before.overrides.values:
        return before
    old, new = (each.model_dump(mode="json") for each in (before.overrides, overrides))
    row = await tx.fetch_row(store.KEEP_OF_CLIENT, client_id=client_id, overrides=json.dumps(new))
    after = store.client_settings(row)
    history = await setting_history.remember(tx, command.actor, old, new, client_id=client_id)
    tx.emit(contracts.ClientSettingsChanged(client_settings=after, history=history))
    _recount(history, client_id, tx)
    return after


def _recount(
    history: Sequence[contracts.SettingHistoryItem], client_id: int | None, tx: Transaction
) -> None:
    """What tickets wait for follows what it is counted by."""
    if any(item.field in rules.OF_CLOCKS for item in history):
        tx.emit(RecountDeadlines(client_id=client_id))
