"""The messages between the services, and the documents that they carry, by what they are about."""
