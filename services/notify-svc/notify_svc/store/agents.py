"""The team's agents as ticket-svc tells of them, and what they want to be told of."""

from collections.abc import Sequence

import asyncpg
from sqlalchemy import text

from deskwire.contracts import records
from deskwire.contracts.notifications import AgentNotifications
from deskwire.db import Session, compiled
from notify_svc.domain.agents import Agent, handles

KEEP = compiled(
    text("""
    INSERT INTO agents AS kept (id, name, email, handles, archived, version)
    VALUES (:id, :name, :email, :handles, :archived, :version)
    ON CONFLICT (id) DO UPDATE
        SET name = excluded.name, email = excluded.email, handles = excluded.handles,
            archived = excluded.archived, version = excluded.version
        WHERE kept.version < excluded.version
    """)
)

NONE_KNOWN = compiled(text("SELECT NOT EXISTS (SELECT FROM agents)"))

AGENTS = compiled(
    text("""
    SELECT id, name, email, archived, doc
    FROM agents LEFT JOIN preferences ON agent_id = id
    WHERE id = ANY(CAST(:ids AS bigint[])) OR handles && CAST(:handles AS text[])
    """)
)

# No row: they have another version than the caller saw; 0 is that of those that never were.
KEEP_PREFERENCES = compiled(
    text("""
    INSERT INTO preferences AS kept (agent_id, doc)
    SELECT :agent_id, :doc
    WHERE coalesce(CAST(:if_version AS integer), 0) = 0
       OR EXISTS (SELECT FROM preferences WHERE agent_id = :agent_id)
    ON CONFLICT (agent_id) DO UPDATE SET doc = excluded.doc, version = kept.version + 1
        WHERE :if_version IS NULL OR kept.version = :if_version
    RETURNING *
    """)
)


LOCK_PREFERENCES = compiled(text("SELECT * FROM preferences WHERE agent_id = :agent_id FOR UPDATE"))


def row_of(agent: records.Agent) -> dict[str, object]:
    return {
        "id": agent.id,
        "name": agent.name,
        "email": agent.email,
        "handles": handles(agent.name, agent.email),
        "archived": agent.archived_at is not None,
        "version": agent.version,
    }


async def agents(session: Session, ids: Sequence[int], called: Sequence[str]) -> dict[int, Agent]:
    """Those with these ids, and those that are called by these handles."""
    if not ids and not called:
        return {}
    rows = await session.fetch(AGENTS, ids=list(ids), handles=list(called))
    return {row["id"]: _agent(row) for row in rows}


def preferences(row: asyncpg.Record) -> AgentNotifications:
    told = AgentNotifications.model_validate_json(row["doc"])
    return told.model_copy(update={"version": row["version"]})


def _agent(row: asyncpg.Record) -> Agent:
    id = row["id"]
    wants = AgentNotifications.model_validate_json(row["doc"] or f'{{"agent_id": {id}}}')
    return Agent(id, row["name"], row["email"], wants, archived=row["archived"])
