"""``locations/``."""

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, flag, none, nothing, timestamps, told

TABLE = Table(
    {
        "location_id": told("id"),
        "location_name": told("name"),
        "location_country": told("country"),
        "location_address": told("address"),
        "location_city": told("city"),
        "location_state": told("state"),
        "location_zip": told("zip"),
        "location_phone": told("phone"),
        "location_hours": told("hours"),
        "location_photo": nothing,
        "location_primary": flag("primary"),
        "location_notes": told("notes"),
        **timestamps("location"),
        "location_contact_id": none,
        "location_client_id": told("client_id"),
    }
)

FACES = (
    Face(
        "locations/read",
        READ,
        "locations:read",
        Reader("location", TABLE, {}),
        "One location by `location_id`, or a list",
        {"location_id": "this one", "client_id": "of this client", "limit": "", "offset": ""},
        gives=TABLE,
    ),
)
