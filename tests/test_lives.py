"""Random lives of tickets over HTTP, held against the rules of `lives.py` at every step.

`DESKWIRE_STEPS` says how many steps; `make soak` takes 10,000 of them, other ones each time.
"""

import asyncio
import os
import time
from collections.abc import Callable
from functools import partial
from typing import Any, ClassVar
from uuid import uuid4

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)
from lives import Desk, Entry, Refused, Ticket, last_reply
from lives_server import Server

from deskwire.testing import FreshDatabase

STEPS_A_LIFE = 50
USUAL_LIFE = 35
"""Steps: most lives end before the fiftieth."""
STEPS = int(os.environ.get("DESKWIRE_STEPS", "300"))
SOAK = "DESKWIRE_STEPS" in os.environ
TICKETS_A_LIFE = 6

picks = st.integers(0, TICKETS_A_LIFE - 1)
texts = st.sampled_from(["one", "two", "three"])
emails = st.lists(
    st.sampled_from([f"{n}@other.test" for n in "abc"] + ["ann@acme.test"]), max_size=2
)
statuses = st.sampled_from(["open", "working", "hold", "auto-close", "closed"])
kinds = st.sampled_from(["public", "internal", "client"])
tags = st.lists(st.sampled_from("xyz"), max_size=2, unique=True)
moves = {"close": "closed", "reopen": "open", "hold": "hold", "auto-close": "auto-close"}
fields = st.fixed_dictionaries(
    {},
    optional={
        "subject": texts,
        "status": st.sampled_from(["open", "working", "hold", "auto-close"]),
        "priority": st.sampled_from(["low", "medium", "high"]),
        "category": st.none() | texts,
        "tags": tags,
        "billable": st.booleans(),
    },
)


