"""The services by name: what the command line and the embedded run find them by."""

from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from types import ModuleType


@dataclass(frozen=True)
class Service:
    """``name`` is that of the folder, of the database and of the image."""

    name: str
    package: str

    @property
    def installed(self) -> bool:
        """An image holds one service only."""
        return find_spec(self.package) is not None

    def module(self, name: str) -> ModuleType:
        return import_module(f"{self.package}.{name}")


TICKET_SVC = Service("ticket-svc", "ticket_svc")
MAIL_INGEST_SVC = Service("mail-ingest-svc", "mail_ingest_svc")
NOTIFY_SVC = Service("notify-svc", "notify_svc")
SCHEDULER_SVC = Service("scheduler-svc", "scheduler_svc")
GATEWAY = Service("gateway", "gateway")

SERVICES = (TICKET_SVC, MAIL_INGEST_SVC, NOTIFY_SVC, SCHEDULER_SVC, GATEWAY)
"""In the order in which one process starts them."""
