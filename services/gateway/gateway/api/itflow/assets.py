"""``assets/``. Archived ones are deleted to ITFlow's clients."""

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import CLIENT, Reader
from gateway.api.itflow.rows import Table, filled, none, timestamps, told

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
        "asset_login_id": none,
        "asset_vendor_id": none,
        "asset_location_id": filled("location_id", "0"),
        "asset_contact_id": filled("contact_id", "0"),
        "asset_network_id": none,
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
)