class Lives(RuleBasedStateMachine):
    server: ClassVar[Server]
    steps: ClassVar[int] = 0

    def __init__(self) -> None:
        super().__init__()
        self.desk = Desk()
        self.ids: list[int] = []

    # --- how it is asked, and held against the rules

    def ticket(self, pick: int) -> int:
        return self.ids[pick % len(self.ids)]

    def entry(self, pick: int) -> Entry:
        entries = [e for shown in self.desk.shown.values() for e in shown]
        return entries[pick % len(entries)]

    def agree(self, answer: tuple[int, Any, Any], act: Callable[[], object]) -> bool:
        """Both did it, or both refused it likewise."""
        Lives.steps += 1
        status, told, _ = answer
        expected: tuple[int, ...] = (200, 201)
        try:
            act()
        except Refused as refused:
            expected = (refused.status,)
        assert status in expected, told
        return status < 400

    def check(self, *ids: int) -> None:
        for id in ids:
            status, doc, headers = self.server.ask("GET", f"/tickets/{id}")
            assert status == 200
            assert headers["ETag"] == f'"{doc["version"]}"'
            assert as_told(doc) == as_known(self.desk, id)

    def check_timeline(self, id: int) -> None:
        _, page, _ = self.server.ask("GET", f"/tickets/{id}/entries?limit=200")
        known = self.desk.shown[self.desk.landing(id).id]
        assert [entry_as_told(entry) for entry in page["data"]] == [
            entry_as_known(entry, self.desk.landing(id).id) for entry in known
        ]

    def check_all(self) -> None:
        """All tickets and timelines, soon: what a write did beside its own ticket is heard of."""
        patience = time.monotonic() + 20
        while True:
            try:
                self.check(*self.ids)
                for id in self.ids:
                    self.check_timeline(id)
                return
            except AssertionError:
                if time.monotonic() > patience:
                    raise

    def teardown(self) -> None:
        self.check_all()

    # --- what may happen

    @initialize()
    def begin(self) -> None:
        for client in (0, 0, 1):
            self.open(client, "one", [], [])

    @precondition(lambda self: len(self.ids) < TICKETS_A_LIFE)
    @rule(client=st.integers(0, 1), text=texts, watchers=emails, tagged=tags)
    def open(self, client: int, text: str, watchers: list[str], tagged: list[str]) -> None:
        body = {"subject": text, "body": text, "client_id": self.server.clients[client]}
        body |= {"watchers": watchers, "tags": tagged, "billable": True}
        made = self.server.made("/tickets", body)
        contact = f"ann@{('acme', 'initech')[client]}.test"
        ticket = Ticket(made["id"], client, contact, text, tags=tagged, billable=True)
        ticket.watchers = list(dict.fromkeys(watchers))
        _, page, _ = self.server.ask("GET", f"/tickets/{made['id']}/entries")
        opening = Entry(page["data"][0]["id"], made["id"], "public", text, opening=True)
        self.desk.open(ticket, opening)
        self.ids.append(made["id"])
        self.check(made["id"])

    @rule(
        pick=picks,
        kind=kinds,
        text=texts,
        status=st.none() | statuses,
        seconds=st.sampled_from([0, 60]),
        cc=emails,
        again=st.booleans(),
    )
    def reply(
        self,
        pick: int,
        kind: str,
        text: str,
        status: str | None,
        seconds: int,
        cc: list[str],
        again: bool,
    ) -> None:
        id, once = self.ticket(pick), str(uuid4())
        body = {"body": text, "kind": kind, "status": status, "time_worked": seconds, "cc": cc}
        answer = self.server.ask("POST", f"/tickets/{id}/entries", body, Idempotency_Key=once)
        if again:
            repeated = self.server.ask("POST", f"/tickets/{id}/entries", body, Idempotency_Key=once)
            assert repeated[:2] == answer[:2] or answer[0] >= 400
        made = answer[1].get("id", 0)
        entry = Entry(made, 0, kind, text, seconds=seconds, own=kind != "client")
        self.agree(answer, lambda: self.desk.reply(id, entry, status, cc))
        self.check(id, self.desk.landing(id).id)

    @rule(pick=picks, of=st.integers(0, 100), text=texts)
    def edit(self, pick: int, of: int, text: str) -> None:
        id, entry = self.ticket(pick), self.entry(of)
        answer = self.server.ask("PATCH", f"/tickets/{id}/entries/{entry.id}", {"body": text})
        self.agree(answer, lambda: self.desk.edit(id, entry, text))
        self.check_all()

    @rule(pick=picks, of=st.integers(0, 100), there=st.booleans())
    def redact(self, pick: int, of: int, there: bool) -> None:
        entry = self.entry(of)
        id = entry.origin if there else self.ticket(pick)
        answer = self.server.ask("DELETE", f"/tickets/{id}/entries/{entry.id}")
        self.agree(answer, lambda: self.desk.redact(id, entry))
        self.check_all()

    @rule(pick=picks, values=fields, stale=st.booleans())
    def change(self, pick: int, values: dict[str, object], stale: bool) -> None:
        id = self.ticket(pick)
        version = self.desk.tickets[id].version - stale
        answer = self.server.ask("PATCH", f"/tickets/{id}", values, If_Match=f'"{version}"')
        self.agree(answer, lambda: self.desk.change(id, version, **values))
        self.check(id)

    @rule(pick=picks, to=st.none() | st.integers(0, 1))
    def assign(self, pick: int, to: int | None) -> None:
        id, agent = self.ticket(pick), None if to is None else self.server.agents[to]
        answer = self.server.ask("POST", f"/tickets/{id}/assign", {"agent_id": agent})
        self.agree(answer, lambda: self.desk.change(id, agent=agent))
        self.check(id)

    @rule(pick=picks, move=st.sampled_from(sorted(moves)))
    def move(self, pick: int, move: str) -> None:
        id = self.ticket(pick)
        answer = self.server.ask("POST", f"/tickets/{id}/{move}")
        self.agree(answer, lambda: self.desk.change(id, status=moves[move]))
        self.check(id)

    @rule(pick=picks, watchers=emails, stale=st.booleans())
    def watch(self, pick: int, watchers: list[str], stale: bool) -> None:
        id = self.ticket(pick)
        version = self.desk.tickets[id].version - stale
        place, body = f"/tickets/{id}/watchers", {"watchers": watchers}
        answer = self.server.ask("PUT", place, body, If_Match=f'"{version}"')
        each_once = list(dict.fromkeys(watchers))
        self.agree(answer, lambda: self.desk.change(id, version, watchers=each_once))
        self.check(id)

    @rule(pick=picks, other=picks, across=st.booleans())
    def merge(self, pick: int, other: int, across: bool) -> None:
        id, into = self.ticket(pick), self.ticket(other)
        body = {"into": into, "across_clients": across}
        answer = self.server.ask("POST", f"/tickets/{id}/merge", body)
        if self.agree(answer, lambda: self.desk.merge(id, into, across=across)):
            self.check(id, into)
            self.check_all()

    @rule(pick=picks)
    def unmerge(self, pick: int) -> None:
        id = self.ticket(pick)
        answer = self.server.ask("POST", f"/tickets/{id}/unmerge")
        if self.agree(answer, lambda: self.desk.unmerge(id)):
            self.check_all()

    @rule(pick=picks, seconds=st.sampled_from([0, 60]))
    def invoice(self, pick: int, seconds: int) -> None:
        """At once after something was worked, or of whatever is left."""
        if seconds:
            self.reply(pick, "internal", "worked", None, seconds, [], again=False)
        id, rate = self.ticket(pick), {"amount": "95.00", "currency": "EUR"}
        answer = self.server.ask("POST", f"/tickets/{id}/invoice", {"rate": rate})
        if self.agree(answer, lambda: self.desk.invoice(id, answer[1].get("id", 0))):
            self.check(self.desk.landing(id).id)

    @precondition(lambda self: self.desk.invoices)
    @rule(of=st.integers(0, 100))
    def void(self, of: int) -> None:
        invoice = self.desk.invoices[of % len(self.desk.invoices)]
        answer = self.server.ask("POST", f"/invoices/{invoice.id}/void")
        if self.agree(answer, lambda: self.desk.void(invoice)):
            self.check_all()

    @rule(chosen=st.lists(picks, min_size=1, max_size=4), move=st.sampled_from(sorted(moves)))
    def bulk(self, chosen: list[int], move: str) -> None:
        ids = list(dict.fromkeys(self.ticket(pick) for pick in chosen))
        _, told, _ = self.server.ask("POST", "/tickets/bulk", {"ids": ids, "action": move})
        assert [each["id"] for each in told["results"]] == ids
        for each in told["results"]:
            act = partial(self.desk.change, each["id"], status=moves[move])
            self.agree((each["status"], each, None), act)
        self.check(*ids)

    @rule(of=st.integers(0, 100), text=texts, stranger=st.booleans())
    def mail(self, of: int, text: str, stranger: bool) -> None:
        """An answer by mail lands where the entry is shown that it answers."""
        answered = self.entry(of)
        id = self.desk.landing(answered.origin).id
        client = self.desk.tickets[id].client
        sender = "eve@nowhere.test" if stranger else f"ann@{('acme', 'initech')[client]}.test"
        handled = self.server.mail(sender, answered.id, text)
        assert (handled.outcome, handled.ticket_id) == ("reply", id)
        kind = "internal" if stranger else "client"
        self.desk.reply(id, Entry(handled.entry_id or 0, 0, kind, text, own=False))
        self.check_all()


