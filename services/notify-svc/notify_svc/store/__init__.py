"""What notify-svc remembers: tables, and the statements beside what uses them."""

from deskwire.contracts.notifications import AgentNotificationsChanged, DeliveryChanged
from deskwire.messaging.replay import Kind, page
from notify_svc.store import agents, deliveries
from notify_svc.store.deliveries import recent

__all__ = ["KINDS", "recent"]

KINDS = {
    "delivery": Kind(
        page(f"SELECT {deliveries.DOCUMENT} FROM deliveries"),
        lambda row: DeliveryChanged(delivery=deliveries.document(row)),
    ),
    "notifications": Kind(
        page("SELECT agent_id AS id, * FROM preferences", "agent_id"),
        lambda row: AgentNotificationsChanged(notifications=agents.preferences(row)),
    ),
}
