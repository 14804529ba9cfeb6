"""``assets/``. Archived ones are deleted to ITFlow's clients."""

from deskwire.contracts.people import ChangeAsset, CreateAsset
from gateway.api.assets import AssetChange, NewAsset
from gateway.api.itflow import php
from gateway.api.itflow.face import CREATE, DELETE, READ, UPDATE, Face
from gateway.api.itflow.records import CLIENT, Reader
from gateway.api.itflow.rows import Table, filled, timestamps, told, zero
from gateway.api.itflow.writes import Field, Writer, id_or_none, line, lines, takes

TABLE = Table(
    {
        "asset_id": told("id"),
        "asset_type": filled("type"),
        "asset_name": told("name"),
        "asset_description": told("description"),
        "asset_make": filled("make"),
        "asset_model": told("model"),
        "asset_serial": told("serial"),
        "asset_os": told("os"),
        "asset_ip": told("ip"),
        "asset_mac": told("mac"),
        "asset_uri": told("uri"),
        "asset_status": told("status"),
        "asset_purchase_date": told("purchase_date"),
        "asset_warranty_expire": told("warranty_expire"),
        "asset_install_date": told("install_date"),
        "asset_notes": told("notes"),
        **timestamps("asset"),
        "asset_login_id": zero,
        "asset_vendor_id": zero,
        "asset_location_id": filled("location_id", "0"),
        "asset_contact_id": filled("contact_id", "0"),
        "asset_network_id": zero,
        "asset_client_id": told("client_id"),
    }
)

LOOKUPS = {
    "asset_type": "type",
    "asset_name": "name",
    "asset_serial": "serial",
    "client_id": CLIENT,
    "asset_mac": "mac",
    "asset_uri": "uri",
}

FIELDS = {
    "asset_name": Field("name", php.line),
    "asset_type": Field("type", line),
    "asset_description": Field("description", line),
    "asset_make": Field("make", line),
    "asset_model": Field("model", line),
    "asset_serial": Field("serial", line),
    "asset_os": Field("os", line),
    "asset_ip": Field("ip", line),
    "asset_mac": Field("mac", line),
    "asset_uri": Field("uri", line),
    "asset_status": Field("status", line),
    "asset_purchase_date": Field("purchase_date", line, "YYYY-MM-DD"),
    "asset_warranty_expire": Field("warranty_expire", line, "YYYY-MM-DD"),
    "asset_install_date": Field("install_date", line, "YYYY-MM-DD"),
    "asset_notes": Field("notes", lines),
    "asset_location_id": Field("location_id", id_or_none, "0: none"),
    "asset_contact_id": Field("contact_id", id_or_none, "0: none"),
}
ASSETS = Writer(
    "asset", FIELDS, ("asset_name",), NewAsset, AssetChange, CreateAsset, ChangeAsset, deletes=True
)

FACES = (
    Face(
        "assets/read",
        READ,
        "assets:read",
        Reader("asset", TABLE, LOOKUPS, archived=False),
        "One asset by `asset_id`, those with a value (the first that is given), or a list",
        {"asset_id": "this one"} | dict.fromkeys(LOOKUPS, "") | {"limit": "", "offset": ""},
        gives=TABLE,
    ),
    Face(
        "assets/create",
        CREATE,
        "assets:write",
        ASSETS.create,
        "Make an asset",
        {"client_id": "whose it is"} | takes(FIELDS),
        needs=("client_id", *ASSETS.needs),
    ),
    Face(
        "assets/update",
        UPDATE,
        "assets:write",
        ASSETS.update,
        "Change an asset; what is not given stays as it is",
        {"asset_id": "this one", "client_id": "whose it is"} | takes(FIELDS),
        needs=("asset_id", "client_id"),
    ),
    Face(
        "assets/delete",
        DELETE,
        "assets:write",
        ASSETS.archive(archived=True),
        "Delete an asset: it is archived",
        {"asset_id": "this one", "client_id": "whose it is"},
        needs=("asset_id", "client_id"),
    ),
)
