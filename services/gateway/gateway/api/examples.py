"""Examples of requests and answers, made from their schemas: values that a reader recognises."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Schema = Mapping[str, Any]

SAMPLES: Mapping[str, Any] = {
    "Agent.email": "bob@example.com",
    "Agent.name": "Bob",
    "AgentChange.email": "bob@example.com",
    "AgentChange.name": "Bob",
    "Asset.name": "Printer on the 2nd floor",
    "AssetChange.name": "Printer on the 2nd floor",
    "Assets.assets": [{"id": 1, "name": "Printer on the 2nd floor"}],
    "Author.email": "bob@example.com",
    "Author.name": "Bob",
    "Author.type": "agent",
    "Body.html": None,
    "Body.text": "It blinks red.",
    "BulkResult.code": None,
    "BulkResult.detail": None,
    "BulkResult.status": 200,
    "Client.name": "Acme",
    "ClientChange.name": "Acme",
    "Contact.email": "ann@acme.example",
    "Contact.name": "Ann",
    "Delivery.state": "sent",
    "Delivery.template": "ticket_opened",
    "Domain.name": "acme.example",
    "DomainChange.name": "acme.example",
    "EntryBody.html": None,
    "EntryBody.quoted": "On 2 March 2026 at 10:00, Bob wrote:\n> Which colour?",
    "EntryBody.signature": "-- \nAnn",
    "EntryBody.text": "It blinks red.",
    "EventData.type": "ticket.replied",
    "Group.name": "TCK-1",
    "If-Match": '"2"',
    "Location.name": "Main office",
    "LocationChange.name": "Main office",
    "Money.amount": "95.00",
    "NewAgent.email": "bob@example.com",
    "NewAgent.name": "Bob",
    "NewAsset.name": "Printer on the 2nd floor",
    "NewClient.name": "Acme",
    "NewDomain.name": "acme.example",
    "NewKey.name": "monitoring",
    "NewKey.scopes": ["tickets:read"],
    "NewLocation.name": "Main office",
    "NewSchedule.name": "Backup check",
    "Rate.amount": "95.00",
    "Schedule.name": "Backup check",
    "SettingHistoryItem.client_id": None,
    "SettingHistoryItem.field": "reopen_days",
    "SettingHistoryItem.new": 30,
    "SettingHistoryItem.old": 14,
    "SettingsChange.client_notifications": False,
    "ShownKey.name": "monitoring",
    "ShownKey.scopes": ["tickets:read"],
    "StoredFile.name": "printer.jpg",
    "StoredFile.type": "image/jpeg",
    "Through.type": "key",
    "Ticket.assets": [{"id": 1, "name": "Printer on the 2nd floor"}],
    "Ticket.assigned_to": {"id": 1, "name": "Bob", "email": "bob@example.com"},
    "Ticket.client": {"id": 1, "name": "Acme"},
    "Ticket.closed_by": None,
    "Ticket.contact": {"id": 1, "name": "Ann", "email": "ann@acme.example"},
    "TicketChange.status": "working",
    "Uploaded.name": "printer.jpg",
    "Uploaded.type": "image/jpeg",
    "agent_id": 1,
    "api_key": "dw_1_SECRET",
    "asset_ids": [1],
    "assigned_to": 1,
    "attachment_ids": [1],
    "at": "2026-03-02T09:30:00Z",
    "body": "It blinks red.",
    "by": "Bob",
    "category": "Hardware",
    "cc": ["carol@acme.example"],
    "chaser_text": "Is it still blinking?",
    "client_id": 1,
    "client_name": "Acme",
    "contact_id": 1,
    "count": 1,
    "created_at": "2026-03-02T09:00:00Z",
    "cron": "0 9 * * mon",
    "currency": "EUR",
    "details": "It blinks red.",
    "domain_name": "acme.example",
    "due_at": "2026-03-06T17:00:00Z",
    "email": "ann@acme.example",
    "entry_count": 2,
    "entry_id": 2,
    "entry_ids": [2],
    "field": "status",
    "first_response_at": "2026-03-02T09:30:00Z",
    "from_address": "help@example.com",
    "from_name": "Help desk",
    "holidays": ["2026-12-25"],
    "ids": [1, 2],
    "from": "2026-03-01T00:00:00Z",
    "insert_id": 1,
    "into": 2,
    "key": "dw_2_SECRET",
    "kind": "public",
    "language": "en",
    "languages": ["en"],
    "message_id": "<e1-abcdefgh23456722@example.com>",
    "name": "Ann",
    "monday": ["09:00-12:30", "13:30-17:00"],
    "new": "working",
    "new_ticket_addresses": ["team@example.com"],
    "note": "Replaced the toner",
    "notes": "Ask for Ann",
    "number": 1,
    "old": "open",
    "origin_ticket_id": 1,
    "overridden": ["reopen_days"],
    "prefix": "TCK-",
    "priority": "high",
    "reason": "The same fault",
    "recipient": "ann@acme.example",
    "reference": "TCK-1",
    "reply": "Is it still blinking?",
    "seconds": 900,
    "sha256": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
    "size": 48_211,
    "sent_at": "2026-03-02T09:00:01Z",
    "source": "api",
    "started_at": "2026-03-02T09:15:00Z",
    "status": "open",
    "subject": "Printer offline",
    "success": "True",
    "tags": ["printer"],
    "ticket_asset_id": "1",
    "ticket_billable": "0",
    "ticket_id": 1,
    "ticket_reply_id": 2,
    "domain_id": 1,
    "ticket_prefix": "TCK-",
    "ticket_priority": "High",
    "ticket_reply_time_worked": "00:15:00",
    "ticket_reply_type": "Public",
    "ticket_status": "Open",
    "time_worked": 900,
    "timezone": "Europe/Berlin",
    "to": "2026-04-01T00:00:00Z",
    "updated_at": "2026-03-02T09:30:00Z",
    "uri": "https://printer.acme.example",
    "website": "acme.example",
    "version": 2,
    "via": "api",
    "watchers": ["carol@acme.example"],
}
"""By name, or by the schema's name and the field's where a name alone says something else."""

BY_FORMAT = {
    "csv": "\ufeffid,reference,subject,status\r\n12,TCK-12,Printer offline,open\r\n",
    "date-time": "2026-03-02T09:00:00Z",
    "date": "2026-03-02",
    "binary": "",
}


PREFIXES = ("ticket_", "client_", "contact_", "asset_", "domain_", "location_")
"""What ITFlow's names begin with."""

