"""``contacts/``. There is no portal of ours that they could log in to: no secrets of theirs."""

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, filled, flag, nothing, timestamps, told

TABLE = Table(
    {
        "contact_id": told("id"),
        "contact_name": told("name"),
        "contact_title": told("title"),
        "contact_email": told("email"),
        "contact_phone": told("phone"),
        "contact_extension": told("extension"),
        "contact_mobile": told("mobile"),
        "contact_photo": nothing,
        "contact_pin": nothing,
        "contact_notes": told("notes"),
        "contact_auth_method": nothing,
        "contact_password_hash": nothing,
        "contact_password_reset_token": nothing,
        "contact_token_expire": nothing,
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
)
