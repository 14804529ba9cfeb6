"""Making, changing and archiving what is kept as records, by the rules of the resource API."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from fastapi import Response

from deskwire.contracts.base import Command
from deskwire.errors import Invalid, NotFound
from gateway.api import records
from gateway.api.commands import perform
from gateway.api.fields import RequestBody
from gateway.api.itflow import answers, php
from gateway.api.itflow.call import Call, Parameters, made
from gateway.readmodel import reading

Function = Callable[[Call], Awaitable[Response]]


class Field(NamedTuple):
    """A column's name with us, and what its value becomes."""

    name: str
    of: Callable[[Any], Any]
    about: str = ""


Fields = Mapping[str, Field]


def line(value: Any) -> str | None:
    return php.line(value) or None


def lines(value: Any) -> str | None:
    return php.plain(value) or None


def flag(value: Any) -> bool:
    return php.integer(value) == 1


def id_or_none(value: Any) -> int | None:
    return php.integer(value) or None


def takes(fields: Fields) -> dict[str, str]:
    return {column: field.about for column, field in fields.items()}


def given(body: Parameters, fields: Fields) -> dict[str, Any]:
    """Our values of the columns that were given; null is as left out."""
    return {
        field.name: field.of(body[column])
        for column, field in fields.items()
        if body.get(column) is not None
    }


@dataclass(frozen=True)
class Writer:
    """The functions of one module, for what belongs to a client.

    ``needs`` are the columns that PHP must not find empty in a new one. ``new`` and ``change`` are
    the bodies of the resource API, which say what a value may be. ``deletes``: what is archived is
    not there any more.
    """

    kind: str
    fields: Fields
    needs: Sequence[str]
    new: type[RequestBody]
    change: type[RequestBody]
    create_command: type[Command[Any]]
    change_command: type[Command[Any]]
    deletes: bool = False

    async def create(self, call: Call) -> Response:
        if any(php.is_empty(php.plain(call.body.get(column))) for column in self.needs):
            raise Invalid
        new = made(self.new, client_id=call.client_id, **given(call.body, self.fields))
        values = new.model_dump(exclude_none=True) | {"within_client": call.caller.within}
        answer = await perform(call.request, made(self.create_command, **values))
        return answers.created(call, answer.reply.id, replayed=answer.replayed)

    async def update(self, call: Call) -> Response:
        """What was not given stays as it is."""
        if self.deletes:
            await self._require(call)
        wanted = made(self.change, **given(call.body, self.fields))
        changes: Any = self.change_command.model_fields["changes"].annotation
        return await self._change(call, records.given(wanted, changes))

    def archive(self, *, archived: bool) -> Function:
        async def function(call: Call) -> Response:
            return await self._change(call, {"archived": archived})

        return function

    async def _require(self, call: Call) -> None:
        database, id = call.services.database, php.integer(call.body.get(f"{self.kind}_id"))
        row = await reading.record(database, self.kind, id, call.client_id)
        if row is None or row["archived"]:
            raise NotFound

    async def _change(self, call: Call, changes: Mapping[str, Any]) -> Response:
        """Of the client that the call is for; what is all so already is a failure."""
        return await change(call, self.kind, self.change_command, changes, within=call.client_id)


async def change(
    call: Call,
    kind: str,
    command: type[Command[Any]],
    changes: Mapping[str, Any],
    *,
    within: int | None,
) -> Response:
    wanted = made(
        command,
        id=php.integer(call.body.get(f"{kind}_id")),
        changes=changes,
        refuse_unchanged=True,
        within_client=within,
    )
    answer = await perform(call.request, wanted)
    return answers.changed(call, replayed=answer.replayed)