UNKNOWN = "…"

LEFT_OUT = {"message", "truncated"}
"""What is only said when something is amiss, or left out."""

TYPES = {str: "string", int: "integer", list: "array", dict: "object"}


_RFC3339 = re.compile(r"^([0-9-]{10})T([0-9:]{8})Z$")


class Examples:
    """Of the schemas of one document."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self._schemas = schemas

    def media(self, schema: Schema) -> dict[str, Any]:
        """`example`, or `examples` of each kind that there is, for a media type."""
        kinds = schema.get("oneOf")
        if not kinds:
            return {"example": self.of(schema)}
        return {"examples": {_referred(kind): {"value": self.of(kind)} for kind in kinds}}

    def of(self, schema: Schema, name: str = "", owner: str = "") -> Any:
        for sample in _samples(owner, name):
            if self._fits(sample, schema):
                return sample
        if "$ref" in schema:
            return self.of(self._schemas[_referred(schema)], owner=_referred(schema))
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            return self._of_several(kinds, name)
        for given in ("const", "default"):
            if given in schema:
                return schema[given]
        return self._of_type(schema, owner)

    def _fits(self, sample: Any, schema: Schema) -> bool:
        if kinds := schema.get("anyOf") or schema.get("oneOf"):
            return any(self._fits(sample, kind) for kind in kinds)
        if sample is None:
            return schema == {"type": "null"}
        if "$ref" in schema:
            return self._fits(sample, self._schemas[_referred(schema)])
        if "enum" in schema or "const" in schema:
            return sample in schema.get("enum", [schema.get("const")])
        allowed = schema.get("type", ())
        return TYPES.get(type(sample)) in ([allowed] if isinstance(allowed, str) else allowed)

    def _of_several(self, kinds: Sequence[Schema], name: str) -> Any:
        """What may be null is so, unless it is known by its name or is a document."""
        if {"type": "null"} in kinds and not any("$ref" in kind for kind in kinds):
            return None
        return self.of(kinds[0], name)

    def _of_type(self, schema: Schema, owner: str) -> Any:
        if "enum" in schema:
            return schema["enum"][0]
        kind = schema.get("type")
        if kind == "object":
            return self._object(schema, owner)
        if kind == "array":
            return [self.of(schema["items"])]
        if kind == "string":
            return BY_FORMAT.get(schema.get("format", ""), UNKNOWN)
        plain = {"integer": int(schema.get("minimum", 1)), "number": 1.0, "boolean": False}
        return plain.get(kind) if isinstance(kind, str) else None

    def _object(self, schema: Schema, owner: str) -> dict[str, Any]:
        """A request leaves out what needs not be said."""
        required = schema.get("required", ())
        request = schema.get("additionalProperties") is False
        made = {}
        for name, field in schema.get("properties", {}).items():
            value = self.of(field, name, owner)
            told = value is not None and value != field.get("default")
            if name in required or (told if request else name not in LEFT_OUT):
                made[name] = value
        return made


def _referred(schema: Schema) -> str:
    return str(schema["$ref"]).rpartition("/")[2]


def _samples(owner: str, name: str) -> Iterator[Any]:
    """What may be meant, the likeliest first: at last as ITFlow has it, where all is text."""
    for known in (f"{owner}.{name}", name):
        if known in SAMPLES:
            yield SAMPLES[known]
    for prefix in ("", *PREFIXES):
        sample = SAMPLES.get(name.removeprefix(prefix)) if name.startswith(prefix) else None
        if isinstance(sample, int):
            yield str(sample)
        elif isinstance(sample, str):
            yield _RFC3339.sub(r"\1 \2", sample)
