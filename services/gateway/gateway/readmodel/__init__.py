"""What the gateway remembers: the documents that it serves, and the API keys."""
