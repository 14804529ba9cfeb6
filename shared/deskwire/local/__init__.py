"""Private servers for `make up`, tests and benchmarks: started here, gone with their context."""

from deskwire.local.amqp import RabbitMQ, rabbitmq, rabbitmq_available
from deskwire.local.imap import Dovecot, dovecot, dovecot_available
from deskwire.local.postgresql import postgres, postgres_available
from deskwire.local.processes import LocalServerError, free_port
from deskwire.local.smtp import DISCONNECT, Mail, Smtp, smtp

__all__ = [
    "DISCONNECT",
    "Dovecot",
    "LocalServerError",
    "Mail",
    "RabbitMQ",
    "Smtp",
    "dovecot",
    "dovecot_available",
    "free_port",
    "postgres",
    "postgres_available",
    "rabbitmq",
    "rabbitmq_available",
    "smtp",
]
