"""Documents as they are stored and go out: JSON text, without what only the services need."""

from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import BaseModel
from sqlalchemy import Table, text

from deskwire.contracts.entries import Entry
from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import Ticket
from deskwire.db import DIALECT, Database, Statement, compiled
from deskwire.pictures import with_pictures

_OF_MAILS = {"blob_id", "quoted", "signature"}

HIDDEN: Any = {
    "body": {"blob_id"},
    "attachments": {"__all__": {"blob_id": True, "sha256": True}},
    "raw_id": True,
    "ticket": {
        "author": True,
        "within_client": True,
        "uploader": True,
        "source": True,
        "body": _OF_MAILS,
    },
}
"""Fields of the contracts that no API consumer sees."""

HIDDEN_OF_TICKETS: Any = HIDDEN | {"body": _OF_MAILS}
"""A ticket says what its opening entry says; what that quotes is told by the entry alone."""


def text_of(document: BaseModel) -> str:
    """The document as one line of JSON."""
    return document.model_dump_json(exclude=_hidden(document))


def _hidden(document: BaseModel) -> Any:
    return HIDDEN_OF_TICKETS if isinstance(document, Ticket) else HIDDEN


def shown(document: Ticket | Entry) -> str:
    """As `text_of`; a body that is only its beginning says ``"truncated":true``."""
    if document.body.blob_id is None:
        return text_of(document)
    values = document.model_dump(mode="json", exclude=_hidden(document))
    values["body"]["truncated"] = True
    return orjson.dumps(values).decode()


def with_body(doc: str, body: Body) -> str:
    """The stored document with its whole body in place of the beginning."""
    values = orjson.loads(doc)
    files = ((file.get("content_id"), file["id"]) for file in values.get("attachments", ()))
    shown_fields = values["body"].keys() - {"truncated"}
    values["body"] = with_pictures(body, files).model_dump(include=shown_fields)
    return orjson.dumps(values).decode()


def newest(table: Table) -> Statement:
    """Keeps documents in a table that has an ``id`` and a ``version``, from one array per column,
    whatever order and however often a document comes in them: the newest version wins. One that is
    there already, in this version or a later one, costs a look and no write."""
    types = {column.name: column.type.compile(DIALECT) for column in table.columns}
    names = ", ".join(types)
    arrays = ", ".join(f"CAST(:{name} AS {kind}[])" for name, kind in types.items())
    changes = ", ".join(f"{name} = excluded.{name}" for name in types if name != "id")
    return compiled(
        text(f"""
        INSERT INTO {table.name} AS target ({names})
        SELECT DISTINCT ON (id) * FROM unnest({arrays}) AS new ({names})
        WHERE NOT EXISTS (SELECT FROM {table.name} AS kept
                          WHERE kept.id = new.id AND kept.version >= new.version)
        ORDER BY id, version DESC
        ON CONFLICT (id) DO UPDATE SET {changes} WHERE target.version < excluded.version
        """)
    )


async def keep(database: Database, statement: Statement, *rows: Mapping[str, Any]) -> None:
    """By a statement that takes one array per column: before a write is answered, so that whoever
    reads next finds what it was answered with."""
    await database.execute(statement, **{name: [row[name] for row in rows] for name in rows[0]})
