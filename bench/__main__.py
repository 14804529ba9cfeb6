"""Runs it all and prints ratios; the whole figures go to bench/results/latest.json."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from rich.console import Console
from rich.table import Table

from bench import ingest, limit, load, mailway, sending
from bench.rig import ROOT, Rig, running
from bench.seed import TICKETS, seed
from deskwire.local import dovecot, dovecot_available, free_port, rabbitmq_available

BODY = {"subject": "Printer", "body": "It is on fire. " * 20, "client_id": 2}
ENTRY = {"body": BODY["body"], "kind": "internal"}  # told to nobody, as the tickets are
QUIET = {"name": "Quiet Client", "notifications": False}
TEAM = ["team@example.com"]
TOLD_NOBODY = {"new_ticket_addresses": [], "client_notifications": False}
NO_BUDGETS = {"tickets_per_sender": 100_000, "acknowledgements_per_sender": 100_000}
SECONDS = 8.0
SUSTAINED_SECONDS = 60.0
SINGLE_MAILS = 12
BACKLOG_MAILS = 300


@dataclass
class Report:
    """Figures by name, and the rows that set them beside each other."""

    figures: dict[str, float] = field(default_factory=dict)
    rows: list[tuple[str, float, str, float, float | None]] = field(default_factory=list)

    def ratio(self, name: str, value: float, peer: str, wanted: float | None = None) -> None:
        self.figures[name] = value
        self.rows.append((name, value, peer, self.figures[peer], wanted))
        say(f"{name}: {value / self.figures[peer]:.2f} of {peer}")

    def limit(self, name: str, value: float, at_most: float) -> None:
        self.figures[name] = value
        self.figures[f"{name}, at most"] = at_most
        self.rows.append((name, value, "at most", at_most, None))
        say(f"{name}: {value:.3f}, at most {at_most:g}")

    def print(self) -> None:
        table = Table("measured", "value", "beside", "value", "ratio", "wanted")
        for name, value, peer, beside, wanted in self.rows:
            verdict = "" if wanted is None else f">= {wanted:g}"
            table.add_row(
                name, f"{value:,.2f}", peer, f"{beside:,.2f}", f"{value / beside:.2f}", verdict
            )
        Console(width=130).print(table)

    def write(self) -> None:
        folder = ROOT / "bench" / "results"
        folder.mkdir(exist_ok=True)
        (folder / "latest.json").write_text(json.dumps(self.figures, indent=2) + "\n")


def main() -> None:
    if not load.available():
        raise SystemExit("bench: wrk is missing: apt-get install wrk")
    report = Report()
    with TemporaryDirectory(prefix="deskwire-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)
        with running(folder / "var", "memory") as rig:
            asyncio.run(_in_one_process(rig, folder, report))
        _over_smtp(folder, report)
        asyncio.run(_mails_in(folder, report))
        if rabbitmq_available():
            asyncio.run(_over_rabbitmq(folder, report))
        else:
            say("no RabbitMQ here: apt-get install rabbitmq-server for its part")
    report.print()
    report.write()


async def _in_one_process(rig: Rig, folder: Path, report: Report) -> None:
    report.limit("start of make up, s", rig.started_in, 10)
    report.limit("idle memory of make up, MiB", rig.memory(), 250)
    say(f"seeding {TICKETS:,} tickets")
    await seed(rig)
    rig.api("POST", "/clients", QUIET)  # created tickets are told to nobody, as by ITFlow's API
    _tell(rig, [], version=2)
    with _direct(rig) as url:
        report.figures["static answer"] = _get(url, rig, "/api/v1/bench/static", folder).per_second
        report.figures["create without a broker"] = _post(url, rig, "/api/v1/bench/tickets", folder)
    one = _get(rig.url, rig, "/api/v1/tickets/{n}", folder, top=TICKETS)
    report.ratio("GET /tickets/{id}", one.per_second, "static answer", 0.4)
    listed = _get(rig.url, rig, "/api/v1/tickets?limit=50", folder)
    report.ratio("GET /tickets?limit=50", listed.per_second, "static answer")
    alone = limit.creates_per_second(rig.database("ticket-svc"), folder, int(SECONDS))
    created = _post(rig.url, rig, "/api/v1/tickets", folder)
    report.ratio("POST /tickets, memory://", created, "create without a broker")
    if alone is not None:
        report.figures["pgbench, the create's SQL"] = alone
        report.ratio("POST /tickets, memory://", created, "pgbench, the create's SQL")
    replied = _post(rig.url, rig, "/api/v1/tickets/{n}/entries", folder, top=TICKETS, body=ENTRY)
    report.ratio("POST /tickets/{id}/entries", replied, "POST /tickets, memory://", 0.8)
    await rig.settled(120)
    _tell(rig, TEAM, version=3)
    inbox, outbox = rig.var / "mail" / "inbox", mailway.Outbox(rig.var / "mail" / "outbox")
    await _mails(mailway.into_maildir(inbox), outbox, report, "maildir, memory://", 0.15)


def _over_smtp(folder: Path, report: Report) -> None:
    say(f"{sending.MAILS:,} mails over SMTP")
    rates = sending.measured(folder)
    report.figures["one aiosmtplib loop"] = rates.loop
    report.figures["the same on uvloop"] = rates.uvloop
    report.ratio("mails a second over SMTP", rates.ours, "one aiosmtplib loop", 0.7)
    report.ratio("mails a second over SMTP", rates.ours, "the same on uvloop")
    report.ratio("the same, RabbitMQ away", rates.untold, "one aiosmtplib loop")
    report.ratio("one connection of ours, ready mails", rates.line, "the same on uvloop", 0.7)
    if rates.event_to_mail:
        report.limit("event to mail p50, s", rates.event_to_mail, 0.15)


async def _mails_in(folder: Path, report: Report) -> None:
    """From a maildir, and from an IMAP server where there is one."""
    with ExitStack() as stack:
        ways = [ingest.by_maildir(folder / "in" / "mail" / "inbox", folder / "aside")]
        if dovecot_available():
            (folder / "imap").mkdir()
            ways.append(ingest.by_dovecot(stack.enter_context(dovecot(folder / "imap"))))
        urls = [way.inbox for way in ways]
        rig = stack.enter_context(running(folder / "in", "memory", mailboxes=urls))
        rig.api("PATCH", "/settings", TOLD_NOBODY, If_Match='"2"')
        least = "at least, a second of CPU time"
        report.figures[least] = 150
        for way in ways:
            say(f"{ingest.MAILS:,} mails in, {way.name}")
            merely, pace = await ingest.compared(rig, way)
            peer = f"fetched and parsed: {way.name}"
            report.figures[peer] = merely.per_second
            report.ratio(f"mails to tickets: {way.name}", pace.per_second, peer, 0.5)
            name = f"mails to tickets by CPU time: {way.name}"
            report.ratio(name, pace.per_core, least, 1)


async def _over_rabbitmq(folder: Path, report: Report) -> None:
    with ExitStack() as stack:
        inbox = folder / "var" / "mail" / "inbox"
        mailboxes, server = [f"maildir:{inbox}"], None
        if dovecot_available():
            (folder / "dovecot").mkdir()
            server = stack.enter_context(dovecot(folder / "dovecot"))
            mailboxes.append(server.url("support"))
        rig = stack.enter_context(running(folder / "var", "rabbitmq", mailboxes=mailboxes))
        _tell(rig, [], version=4)
        created = _post(rig.url, rig, "/api/v1/tickets", folder)
        report.ratio("POST /tickets, amqp://", created, "create without a broker", 0.4)
        await _sustained(rig, folder, report)
        _tell(rig, TEAM, version=5)
        outbox = mailway.Outbox(rig.var / "mail" / "outbox")
        await _mails(mailway.into_maildir(inbox), outbox, report, "maildir, amqp://", 0.15)
        if server is not None:
            deliver = mailway.into_dovecot(server, "support")
            await _mails(deliver, outbox, report, "Dovecot, amqp://", 0.9)


async def _sustained(rig: Rig, folder: Path, report: Report) -> None:
    """Creates for a minute; what then is still on its way counts as time."""
    await rig.settled(120)
    say(f"creating tickets for {SUSTAINED_SECONDS:.0f} s")
    started = time.monotonic()
    rate = load.run(
        rig.url, rig.key, "/api/v1/tickets", seconds=SUSTAINED_SECONDS, folder=folder, body=BODY
    )
    assert not rate.errors, rate
    behind = await rig.backlog()
    settling = await rig.settled(300)
    say(f"{behind} events behind at the end, settled in {settling:.1f} s")
    per_second = rate.requests / (time.monotonic() - started)
    report.figures["events behind after the minute"] = behind
    report.figures["seconds until none"] = settling
    report.ratio("the same for 60 s, all handled", per_second, "create without a broker", 0.25)


async def _mails(
    deliver: mailway.Deliver, outbox: mailway.Outbox, report: Report, name: str, wanted: float
) -> None:
    say(f"mails, {name}")
    p50, p99 = await mailway.one_a_second(deliver, outbox, SINGLE_MAILS)
    report.limit(f"mail to mail p50, s: {name}", p50, wanted)
    report.figures[f"mail to mail p99, s: {name}"] = p99
    rate = await mailway.backlog(deliver, outbox, BACKLOG_MAILS)
    report.figures[f"mails a second: {name}"] = rate
    report.ratio(f"mails a second: {name}", rate, "create without a broker")


def _tell(rig: Rig, team: list[str], *, version: int) -> None:
    """Whom new tickets are told to."""
    settings = {"new_ticket_addresses": team} | NO_BUDGETS
    rig.api("PATCH", "/settings", settings, If_Match=f'"{version}"')


def _get(url: str, rig: Rig, path: str, folder: Path, top: int = 1) -> load.Rate:
    say(f"GET {path}")
    rate = load.run(url, rig.key, path, seconds=SECONDS, folder=folder, top=top)
    assert not rate.errors, rate
    return rate


def _post(url: str, rig: Rig, path: str, folder: Path, top: int = 1, body: object = BODY) -> float:
    say(f"POST {path}")
    rate = load.run(url, rig.key, path, seconds=SECONDS, folder=folder, top=top, body=body)
    assert not rate.errors, rate
    return rate.per_second


@contextmanager
def _direct(rig: Rig) -> Iterator[str]:
    """The peer, as a process of its own."""
    port = free_port()
    command = [sys.executable, "-m", "bench.direct", str(port)]
    command += [rig.database("ticket-svc"), rig.database("gateway")]
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        url = f"http://127.0.0.1:{port}"
        _wait_for(url)
        yield url
    finally:
        process.terminate()
        process.wait(30)


def _wait_for(url: str) -> None:
    from urllib.error import URLError
    from urllib.request import urlopen

    for _ in range(300):
        try:
            urlopen(f"{url}/livez", timeout=1).close()
        except URLError:
            time.sleep(0.1)
        else:
            return
    raise SystemExit("bench: the peer does not answer")


def say(text: str) -> None:
    print(f"bench: {text}", flush=True)


if __name__ == "__main__":
    main()
