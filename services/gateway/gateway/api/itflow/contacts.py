"""``contacts/``. There is no portal of ours that they could log in to: no secrets of theirs."""

from typing import Any

from deskwire.contracts.people import ChangeContact, CreateContact
from gateway.api.contacts import ContactChange, NewContact
from gateway.api.itflow import php, writes
from gateway.api.itflow.face import CREATE, READ, UPDATE, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, filled, flag, null, timestamps, told
from gateway.api.itflow.writes import Field, Writer, id_or_none, line, lines, takes

TABLE = Table(
    {
        "contact_id": told("id"),
        "contact_name": told("name"),
        "contact_title": told("title"),
        "contact_email": told("email"),
        "contact_phone": told("phone"),
        "contact_extension": told("extension"),
        "contact_mobile": told("mobile"),
        "contact_photo": null,
        "contact_pin": null,
        "contact_notes": told("notes"),
        "contact_auth_method": null,
        "contact_password_hash": null,
        "contact_password_reset_token": null,
        "contact_token_expire": null,
        "contact_primary": flag("primary"),
        "contact_important": flag("important"),
        "contact_billing": flag("billing"),
        "contact_technical": flag("technical"),
        **timestamps("contact"),
        "contact_location_id": filled("location_id", "0"),
        "contact_department": told("department"),
        "contact_client_id": told("client_id"),
    }
)


def _digits(value: Any) -> str | None:
    return "".join(each for each in php.text(value) if each in "0123456789") or None


FIELDS = {
    "contact_name": Field("name", php.line),
    "contact_title": Field("title", line),
    "contact_department": Field("department", line),
    "contact_email": Field("email", line, "one contact of a client has it at most"),
    "contact_phone": Field("phone", _digits, "its digits are kept"),
    "contact_extension": Field("extension", _digits, "its digits are kept"),
    "contact_mobile": Field("mobile", _digits, "its digits are kept"),
    "contact_notes": Field("notes", lines),
    "contact_primary": Field("primary", writes.flag, "1: it is, and whoever was it no longer is"),
    "contact_important": Field("important", writes.flag, "0 or 1"),
    "contact_billing": Field("billing", writes.flag, "0 or 1"),
    "contact_technical": Field("technical", writes.flag, "0 or 1"),
    "contact_location_id": Field("location_id", id_or_none, "0: none"),
}
CONTACTS = Writer(
    "contact",
    FIELDS,
    ("contact_name", "contact_email"),
    NewContact,
    ContactChange,
    CreateContact,
    ChangeContact,
)

FACES = (
    Face(
        "contacts/read",
        READ,
        "contacts:read",
        Reader("contact", TABLE, {"contact_email": "email", "contact_phone_or_mobile": "phone"}),
        "One contact by `contact_id`, those of an address or number, or a list",
        {
            "contact_id": "this one",
            "contact_email": "the whole address",
            "contact_phone_or_mobile": "the digits",
            "client_id": "of this client",
            "limit": "",
            "offset": "",
        },
        gives=TABLE,
    ),
    Face(
        "contacts/create",
        CREATE,
        "contacts:write",
        CONTACTS.create,
        "Make a contact",
        {"client_id": "whose it is"} | takes(FIELDS),
        needs=("client_id", *CONTACTS.needs),
    ),
    Face(
        "contacts/update",
        UPDATE,
        "contacts:write",
        CONTACTS.update,
        "Change a contact; what is not given stays as it is",
        {"contact_id": "this one", "client_id": "whose it is"} | takes(FIELDS),
        needs=("contact_id", "client_id"),
    ),
    Face(
        "contacts/archive",
        UPDATE,
        "contacts:write",
        CONTACTS.archive(archived=True),
        "Archive a contact",
        {"contact_id": "this one", "client_id": "whose it is"},
        needs=("contact_id", "client_id"),
    ),
)
