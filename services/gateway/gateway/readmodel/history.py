"""Who changed what of tickets and settings: rows are only ever added."""

from typing import Any

from sqlalchemy import text

from deskwire.contracts.settings import SettingHistoryItem
from deskwire.contracts.tickets import HistoryItem
from deskwire.db import compiled

KEEP_HISTORY = compiled(
    text("""
    INSERT INTO history (id, ticket_id, doc)
    SELECT * FROM unnest(
        CAST(:id AS bigint[]), CAST(:ticket_id AS bigint[]), CAST(:doc AS text[]))
    ON CONFLICT (id) DO NOTHING
    """)
)

KEEP_SETTING_HISTORY = compiled(
    text("""
    INSERT INTO setting_history (id, client_id, doc)
    SELECT * FROM unnest(
        CAST(:id AS bigint[]), CAST(:client_id AS bigint[]), CAST(:doc AS text[]))
    ON CONFLICT (id) DO NOTHING
    """)
)


def history_row(item: HistoryItem) -> dict[str, Any]:
    return {"id": item.id, "ticket_id": item.ticket_id, "doc": item.model_dump_json()}


def setting_history_row(item: SettingHistoryItem) -> dict[str, Any]:
    return {"id": item.id, "client_id": item.client_id, "doc": item.model_dump_json()}
