"""Columns that tables have in every service."""

from datetime import datetime

from sqlalchemy import BigInteger, Column, Identity, Integer, func
from sqlalchemy.dialects.postgresql import TIMESTAMP

TIME = TIMESTAMP(timezone=True)


def id_column() -> Column[int]:
    return Column("id", BigInteger, Identity(always=True), primary_key=True)


def created_at() -> Column[datetime]:
    return Column("created_at", TIME, nullable=False, server_default=func.now())


def version() -> Column[int]:
    """How often the row was written."""
    return Column("version", Integer, nullable=False, server_default="1")
