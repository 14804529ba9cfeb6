"""``domains/``: of what ITFlow keeps of a domain we keep whose it is."""

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, null, timestamps, told, zero

TABLE = Table(
    {
        "domain_id": told("id"),
        "domain_name": told("name"),
        "domain_expire": null,
        "domain_ip": null,
        "domain_name_servers": null,
        "domain_mail_servers": null,
        "domain_txt": null,
        "domain_raw_whois": null,
        **timestamps("domain"),
        "domain_registrar": zero,
        "domain_webhost": zero,
        "domain_client_id": told("client_id"),
    }
)

FACES = (
    Face(
        "domains/read",
        READ,
        "domains:read",
        Reader("domain", TABLE, {"domain_name": "name"}),
        "One domain by `domain_id`, that of a name, or a list",
        {
            "domain_id": "this one",
            "domain_name": "the whole name",
            "client_id": "of this client",
            "limit": "",
            "offset": "",
        },
        gives=TABLE,
    ),
)
