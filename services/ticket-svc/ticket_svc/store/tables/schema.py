"""What all tables are in, with those of the messaging."""

from sqlalchemy import MetaData

from deskwire.messaging.schema import messaging_tables

metadata = MetaData()
messaging_tables(metadata)
