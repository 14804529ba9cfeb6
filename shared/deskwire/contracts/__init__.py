"""The messages between the services, one module per owning service."""
