"""``domains/``: of what ITFlow keeps of a domain we keep whose it is."""

from gateway.api.itflow.face import READ, Face
from gateway.api.itflow.records import Reader
from gateway.api.itflow.rows import Table, none, nothing, timestamps, told

TABLE = Table(
    {
        "domain_id": told("id"),
        "domain_name": told("name"),
        "domain_expire": nothing,
        "domain_ip": nothing,
        "domain_name_servers": nothing,
        "domain_mail_servers": nothing,
        "domain_txt": nothing,
        "domain_raw_whois": nothing,
        **timestamps("domain"),
        "domain_registrar": none,
        "domain_webhost": none,
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
