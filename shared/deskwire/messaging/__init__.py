"""One mechanism for messages: envelope, broker port, outbox, consumer."""
