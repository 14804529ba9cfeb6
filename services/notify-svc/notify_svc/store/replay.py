"""Everything owned, for consumers that build their read models anew."""

from deskwire.contracts.notifications import (
    AgentNotificationsChanged,
    DeliveryChanged,
    SuppressionChanged,
)
from deskwire.contracts.webhooks import WebhookChanged
from deskwire.messaging.replay import Kind, page
from notify_svc.store import agents, deliveries, suppressions, webhooks

KINDS = {
    "delivery": Kind(
        page(f"SELECT {deliveries.DOCUMENT} FROM deliveries"),
        lambda row: DeliveryChanged(delivery=deliveries.document(row)),
    ),
    "suppression": Kind(
        page(f"SELECT {suppressions.COLUMNS} FROM suppressions"),
        lambda row: SuppressionChanged(suppression=suppressions.document(row)),
    ),
    "webhook": Kind(
        page(f"SELECT {webhooks.COLUMNS} FROM webhooks"),
        lambda row: WebhookChanged(webhook=webhooks.document(row)),
    ),
    "notifications": Kind(
        page("SELECT agent_id AS id, * FROM preferences", "agent_id"),
        lambda row: AgentNotificationsChanged(notifications=agents.preferences(row)),
    ),
}
