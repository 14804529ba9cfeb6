"""`deskwire` as operators run it: a process of its own, on a real PostgreSQL and RabbitMQ."""

import asyncio
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from deskwire import db
from deskwire.contracts.base import Message
from deskwire.contracts.mail import MailHandled
from deskwire.contracts.replay import ReplayDocuments
from deskwire.local import Smtp, free_port
from deskwire.messaging.broker import Delivery, connect
from deskwire.messaging.consumer import Consumer
from deskwire.messaging.envelope import unwrap
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.messaging.rabbit import apply_topology
from deskwire.services import SERVICES
from deskwire.testing import FreshDatabase, database_url
from deskwire.topology import MAIL_INGEST_SVC, TICKET_SVC

DESKWIRE = Path(sys.executable).with_name("deskwire")
NOWHERE = "postgresql://nobody@127.0.0.1:1/nothing"
SETTINGS = {
    "SIGNING_KEY": "a signing key for tests alone",
    "SMTP_URL": "smtp://127.0.0.1:25",
    "MAIL_FROM": "support@example.com",
}
HANDLED = MailHandled(mail_id=7, outcome="ignored", reason="a newsletter")


@dataclass(frozen=True)
class Done:
    code: int
    out: str
    err: str

    def refused(self) -> str:
        """The one line that says why not."""
        assert self.code == 1, self
        (line,) = self.err.splitlines()
        assert line.startswith("deskwire: ")
        assert "Traceback" not in self.out
        return line

    def lines(self) -> list[str]:
        assert (self.code, self.err) == (0, ""), self
        return self.out.splitlines()


