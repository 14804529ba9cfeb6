"""The messages between services as an AsyncAPI 3.0 document, from contracts and topology."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from deskwire.contracts.base import MESSAGES, Command, Message
from deskwire.topology import EVENTS_EXCHANGE, QUEUES, REQUESTS_EXCHANGE, Queue

Json = dict[str, Any]

REPLIES = "replies"

ABOUT = """\
Every message is persistent and carries a UUID as `message_id`, by which it is handled once, and \
its wire name as `type`. Within a version fields are only added, with defaults; anything else is a \
new version. Whoever reads ignores fields that it does not know.

Work queues are quorum queues: retried, then parked. Request queues are classic: their messages \
expire with the caller's deadline and are answered to `reply_to`, never retried."""

REPLY = """\
One byte, then JSON: `+` done, `=` done before under the same id (both with the reply), `-` \
refused (with `code`, `message` and `field`)."""

HEADERS = {
    "type": "object",
    "properties": {
        "aggregate": {
            "type": "string",
            "description": "What the message is about: what is about one thing comes in order",
        },
        "correlation-id": {"type": "string", "description": "The id of the first cause"},
        "causation-id": {"type": "string", "description": "The id of the message that caused it"},
        "traceparent": {"type": "string", "description": "W3C Trace Context"},
    },
}


def asyncapi_document() -> Json:
    messages = {name: MESSAGES[name] for name in sorted(MESSAGES)}
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Deskwire", "version": "1", "description": ABOUT},
        "defaultContentType": "application/json",
        "channels": _exchanges()
        | {queue.name: _queue_channel(queue) for queue in QUEUES}
        | {REPLIES: _reply_channel(_commands(messages.values()))},
        "operations": _operations(),
        "components": {
            "messages": {name: _message(message) for name, message in messages.items()}
            | {_reply_name(command): _reply(command) for command in _commands(messages.values())},
            "schemas": _schemas(messages.values()),
        },
    }


def _exchanges() -> Json:
    """Where messages are sent to; the routing key is the wire name."""
    return {
        exchange: {
            "address": exchange,
            "messages": _references(
                message.wire_name
                for queue in QUEUES
                if queue.exchange == exchange
                for message in queue.messages
            ),
            "bindings": {
                "amqp": {
                    "is": "routingKey",
                    "exchange": {"name": exchange, "type": kind, "durable": True},
                }
            },
        }
        for exchange, kind in ((EVENTS_EXCHANGE, "topic"), (REQUESTS_EXCHANGE, "direct"))
    }


def _queue_channel(queue: Queue) -> Json:
    """Where messages are received from."""
    return {
        "address": queue.name,
        "messages": _references(message.wire_name for message in queue.messages),
        "bindings": {
            "amqp": {
                "is": "queue",
                "queue": {
                    "name": queue.name,
                    "durable": True,
                    "exclusive": False,
                    "autoDelete": False,
                },
            }
        },
    }


def _reply_channel(commands: Iterable[type[Message]]) -> Json:
    """Of the caller's own (RabbitMQ's direct reply-to): its address is in the request."""
    return {"address": None, "messages": _references(map(_reply_name, commands))}


def _operations() -> Json:
    sent = {
        f"send.{exchange}": {
            "action": "send",
            "channel": {"$ref": f"#/channels/{exchange}"},
            "bindings": {"amqp": {"deliveryMode": 2, "mandatory": exchange == EVENTS_EXCHANGE}},
        }
        for exchange in (EVENTS_EXCHANGE, REQUESTS_EXCHANGE)
    }
    received = {
        f"receive.{queue.name}.{message.wire_name}": _received(queue, message)
        for queue in QUEUES
        for message in queue.messages
    }
    return sent | received


def _received(queue: Queue, message: type[Message]) -> Json:
    operation: Json = {
        "action": "receive",
        "channel": {"$ref": f"#/channels/{queue.name}"},
        "messages": [{"$ref": f"#/channels/{queue.name}/messages/{message.wire_name}"}],
    }
    if queue.requests and issubclass(message, Command):
        operation["reply"] = {
            "address": {"location": "$message.header#/reply_to"},
            "channel": {"$ref": f"#/channels/{REPLIES}"},
            "messages": [{"$ref": f"#/channels/{REPLIES}/messages/{_reply_name(message)}"}],
        }
    return operation


def _message(message: type[Message]) -> Json:
    return {
        "name": message.wire_name,
        "title": message.__name__,
        "summary": _first_line(message),
        "headers": HEADERS,
        "payload": {"$ref": f"#/components/schemas/{message.__name__}"},
        "bindings": {"amqp": {"messageType": message.wire_name}},
    }


def _reply(command: type[Command[BaseModel]]) -> Json:
    return {
        "name": _reply_name(command),
        "title": f"Reply to {command.__name__}",
        "summary": REPLY,
        "payload": {"$ref": f"#/components/schemas/{command.reply_type().__name__}"},
    }


def _schemas(messages: Iterable[type[Message]]) -> Json:
    messages = list(messages)
    models: list[type[BaseModel]] = [*messages]
    models += [command.reply_type() for command in _commands(messages)]
    _, schemas = models_json_schema(
        [(model, "validation") for model in models],
        ref_template="#/components/schemas/{model}",
    )
    definitions: Json = schemas["$defs"]
    return definitions


def _commands(messages: Iterable[type[Message]]) -> list[type[Command[BaseModel]]]:
    return [message for message in messages if issubclass(message, Command)]


def _references(names: Iterable[str]) -> Json:
    return {name: {"$ref": f"#/components/messages/{name}"} for name in names}


def _reply_name(command: type[Message]) -> str:
    return f"{command.wire_name}.reply"


def _first_line(message: type[Message]) -> str:
    """Of its own docstring: pydantic inherits none."""
    return (message.__doc__ or message.__name__).strip().partition("\n")[0]
