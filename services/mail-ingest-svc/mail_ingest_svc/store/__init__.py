"""What mail-ingest-svc remembers: the ledger."""