async def deskwire(*arguments: str, **settings: str) -> Done:
    """Run it with these ``DESKWIRE_`` variables and no others."""
    inherited = {name: v for name, v in os.environ.items() if not name.startswith("DESKWIRE_")}
    process = await asyncio.create_subprocess_exec(
        DESKWIRE,
        *arguments,
        env=inherited | {f"DESKWIRE_{name}": value for name, value in settings.items()},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Done(process.returncode or 0, out.decode(), err.decode())


@pytest.fixture
def databases(fresh_database: FreshDatabase) -> dict[str, str]:
    return {service.name: fresh_database(service.package) for service in SERVICES}


@pytest.fixture
async def empty_databases(postgres_server: str) -> AsyncIterator[str]:
    """A template of URLs, of five databases without any schema."""
    prefix = f"cli_{uuid4().hex}_"
    server = await asyncpg.connect(postgres_server)
    for service in SERVICES:
        await server.execute(f'CREATE DATABASE "{prefix}{service.name}"')
    yield database_url(postgres_server, prefix + "{service}")
    for service in SERVICES:
        await server.execute(f'DROP DATABASE "{prefix}{service.name}" WITH (FORCE)')
    await server.close()


@asynccontextmanager
async def outbox_of(url: str) -> AsyncIterator[Outbox]:
    async with connect(f"memory://{uuid4()}") as broker, db.connect(url, size=2) as database:
        yield Outbox(database, broker, service="test")


async def run_sql(url: str, statement: str, *values: object) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()


# Help, and what cannot work


def test_help_waits_for_nothing_slow() -> None:
    slow = "{'asyncpg', 'sqlalchemy', 'alembic', 'aio_pika', 'pydantic', 'uvicorn', 'obstore'}"
    code = f"import sys, deskwire.cli; print({slow} & set(sys.modules))"
    assert subprocess.check_output([sys.executable, "-c", code], text=True) == "set()\n"


async def test_help_names_every_command() -> None:
    shown = "\n".join((await deskwire("--help")).lines())
    for name in ("up", "migrate", "topology", "keys", "dlq", "outbox", "doctor", "reproject"):
        assert re.search(rf"\b{name}\b", shown)


@pytest.mark.parametrize(
    ("arguments", "settings", "words"),
    [
        ("migrate", {}, "DESKWIRE_DATABASE_URL"),
        ("migrate", {"DATABASE_URL": NOWHERE}, "say of which with --service"),
        ("migrate --service tickets", {"DATABASE_URL": NOWHERE}, "no service tickets"),
        ("migrate --service gateway", {"DATABASE_URL": NOWHERE}, "cannot be reached"),
        ("dlq list --service gateway", {"DATABASE_URL": NOWHERE}, "cannot be reached"),
        ("doctor", {"DATABASE_URLS": "gateway"}, "not JSON"),
        ("doctor", {"DATABASE_URLS": "[]"}, "no object"),
        ("keys list", {"DATABASE_URLS": '{"ticket-svc": "x"}'}, "has no gateway"),
        ("migrate", {"DATABASE_URL_FILE": "/no/such/file"}, "/no/such/file: No such file"),
        ("topology apply", {}, "set DESKWIRE_BROKER_URL"),
        ("topology apply", {"BROKER_URL": "memory://x"}, "inside another process"),
        ("reproject", {"BROKER_URL": "memory://x"}, "inside another process"),
        ("topology check", {"BROKER_URL": "amqp://127.0.0.1:1/"}, "127.0.0.1:1/ cannot be"),
        ("outbox republish --since noon", {"DATABASE_URL": NOWHERE}, "noon is no date"),
    ],
)
async def test_what_cannot_work_is_one_line(
    arguments: str, settings: dict[str, str], words: str
) -> None:
    assert words in (await deskwire(*arguments.split(), **settings)).refused()


# Databases


async def test_migrate(empty_databases: str, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text(empty_databases + "\n")
    for _ in range(2):
        lines = (await deskwire("migrate", DATABASE_URL_FILE=str(file))).lines()
        assert lines == [f"{service.name} has the newest schema" for service in SERVICES]
    for service in SERVICES:
        url = empty_databases.replace("{service}", service.name)
        assert await run_sql(url, "SELECT * FROM inbox") == []
    tickets = empty_databases.replace("{service}", "ticket-svc")
    rows_known = "SELECT reltuples FROM pg_class WHERE relname = 'settings'"
    assert [row["reltuples"] for row in await run_sql(tickets, rows_known)] == [1]


async def test_migrate_one(empty_databases: str) -> None:
    settings = {"DATABASE_URL": empty_databases}
    one = await deskwire("migrate", "--service", "gateway", **settings)
    assert one.lines() == ["gateway has the newest schema"]
    refused = (await deskwire("dlq", "list", "--service", "notify-svc", **settings)).refused()
    assert "the database of notify-svc has no schema" in refused


async def test_migrate_without_a_database(postgres_server: str) -> None:
    url = database_url(postgres_server, f"missing-{uuid4().hex}")
    done = await deskwire("migrate", "--service", "gateway", DATABASE_URL=url)
    assert "has no such database: create it" in done.refused()


# Keys


async def test_keys(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps({"gateway": databases["gateway"]})}
    create = ("keys", "create", "--name", "Front end", "--client", "7", "--expires", "2099-01-31")
    (key,) = (await deskwire(*create, "--scopes", "tickets:read, clients:read", **settings)).lines()
    assert re.fullmatch(r"dw_1_[0-9a-f]{40}", key)
    columns, row = (await deskwire("keys", "list", **settings)).lines()
    shown = dict(zip(columns.split("\t"), row.split("\t"), strict=True))
    assert shown["name"] == "Front end"
    assert (shown["client_id"], shown["agent_id"]) == ("7", "-")
    assert shown["scopes"] == "clients:read,tickets:read"
    assert shown["expires_at"] == "2099-01-31 00:00:00Z"
    assert shown["revoked_at"] == "-"
    assert (await deskwire("keys", "revoke", "1", **settings)).lines() == ["revoked 1"]
    _, row = (await deskwire("keys", "list", **settings)).lines()
    assert datetime.now(UTC).strftime("%Y-%m") in row.split("\t")[6]


async def test_keys_that_cannot_be(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    create = ("keys", "create", "--name", "x", "--scopes")
    assert "nonsense" in (await deskwire(*create, "nonsense", **settings)).refused()
    late = await deskwire(*create, "admin", "--expires", "soon", **settings)
    assert "soon is no date" in late.refused()
    assert "no key 9" in (await deskwire("keys", "revoke", "9", **settings)).refused()


# Dead letters and the outbox


class Office:
    """A consumer that fails until it is mended."""

    def __init__(self) -> None:
        self.broken = True
        self.seen: list[Message] = []

    async def handle(self, message: Message, _tx: Transaction) -> None:
        if self.broken:
            raise RuntimeError("the office is shut")
        self.seen.append(message)


async def fail(url: str, ids: Sequence[UUID], *, parked: bool) -> None:
    retry = "NULL" if parked else "now() + interval '10 minutes'"
    await run_sql(
        url,
        "INSERT INTO dead_letters (consumer, message_id, type, aggregate, body, correlation_id,"
        " causation_id, traceparent, attempts, error, retry_at)"
        f" SELECT 'mail-ingest-svc', id, $2, '', $3, '', '', '', 6, 'it broke', {retry}"
        " FROM unnest($1::uuid[]) AS id",
        list(ids),
        HANDLED.wire_name,
        HANDLED.model_dump_json().encode(),
    )


async def test_dlq_shows_what_failed(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    parked, retrying = uuid4(), uuid4()
    await fail(databases["mail-ingest-svc"], [parked], parked=True)
    await fail(databases["mail-ingest-svc"], [retrying], parked=False)
    listed = (await deskwire("dlq", "list", **settings)).lines()
    assert [line for line in listed if "\t" not in line] == ["parked: 1", "retrying: 1"]
    assert str(parked) in listed[2]
    assert "it broke" in listed[2]
    assert str(retrying) in listed[5]
    shown = "\n".join((await deskwire("dlq", "show", str(parked), **settings)).lines())
    assert "error: it broke" in shown
    assert '"reason": "a newsletter"' in shown


async def test_dlq_replay_keeps_the_message_id(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URLS": json.dumps(databases)}
    message_id = uuid4()
    await fail(url, [message_id], parked=True)
    office = Office()
    async with outbox_of(url) as outbox:
        consumer = Consumer(MAIL_INGEST_SVC, {MailHandled: office.handle}, outbox)
        await consumer.retry_due()
        assert office.seen == []  # it is parked

        done = await deskwire("dlq", "replay", str(message_id), **settings)
        assert done.lines() == [f"replayed {message_id} at mail-ingest-svc"]
        await consumer.retry_due()  # it fails once more, and is not given up at once
        (row,) = await run_sql(url, "SELECT * FROM dead_letters")
        assert (row["attempts"], row["retry_at"] is not None) == (1, True)

        office.broken = False
        await deskwire("dlq", "replay", str(message_id), **settings)
        await consumer.retry_due()
    assert office.seen == [HANDLED]
    assert await run_sql(url, "SELECT * FROM dead_letters") == []
    (known,) = await run_sql(url, "SELECT message_id FROM inbox")
    assert known["message_id"] == message_id


async def test_dlq_replays_all_that_is_parked(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URL": url}
    service = ("--service", "mail-ingest-svc")
    await fail(url, [uuid4(), uuid4()], parked=True)
    await fail(url, [uuid4()], parked=False)
    assert len((await deskwire("dlq", "replay", "--all", *service, **settings)).lines()) == 2
    due = await run_sql(url, "SELECT 1 FROM dead_letters WHERE retry_at <= now()")
    assert len(due) == 2
    none = await deskwire("dlq", "replay", "--all", *service, **settings)
    assert "no such dead letter" in none.refused()


async def test_dlq_discard(databases: dict[str, str]) -> None:
    url = databases["mail-ingest-svc"]
    settings = {"DATABASE_URLS": json.dumps(databases)}
    unwanted, wanted = uuid4(), uuid4()
    await fail(url, [unwanted, wanted], parked=True)
    assert (await deskwire("dlq", "discard", str(unwanted), **settings)).lines()
    (left,) = await run_sql(url, "SELECT message_id FROM dead_letters")
    assert left["message_id"] == wanted
    again = await deskwire("dlq", "discard", str(unwanted), **settings)
    assert "no such dead letter" in again.refused()


async def test_outbox(databases: dict[str, str]) -> None:
    url = databases["ticket-svc"]
    settings = {"DATABASE_URL": url}
    of = ("--service", "ticket-svc")
    async with outbox_of(url) as outbox:
        async with outbox.transaction() as tx:
            tx.emit(HANDLED)
        await run_sql(url, "UPDATE outbox SET created_at = now() - interval '90 s'")
        head, _, row = (await deskwire("outbox", "list", *of, **settings)).lines()
        assert re.fullmatch(r"ticket-svc: 1 waiting, the oldest for (9|1\d)\d s", head)
        assert "mail:7" in row.split("\t")
        await run_sql(url, "UPDATE outbox SET published_at = '2026-05-04 12:00Z'")

    republish = ("outbox", "republish", *of, "--since")
    (line,) = (await deskwire(*republish, "2026-05-04T12:00:01", **settings)).lines()
    assert line == "ticket-svc: 0 messages are published again"
    (line,) = (await deskwire(*republish, "2026-05-04T12:00", **settings)).lines()
    assert line == "ticket-svc: 1 messages are published again"
    (again,) = await run_sql(url, "SELECT message_id, published_at FROM outbox")
    assert again["published_at"] is None
    assert str(again["message_id"]) in row.split("\t")


# RabbitMQ


async def test_topology(amqp_url: str) -> None:
    settings = {"BROKER_URL": amqp_url}
    assert "missing: ticket-svc" in (await deskwire("topology", "check", **settings)).refused()
    for _ in range(2):
        assert "ticket-svc" in (await deskwire("topology", "apply", **settings)).lines()[0]
    assert (await deskwire("topology", "check", **settings)).lines() == ["complete"]


async def test_reproject(amqp_url: str) -> None:
    await apply_topology(amqp_url)
    asked: asyncio.Queue[Message] = asyncio.Queue()

    async def hear(batch: Sequence[Delivery]) -> None:
        for delivery in batch:
            asked.put_nowait(unwrap(delivery.envelope))

    async with connect(amqp_url) as broker, broker.consume(TICKET_SVC, hear):
        (await deskwire("reproject", BROKER_URL=amqp_url)).lines()
        assert await asyncio.wait_for(asked.get(), 10) == ReplayDocuments()


# Doctor


def findings(done: Done) -> dict[str, tuple[bool, str]]:
    """Check -> whether it is well, and what was found."""
    found = {}
    for line in done.out.splitlines():
        mark, title, words = re.fullmatch(r"(ok   |FAIL ) (.*?): (.*)", line).groups()  # type: ignore[union-attr] # a line that does not match fails the test
        found[title] = (mark == "ok   ", words)
    return found


async def test_doctor_finds_nothing(
    databases: dict[str, str], amqp_url: str, tmp_path: Path
) -> None:
    await apply_topology(amqp_url)
    done = await deskwire(
        "doctor",
        DATABASE_URLS=json.dumps(databases),
        BROKER_URL=amqp_url,
        BLOB_URL=f"file://{tmp_path / 'blobs'}",
        **SETTINGS,
    )
    found = findings(done)
    assert (done.code, [title for title, (well, _) in found.items() if not well]) == (0, [])
    assert len(found) == 5 * len(SERVICES) + 1 + 4


async def test_doctor_finds_what_is_late(databases: dict[str, str]) -> None:
    late = "INSERT INTO alarms VALUES (1, now() - interval '2 min', 1)"
    await run_sql(databases["scheduler-svc"], late)
    done = await deskwire("doctor", DATABASE_URLS=json.dumps(databases), BROKER_URL="memory://x")
    assert "what is due waits for 12" in findings(done)["scheduler-svc schedules and alarms"][1]


async def test_doctor_finds_what_is_wrong(
    databases: dict[str, str], amqp_url: str, tmp_path: Path
) -> None:
    await fail(databases["mail-ingest-svc"], [uuid4()], parked=True)
    await run_sql(databases["gateway"], "UPDATE alembic_version SET version_num = '0000'")
    async with outbox_of(databases["notify-svc"]) as outbox, outbox.transaction() as tx:
        tx.emit(HANDLED)
    late = "UPDATE outbox SET created_at = now() - interval '2 min'"
    await run_sql(databases["notify-svc"], late)
    (tmp_path / "file").touch()
    done = await deskwire(
        "doctor",
        DATABASE_URLS=json.dumps(databases | {"scheduler-svc": NOWHERE}),
        BROKER_URL=amqp_url,
        BLOB_URL=f"file://{tmp_path / 'file'}",
        **SETTINGS | {"SIGNING_KEY": "short"},
    )
    found = findings(done)
    assert done.code == 1
    assert done.err == ""
    wrong = {title: words for title, (well, words) in found.items() if not well}
    assert "DESKWIRE_SIGNING_KEY" in wrong.pop("ticket-svc settings")
    assert "1 were given up" in wrong.pop("mail-ingest-svc dead letters")
    assert "schema 0000" in wrong.pop("gateway database")
    assert "1 messages wait" in wrong.pop("notify-svc outbox")
    assert "ticket-svc" in wrong.pop("broker")
    assert "cannot be used" in wrong.pop("blob store")
    scheduler = ("database", "clock", "outbox", "dead letters", "schedules and alarms")
    for title in (f"scheduler-svc {look}" for look in scheduler):
        assert "cannot be reached" in wrong.pop(title)
    assert set(wrong) == {"queues", "dead-letter queues"}  # there are none


async def test_keys_of_mails_are_looked_at_and_told(
    databases: dict[str, str], tmp_path: Path
) -> None:
    key = tmp_path / "key.pem"
    made = Ed25519PrivateKey.generate()
    key.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    one = {"domain": "example.com", "selector": "desk", "key_file": str(key)}
    told = await deskwire("mail", "dkim", DKIM=json.dumps([one]), **SETTINGS)
    (line,) = told.lines()
    assert line.startswith('desk._domainkey.example.com. TXT "v=DKIM1; k=ed25519; p=')
    none = await deskwire("mail", "dkim", **SETTINGS)
    assert "DESKWIRE_DKIM names no key" in none.refused()
    gone = json.dumps([one | {"key_file": str(tmp_path / "gone.pem")}])
    urls = json.dumps({"notify-svc": databases["notify-svc"]})
    found = findings(
        await deskwire(
            *("doctor", "--service", "notify-svc"),
            DATABASE_URLS=urls,
            BROKER_URL="memory://x",
            DKIM=gone,
            **SETTINGS,
        )
    )
    well, words = found["notify-svc settings"]
    assert not well
    assert "DESKWIRE_DKIM" in words
    assert "gone.pem: No such file" in words


# Mail, documents, the embedded run


async def test_mail(databases: dict[str, str]) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases)}
    await run_sql(
        databases["mail-ingest-svc"],
        "INSERT INTO mails (mailbox, folder, uidvalidity, uid, size, state, subject)"
        " VALUES ('support', 'INBOX', 1, '1', 10, 'ignored', 'Buy now')",
    )
    columns, row = (await deskwire("mail", "inbound", **settings)).lines()
    shown = dict(zip(columns.split("\t"), row.split("\t"), strict=True))
    assert (shown["state"], shown["subject"], shown["sender"]) == ("ignored", "Buy now", "-")
    assert len((await deskwire("mail", "inbound", "--state", "failed", **settings)).lines()) == 1
    wrong = await deskwire("mail", "inbound", "--state", "lost", **settings)
    assert "lost is none of received, " in wrong.refused()
    (columns,) = (await deskwire("mail", "outbound", "--state", "sent", **settings)).lines()
    assert "recipient" in columns


@pytest.mark.parametrize(
    "body", [b"Yes.\r\n\r\n> No?\xff\r\n> No?", b'Yes.<blockquote type="cite">No?</blockquote>']
)
def test_mail_strip(body: bytes) -> None:
    told = json.loads(stripped(body, "--json"))
    assert (told["visible"], told["signature"], told["shown_all"]) == ("Yes.", "", False)
    assert told["quoted"].startswith(("> No?", "No?"))
    assert stripped(body) == "Yes.\n"
    assert stripped(b"<p>1 < 2</p>", "--plain") == "<p>1 < 2</p>\n"


def stripped(body: bytes, *options: str) -> str:
    command = (str(DESKWIRE), "mail", "strip", *options)
    return subprocess.run(command, input=body, stdout=subprocess.PIPE, check=True).stdout.decode()


async def test_blobs(databases: dict[str, str], tmp_path: Path) -> None:
    settings = {"DATABASE_URLS": json.dumps(databases), "BLOB_URL": f"file://{tmp_path}"}
    await run_sql(
        databases["ticket-svc"], "INSERT INTO discarded_blobs (blob_id) VALUES ('tickets/x/1')"
    )
    lines = (await deskwire("blobs", **settings)).lines()
    assert lines == ["blob\twhy", "tickets/x/1\tdiscarded"]


async def test_what_is_understood_of_mails_in_files(tmp_path: Path) -> None:
    mail, missing = tmp_path / "a.eml", tmp_path / "none.eml"
    mail.write_bytes(b"From: Ann <ann@example.org>\nSubject: =?utf-8?q?H=C3=AF?=\n\nHello\n")
    done = await deskwire("mail", "parse", "--json", str(mail), str(missing))
    assert (done.code, done.err) == (1, "")
    told, wrong = map(json.loads, done.out.splitlines())
    assert (told["file"], told["subject"], told["text"]) == (str(mail), "Hï", "Hello")
    assert told["from"] == [{"name": "Ann", "address": "ann@example.org"}]
    assert told["class"] == {"kind": "person", "reason": "", "recipients": []}
    assert "No such file" in wrong["error"]
    assert len((await deskwire("mail", "parse", str(mail))).lines()) == 2


async def test_a_mail_by_hand_says_what_the_server_answers(smtp_server: Smtp) -> None:
    settings = {"SMTP_URL": smtp_server.url, "MAIL_FROM": "support@example.com"}
    by_hand = ("mail", "test", "--to", "ann@example.org", "--language", "de")
    assert (await deskwire(*by_hand, **settings)).lines() == ["250 2.0.0 OK"]
    assert smtp_server.mails[0].recipients == ("ann@example.org",)
    assert b"Content-Language: de" in smtp_server.mails[0].raw
    smtp_server.script = lambda command, _: "550 5.7.1 not you" if command == "MAIL" else None
    assert "550 5.7.1 not you" in (await deskwire(*by_hand, **settings)).refused()
    nowhere = settings | {"SMTP_URL": f"smtp://127.0.0.1:{free_port()}"}
    assert "127.0.0.1" in (await deskwire(*by_hand, **nowhere)).refused()
    unknown = await deskwire(*by_hand, "--mail", "tea", **settings)
    assert "there is no mail tea" in unknown.refused()


async def test_mails_are_tried_and_shown_before_anybody_gets_them(tmp_path: Path) -> None:
    (line,) = (await deskwire("templates", "check")).lines()
    assert line.endswith("mails in de, en, es, fr, nl can be written")
    pages = tmp_path / "pages"
    await deskwire("templates", "preview", str(pages), "--language", "de")
    assert "Ticket geschlossen" in (pages / "index.html").read_text()
    (tmp_path / "languages").mkdir()
    (tmp_path / "languages" / "de.toml").write_text('[note]\nlead = "{nobody}"')
    refused = (await deskwire("templates", "check", TEMPLATES=str(tmp_path))).refused()
    assert "mail note in de" in refused


async def test_docs(tmp_path: Path) -> None:
    folder = ("docs", "--folder", str(tmp_path))
    await deskwire(*folder)
    assert json.loads((tmp_path / "asyncapi.json").read_text())["asyncapi"] == "3.0.0"
    assert json.loads((tmp_path / "openapi.json").read_text())["openapi"].startswith("3.")
    assert "Ticket closed - [TCK-12]" in (tmp_path / "mails.html").read_text()
    assert "| `ticket.opened.v1` | TicketOpened |" in (tmp_path / "messages.md").read_text()
    fresh = "fresh: asyncapi.json mails.html messages.md openapi.json"
    assert (await deskwire(*folder, "--check")).lines() == [fresh]
    (tmp_path / "asyncapi.json").write_text("{}")
    assert "asyncapi.json in" in (await deskwire(*folder, "--check")).refused()
    assert (tmp_path / "asyncapi.json").read_text() == "{}"


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield int(listener.getsockname()[1])


async def test_up_runs_the_embedded_run(
    taken_port: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PORT", str(taken_port))
    monkeypatch.setenv("VAR", str(tmp_path))
    done = await deskwire("up")
    assert done.code == 1
    assert f"port {taken_port} is taken" in done.err