SAME = ["subject", "status", "priority", "category", "billable", "merged_into", "version", "tags"]


def as_told(doc: Any) -> dict[str, Any]:
    same = ("merged_from", "entry_count", "time_worked", "invoice_ids")
    return {name: doc[name] for name in (*SAME, *same)} | {
        "text": doc["body"]["text"],
        "watchers": sorted(doc["watchers"]),
        "contact": doc["contact"] and doc["contact"]["email"],
        "agent": doc["assigned_to"] and doc["assigned_to"]["id"],
        "last_reply": doc["last_reply"] and doc["last_reply"]["kind"],
        "answered": doc["first_response_at"] is not None,
        "closed": (doc["closed_at"] is not None, doc["closed_by"] is not None),
    }


def as_known(desk: Desk, id: int) -> dict[str, Any]:
    ticket, entries = desk.tickets[id], desk.shown[id]
    everything = [entry for shown in desk.shown.values() for entry in shown]
    opening = next(entry for entry in everything if entry.opening and entry.origin == id)
    same = ("contact", "agent", "answered")
    return {name: getattr(ticket, name) for name in (*SAME, *same)} | {
        "text": opening.text,
        "watchers": sorted(ticket.watchers),
        "merged_from": sorted(t.id for t in desk.tickets.values() if t.merged_into == id),
        "entry_count": len(entries),
        "time_worked": sum(entry.seconds for entry in entries),
        "invoice_ids": sorted({entry.invoice.id for entry in entries if entry.invoice}),
        "last_reply": last_reply(entries),
        "closed": (ticket.status == "closed",) * 2,
    }


def entry_as_told(doc: Any) -> tuple[Any, ...]:
    stamps = doc["edited_at"] is not None, doc["redacted_at"] is not None
    told = doc["id"], doc["ticket_id"], doc["origin_ticket_id"], doc["kind"], doc["opening"]
    return *told, doc["body"]["text"], doc["time_worked"], *stamps


def entry_as_known(entry: Entry, shown_on: int) -> tuple[Any, ...]:
    told = entry.id, shown_on, entry.origin, entry.kind, entry.opening
    return *told, entry.text, entry.seconds, entry.edited, entry.redacted


@pytest.mark.timeout(max(300, STEPS))
def test_lives_of_tickets_keep_the_rules(fresh_database: FreshDatabase) -> None:
    server = Server({name: fresh_database(name) for name in ("ticket_svc", "gateway")})
    Lives.server = server
    with server.running():
        run_state_machine_as_test(
            Lives,
            settings=settings(
                max_examples=STEPS // USUAL_LIFE,
                stateful_step_count=STEPS_A_LIFE,
                derandomize=not SOAK,
                database=None,
                deadline=None,
                suppress_health_check=list(HealthCheck),
            ),
        )
        told = asyncio.run(documents(server.urls["gateway"]))
        assert Lives.steps >= STEPS * (1 if SOAK else 0.7)
        print(f"{Lives.steps} steps, {len(told)} documents")  # noqa: T201  # what a soak is run for
        asyncio.run(forget(server.urls["gateway"]))
        server.replay()
        assert asyncio.run(documents_again(server.urls["gateway"], len(told))) == told


KEPT = "tickets", "entries", "records", "history", "time_entries", "invoices"


async def documents(url: str) -> set[tuple[str, int, str]]:
    connection = await asyncpg.connect(url)
    try:
        return {
            (table, row["id"], row["doc"])
            for table in KEPT
            for row in await connection.fetch(f"SELECT id, CAST(doc AS text) AS doc FROM {table}")
        }
    finally:
        await connection.close()


async def forget(url: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(f"TRUNCATE {', '.join(KEPT)}")
    finally:
        await connection.close()


async def documents_again(url: str, expected: int) -> set[tuple[str, int, str]]:
    async with asyncio.timeout(120):
        while len(found := await documents(url)) < expected:
            await asyncio.sleep(0.2)
    return found
