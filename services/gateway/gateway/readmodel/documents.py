"""Documents as they are stored and go out: JSON text, without what only the services need."""

from typing import Any

import orjson
from pydantic import BaseModel

from deskwire.contracts.mail import Body
from deskwire.contracts.tickets import Entry, Ticket

HIDDEN: Any = {
    "body": {"blob_id": True},
    "attachments": {"__all__": {"blob_id": True, "sha256": True}},
    "ticket": {
        "author": True,
        "within_client": True,
        "uploader": True,
        "source": True,
        "body": {"blob_id": True},
    },
}
"""Fields of the contracts that no API consumer sees."""


def text_of(document: BaseModel) -> str:
    """The document as one line of JSON."""
    return document.model_dump_json(exclude=HIDDEN)


def shown(document: Ticket | Entry) -> str:
    """As `text_of`; a body that is only its beginning says ``"truncated":true``."""
    if document.body.blob_id is None:
        return text_of(document)
    values = document.model_dump(mode="json", exclude=HIDDEN)
    values["body"]["truncated"] = True
    return orjson.dumps(values).decode()


def with_body(doc: str, body: Body) -> str:
    """The stored document with its whole body in place of the beginning."""
    values = orjson.loads(doc)
    values["body"] = {"text": body.text, "html": body.html}
    return orjson.dumps(values).decode()
