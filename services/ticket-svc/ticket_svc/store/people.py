"""Clients, contacts, domains, agents and settings."""

from typing import Any

import asyncpg
from sqlalchemy import text

from deskwire.contracts import people as contracts
from deskwire.contracts import settings as settings_contracts
from deskwire.db import Session, compiled
from deskwire.errors import Conflict, NotFound

INSERT_CLIENT = compiled(
    text("""
    INSERT INTO clients (name, notifications, language)
    VALUES (:name, :notifications, :language) RETURNING *
    """)
)

# A contact becomes the client's primary one; whoever was it before no longer is.
INSERT_CONTACT = compiled(
    text("""
    INSERT INTO contacts (client_id, name, email, email_key, "primary")
    SELECT id, :name, :email, :email_key, :primary FROM clients WHERE id = :client_id
    ON CONFLICT (client_id, email_key) DO NOTHING
    RETURNING *
    """)
)

DEMOTE_PRIMARY = compiled(
    text("""
    UPDATE contacts SET "primary" = false, version = version + 1
    WHERE client_id = :client_id AND "primary" RETURNING *
    """)
)

INSERT_DOMAIN = compiled(
    text("""
    INSERT INTO domains (client_id, name)
    SELECT id, :name FROM clients WHERE id = :client_id
    ON CONFLICT (name) DO NOTHING
    RETURNING *
    """)
)

INSERT_AGENT = compiled(
    text("""
    INSERT INTO agents (name, email, email_key) VALUES (:name, :email, :email_key)
    ON CONFLICT (email_key) DO NOTHING
    RETURNING *
    """)
)

CLIENT_EXISTS = compiled(text("SELECT true FROM clients WHERE id = :client_id"))

# For a refusal that says which one is missing: null where nothing was named.
REFERENCES = compiled(
    text("""
    SELECT CASE WHEN CAST(:contact_id AS bigint) IS NOT NULL THEN EXISTS (
               SELECT FROM contacts WHERE id = :contact_id AND client_id = :client_id
               AND archived_at IS NULL) END AS contact_id,
           CASE WHEN CAST(:assigned_to AS bigint) IS NOT NULL THEN EXISTS (
               SELECT FROM agents WHERE id = :assigned_to AND archived_at IS NULL)
               END AS assigned_to
    """)
)

SETTINGS = compiled(text("SELECT * FROM settings"))

UPDATE_SETTINGS = compiled(
    text("""
    UPDATE settings SET
        ticket_prefix = coalesce(:ticket_prefix, ticket_prefix),
        client_notifications = coalesce(:client_notifications, client_notifications),
        new_ticket_addresses = coalesce(CAST(:addresses AS text[]), new_ticket_addresses),
        version = version + 1
    WHERE version = :if_version
    RETURNING *
    """)
)

# Contacts that have the address, and the client whose registered domain it is under.
SENDER = compiled(
    text("""
    SELECT client_id, id AS contact_id FROM contacts
    WHERE email_key = :email_key AND archived_at IS NULL
    UNION ALL
    SELECT client_id, NULL FROM domains WHERE name = :domain
    """)
)


async def insert_contact(session: Session, client_id: int, **values: Any) -> asyncpg.Record:
    row = await session.fetch_one(INSERT_CONTACT, client_id=client_id, **values)
    if row is None:
        await require_client(session, client_id)
        raise Conflict("this client has a contact with this e-mail address", field="email")
    return row


async def insert_domain(session: Session, client_id: int, name: str) -> asyncpg.Record:
    row = await session.fetch_one(INSERT_DOMAIN, client_id=client_id, name=name)
    if row is None:
        await require_client(session, client_id)
        raise Conflict("this domain is registered", field="name")
    return row


async def require_client(session: Session, client_id: int) -> None:
    if not await session.fetch_value(CLIENT_EXISTS, client_id=client_id):
        raise NotFound(f"there is no client {client_id}", field="client_id")


def client(row: asyncpg.Record) -> contracts.Client:
    return contracts.Client.model_validate(dict(row))


def contact(row: asyncpg.Record) -> contracts.Contact:
    return contracts.Contact.model_validate(dict(row))


def domain(row: asyncpg.Record) -> contracts.Domain:
    return contracts.Domain.model_validate(dict(row))


def agent(row: asyncpg.Record) -> contracts.Agent:
    return contracts.Agent.model_validate(dict(row))


def settings(row: asyncpg.Record) -> settings_contracts.Settings:
    return settings_contracts.Settings.model_validate(dict(row))
