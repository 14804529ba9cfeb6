"""RabbitMQ 3.10 to 4.x: the only package that knows aio-pika."""

from deskwire.messaging.rabbit.broker import RabbitBroker
from deskwire.messaging.rabbit.topology import (
    apply_topology,
    check_topology,
    depths,
    remove_topology,
)

__all__ = ["RabbitBroker", "apply_topology", "check_topology", "depths", "remove_topology"]
