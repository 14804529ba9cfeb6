"""What every service measures. Names are documented in docs/operations.md."""

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("deskwire_messages", "Messages by what became of them", ["queue", "result"])
HANDLER = Histogram("deskwire_handler_seconds", "Time in a handler", ["queue", "type"])
RETRIES = Counter("deskwire_retries", "Messages put off for a later attempt", ["queue"])
PARKED = Counter("deskwire_parked", "Messages given up, see `deskwire dlq`", ["queue"])
CONSUMER_UP = Gauge("deskwire_consumer_up", "1 while the queue is consumed", ["queue"])
OUTBOX_PENDING = Gauge("deskwire_outbox_pending", "Events not yet published", ["service"])
OUTBOX_OLDEST = Gauge("deskwire_outbox_oldest_seconds", "Age of the oldest of them", ["service"])
BROKER_CONNECTED = Gauge("deskwire_broker_connected", "1 while RabbitMQ is reached", ["service"])
LOOP_LAG = Gauge("deskwire_loop_lag_seconds", "How late the event loop runs", ["service"])
