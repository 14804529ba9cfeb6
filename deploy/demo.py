"""The small world that `make up` starts with, and the commands that it prints."""

import shlex
import shutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from deskwire import db
from deskwire.contracts.actors import Actor, Author, Through
from deskwire.contracts.base import Command, Reply
from deskwire.contracts.people import CreateAgent, CreateClient, CreateContact, CreateDomain
from deskwire.contracts.settings import SettingChanges, UpdateSettings
from deskwire.errors import StaleVersion
from deskwire.messaging.broker import Broker, connect
from deskwire.messaging.requests import ask

AGENTS = (("Ann Agent", "ann@example.com"), ("Bob Agent", "bob@example.com"))
TEAM = "team@example.com"
DEMO = Actor(author=Author(type="system", name="make up"), through=Through(type="system"))

MAIL = r"""From: Alice Client <alice@client.test>
To: support@example.com
Subject: The printer is on fire
Message-ID: <%s@client.test>

Please send somebody. Or water.
"""


ANSWER = '{"kind": "public", "body": "Water is on its way."}'


async def load_demo(var: Path, told: Mapping[str, Any], urls: Mapping[str, str]) -> None:
    """Load it at the first start; then say how to go on."""
    key = var / "admin-key"
    if not key.exists():
        await _load(told["broker_url"])
        await _make_key(key, urls["gateway"])
    ticket_id = await _next_ticket_id(urls["ticket-svc"])
    _say_how(var, told, key.read_text(), ticket_id)


async def _load(broker_url: str) -> None:
    async with connect(broker_url, name="demo") as broker:
        client = await _once(broker, CreateClient(name="Example Client"))
        await _once(
            broker,
            CreateContact(
                client_id=client.id, name="Alice Client", email="alice@client.test", primary=True
            ),
        )
        await _once(broker, CreateDomain(client_id=client.id, name="client.test"))
        for name, email in AGENTS:
            await _once(broker, CreateAgent(name=name, email=email))
        await _name_team(broker)


async def _once(broker: Broker, command: Command[Reply]) -> Reply:
    """The id follows from the command: a start that was cut short is gone on with."""
    return (await ask(broker, command, id=uuid5(NAMESPACE_URL, f"demo:{command!r}"))).reply


async def _name_team(broker: Broker) -> None:
    try:
        changes = SettingChanges(new_ticket_addresses=(TEAM,))
        await ask(broker, UpdateSettings(changes=changes, if_version=1, actor=DEMO))
    except StaleVersion:
        return  # somebody has set them since


async def _make_key(path: Path, database_url: str) -> None:
    keys = import_module("gateway.keys")
    async with db.connect(database_url, size=1) as database:
        key = await keys.create_key(database, name="admin", scopes=["admin"])
    path.touch(mode=0o600)
    path.write_text(key)


def _say_how(var: Path, told: Mapping[str, Any], key: str, ticket: int) -> None:
    inbox, url = var / "mail" / "inbox", f"http://127.0.0.1:{told['port']}"
    outbox = inbox.with_name("outbox") / "new" if "smtp_url" in told else "DESKWIRE_SMTP_URL"
    print(
        f"""
A client writes ({_where_to_write(told, inbox, ticket)}

You read the ticket:

  {_request(key, f"{url}/api/v1/tickets/{ticket}")}

You answer it (mails go out to {outbox}):

  {_request(key, f"{url}/api/v1/tickets/{ticket}/entries", ANSWER)}

Everything else: {url}/docs        Ctrl-C stops.

key: {key}
ready: {url}""",
        flush=True,
    )


def _where_to_write(told: Mapping[str, Any], inbox: Path, ticket: int) -> str:
    if "mailboxes" not in told:
        return "a mail to one of DESKWIRE_MAILBOXES)."
    return f"mails come in at {inbox / 'new'}):\n\n{_drop_mail(inbox, ticket)}"


def _drop_mail(inbox: Path, ticket: int) -> str:
    lines = (MAIL % f"printer-{ticket}").replace("\n", "\\n")
    name = f"printer-{ticket}"
    return f"  printf '{lines}' > {inbox}/tmp/{name} && mv {inbox}/tmp/{name} {inbox}/new/"


def _request(key: str, url: str, body: str = "") -> str:
    """For curl, or for Python where a fresh machine has none."""
    if shutil.which("curl"):
        data = f" --json {shlex.quote(body)}" if body else ""
        return f"curl -sS -H 'Authorization: Bearer {key}'{data} {url}"
    headers = f'{{"Authorization":"Bearer {key}","Content-Type":"application/json"}}'
    data = f", {body.encode()!r}" if body else ", None"
    call = f'u.urlopen(u.Request("{url}"{data}, {headers})).read().decode()'
    return f"python3 -c {shlex.quote(f'import urllib.request as u; print({call})')}"


async def _next_ticket_id(tickets_url: str) -> int:
    query = "SELECT last_value + CASE WHEN is_called THEN 1 ELSE 0 END FROM tickets_id_seq"
    async with db.connect(tickets_url, size=1) as database:
        return int(await database.pool.fetchval(query))
