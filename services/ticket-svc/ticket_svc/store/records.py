"""Clients, contacts, domains, agents, assets and locations: how each kind is kept and told of."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, Generic, TypeVar

import asyncpg
from sqlalchemy import Table, text

from deskwire.contracts import people as contracts
from deskwire.contracts import records as documents
from deskwire.contracts.base import Event
from deskwire.contracts.money import Money
from deskwire.db import DIALECT, Session, Statement, compiled
from deskwire.errors import Conflict
from ticket_svc.domain import records
from ticket_svc.store.tables import records as tables

Record = TypeVar("Record", bound=documents.Kept)

UNIQUE = {
    "contacts_unique_email": ("email", "this client has a contact with this e-mail address"),
    "domains_unique_name": ("name", "this domain is registered"),
    "agents_unique_email": ("email", "there is an agent with this e-mail address"),
}
"""Of which field an index says that there can be one only, and how that is told."""


@dataclass(frozen=True, eq=False)
class Kind(Generic[Record]):
    """``columns`` makes the table's values of a document's; ``client`` is the column that says
    whose it is; ``shown`` is what tickets show of it."""

    name: str
    table: Table
    document: Callable[[asyncpg.Record], Record]
    event: Callable[[Record], Event]
    columns: Callable[[Mapping[str, Any]], dict[str, Any]] = dict
    client: str = "client_id"
    shown: frozenset[str] = frozenset()

    @cached_property
    def lock(self) -> Statement:
        return compiled(
            text(f"""
            SELECT * FROM {self.table.name}
            WHERE id = :id AND (CAST(:within AS bigint) IS NULL OR {self.client} = :within)
            FOR NO KEY UPDATE
            """)
        )

    @cached_property
    def demote(self) -> Statement:
        """Whichever is a client's primary one no longer is."""
        return compiled(
            text(f"""
            UPDATE {self.table.name}
            SET "primary" = false, version = version + 1, updated_at = now()
            WHERE client_id = :client_id AND "primary" RETURNING *
            """)
        )


# Whoever names a primary contact or location waits for others who do.
ONE_AT_A_TIME = compiled(text("SELECT FROM clients WHERE id = :client_id FOR NO KEY UPDATE"))

# For a refusal that says which one is missing: null where nothing was named.
REFERENCES = compiled(
    text("""
    SELECT CASE WHEN CAST(:location_id AS bigint) IS NOT NULL THEN EXISTS (
               SELECT FROM locations WHERE id = :location_id AND client_id = :client_id
               AND archived_at IS NULL) END AS location_id,
           CASE WHEN CAST(:contact_id AS bigint) IS NOT NULL THEN EXISTS (
               SELECT FROM contacts WHERE id = :contact_id AND client_id = :client_id
               AND archived_at IS NULL) END AS contact_id
    """)
)


@lru_cache(maxsize=64)
def _insert(table: Table, columns: tuple[str, ...]) -> Statement:
    names = ", ".join(f'"{name}"' for name in columns)
    values = ", ".join(_value(table, name) for name in columns)
    return compiled(text(f"INSERT INTO {table.name} ({names}) VALUES ({values}) RETURNING *"))


@lru_cache(maxsize=1024)
def _update(table: Table, columns: tuple[str, ...]) -> Statement:
    assignments = "".join(f'"{name}" = {_value(table, name)}, ' for name in columns)
    return compiled(
        text(f"""
        UPDATE {table.name} SET {assignments} version = version + 1, updated_at = now()
        WHERE id = :id RETURNING *
        """)
    )


def _value(table: Table, column: str) -> str:
    return f"CAST(:{column} AS {table.c[column].type.compile(DIALECT)})"


async def insert(session: Session, kind: Kind[Record], values: Mapping[str, Any]) -> Record:
    """Raises `Conflict` when there is one, and can be one only."""
    return await _kept(session, kind, _insert, kind.columns(values))


async def update(
    session: Session, kind: Kind[Record], id: int, values: Mapping[str, Any]
) -> Record:
    """Set the values; raises `Conflict` as `insert`."""
    return await _kept(session, kind, _update, kind.columns(values), id=id)


async def _kept(
    session: Session,
    kind: Kind[Record],
    statement: Callable[[Table, tuple[str, ...]], Statement],
    columns: Mapping[str, Any],
    **where: Any,
) -> Record:
    """The transaction is lost with a `Conflict`, as with every refusal."""
    try:
        row = await session.fetch_row(
            statement(kind.table, tuple(sorted(columns))), **columns, **where
        )
    except asyncpg.UniqueViolationError as error:
        field, message = UNIQUE[str(error.constraint_name)]
        raise Conflict(message, field=field) from None
    return kind.document(row)


def rate_of(row: asyncpg.Record) -> Money | None:
    """From the columns `rate` and `currency`."""
    rate, currency = row["rate"], row["currency"]
    return None if rate is None else Money(amount=str(rate), currency=currency)


def _client(row: asyncpg.Record) -> documents.Client:
    return documents.Client.model_validate(dict(row) | {"rate": rate_of(row)})


def _agent(row: asyncpg.Record) -> documents.Agent:
    return documents.Agent.model_validate(dict(row) | {"rate": rate_of(row)})


CLIENT = Kind(
    "client",
    tables.clients,
    _client,
    lambda client: contracts.ClientChanged(client=client),
    records.client_columns,
    client="id",
    shown=frozenset({"name"}),
)
CONTACT = Kind(
    "contact",
    tables.contacts,
    lambda row: documents.Contact.model_validate(dict(row)),
    lambda contact: contracts.ContactChanged(contact=contact),
    records.contact_columns,
    shown=frozenset({"name", "email"}),
)
DOMAIN = Kind(
    "domain",
    tables.domains,
    lambda row: documents.Domain.model_validate(dict(row)),
    lambda domain: contracts.DomainChanged(domain=domain),
    records.domain_columns,
)
AGENT = Kind(
    "agent",
    tables.agents,
    _agent,
    lambda agent: contracts.AgentChanged(agent=agent),
    records.agent_columns,
    client="CAST(NULL AS bigint)",
    shown=frozenset({"name", "email"}),
)
ASSET = Kind(
    "asset",
    tables.assets,
    lambda row: documents.Asset.model_validate(dict(row)),
    lambda asset: contracts.AssetChanged(asset=asset),
    shown=frozenset({"name"}),
)
LOCATION = Kind(
    "location",
    tables.locations,
    lambda row: documents.Location.model_validate(dict(row)),
    lambda location: contracts.LocationChanged(location=location),
)
