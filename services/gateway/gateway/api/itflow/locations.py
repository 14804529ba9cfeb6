"""``locations/``."""

from deskwire.contracts.people import ChangeLocation, CreateLocation
from gateway.api.itflow import php, writes
from gateway.api.itflow.face import CREATE, READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, flag, null, timestamps, told, zero
from gateway.api.itflow.writes import Field, Writer, line, lines, takes
from gateway.api.locations import LocationChange, NewLocation

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
        "location_photo": null,
        "location_primary": flag("primary"),
        "location_notes": told("notes"),
        **timestamps("location"),
        "location_contact_id": zero,
        "location_client_id": told("client_id"),
    }
)

FIELDS = {
    "location_name": Field("name", php.line),
    "location_description": Field("description", line),
    "location_country": Field("country", line),
    "location_address": Field("address", line),
    "location_city": Field("city", line),
    "location_state": Field("state", line),
    "location_zip": Field("zip", line),
    "location_phone": Field("phone", line),
    "location_hours": Field("hours", line),
    "location_notes": Field("notes", lines),
    "location_primary": Field(
        "primary", writes.flag, "1: it is, and whichever was it no longer is"
    ),
}
LOCATIONS = Writer(
    "location",
    FIELDS,
    ("location_name",),
    NewLocation,
    LocationChange,
    CreateLocation,
    ChangeLocation,
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
    Face(
        "locations/create",
        CREATE,
        "locations:write",
        LOCATIONS.create,
        "Make a location",
        {"client_id": "whose it is"} | takes(FIELDS),
        needs=("client_id", *LOCATIONS.needs),
    ),
)
