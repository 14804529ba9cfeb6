"""Message, Event and Command: frozen pydantic models that know their wire name."""

from typing import Any, ClassVar, Generic, TypeVar

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
)
from pydantic.json_schema import JsonSchemaValue

INLINE_TEXT_BYTES = 64 * 1024
"""A body text above this travels as a blob id beside its beginning."""

MESSAGE_BYTES = 256 * 1024
"""No message is larger than this on the wire."""


class Document(BaseModel):
    """A value that crosses a service border. Unknown fields are ignored, so additions fit."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Changes(Document):
    """What is to become of a document: a field that was not set is not told, and stays as it is."""

    @model_serializer(mode="wrap")
    def _only_what_was_set(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        return {k: v for k, v in serialize(self).items() if k in self.model_fields_set}

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Its fields, none of them required; the serializer above would hide them."""
        plain = {key: part for key, part in core_schema.items() if key != "serialization"}
        reference = handler(plain)
        handler.resolve_ref_schema(reference).pop("required", None)
        return reference

    @property
    def values(self) -> dict[str, Any]:
        """The set fields with their values."""
        return {name: getattr(self, name) for name in self.model_fields_set}


class Message(Document):
    """Anything published. ``class Opened(Event, name="ticket.opened.v1")`` sets the wire name."""

    wire_name: ClassVar[str] = ""

    def __init_subclass__(cls, *, name: str = "", **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not name:
            return
        if name in MESSAGES:
            raise TypeError(f"two messages are named {name}")
        cls.wire_name = name
        MESSAGES[name] = cls

    @property
    def aggregate(self) -> str:
        """What the message is about: messages of one aggregate are published in order."""
        return ""


MESSAGES: dict[str, type[Message]] = {}
"""Wire name -> class, of every message."""


class Event(Message):
    """Something that happened."""


Reply = TypeVar("Reply", bound=BaseModel)


class Command(Message, Generic[Reply]):
    """Something to be done; ``Command[Ticket]`` is answered with a ``Ticket``."""

    @classmethod
    def reply_type(cls) -> type[Reply]:
        for base in cls.__mro__:
            arguments = getattr(base, "__pydantic_generic_metadata__", {}).get("args")
            if arguments:
                return arguments[0]  # type: ignore[no-any-return]  # pydantic's metadata is untyped
        raise TypeError(f"{cls.__name__} names no reply")
