"""Request and reply: one call at the caller, one byte on the wire that says how it went."""

import json
from dataclasses import dataclass
from typing import Generic
from uuid import UUID

from deskwire.contracts.base import Command, Reply
from deskwire.errors import REJECTIONS, DeskwireError, Rejected, Unavailable
from deskwire.messaging.broker import Broker
from deskwire.messaging.envelope import wrap

DONE, REPLAYED, REFUSED = b"+", b"=", b"-"
DEADLINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class Answer(Generic[Reply]):
    """``replayed``: the request had been answered before; nothing was done again."""

    reply: Reply
    replayed: bool


async def ask(
    broker: Broker,
    command: Command[Reply],
    *,
    id: UUID | None = None,
    timeout: float = DEADLINE_SECONDS,
) -> Answer[Reply]:
    """Have the owner do it. The same ``id`` again has the same answer and no second effect.

    Raises the `Rejected` that the owner raised, or `Unavailable` when nobody answered in time:
    it may have been done all the same, and can be asked again with the same id.
    """
    answer = await broker.request(wrap(command, id=id), timeout=timeout)
    mark, body = answer[:1], answer[1:]
    if mark == REFUSED:
        raise _refusal(body)
    return Answer(command.reply_type().model_validate_json(body), mark == REPLAYED)


def refused(error: DeskwireError) -> bytes:
    told = {"code": error.code, "message": str(error), "field": error.field}
    return REFUSED + json.dumps(told).encode()


def _refusal(body: bytes) -> DeskwireError:
    told = json.loads(body)
    error = REJECTIONS.get(told["code"], Rejected if told["code"] == "rejected" else Unavailable)
    return error(told["message"], field=told["field"])
