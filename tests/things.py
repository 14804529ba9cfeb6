"""One of everything that the API knows, made for a client as its consumers make it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

from whole import Whole

OURS, THEIRS, INTERNAL = "zzours", "zztheirs", "zzinternal"
"""Words in all that is made for one client, for the other one, and in what clients never see."""

KINDS = {
    "agent_id": "agent",
    "asset_contact_id": "contact",
    "asset_id": "asset",
    "asset_ids": "asset",
    "asset_location_id": "location",
    "assigned_to": "agent",
    "attachment_id": "attachment",
    "attachment_ids": "upload",
    "client_id": "client",
    "contact_id": "contact",
    "contact_location_id": "location",
    "delivery_id": "delivery",
    "domain_id": "domain",
    "entry_id": "entry",
    "ids": "ticket",
    "into": "second ticket",
    "invoice_id": "invoice",
    "key_id": "key",
    "location_id": "location",
    "mail_id": "mail",
    "reference": "reference",
    "rotation": "agent",
    "schedule_id": "schedule",
    "suppression_id": "suppression",
    "ticket_asset_id": "asset",
    "ticket_assigned_to": "agent",
    "ticket_contact_id": "contact",
    "ticket_id": "ticket",
    "ticket_reply_id": "entry",
    "time_id": "time",
    "webhook_id": "webhook",
}
"""Which kind of thing a parameter or a field names."""


@dataclass
class Side:
    """One of each kind of thing, of one client."""

    running: Whole
    word: str
    things: dict[str, Any] = field(default_factory=dict)

    async def make(self, kind: str) -> Any:
        if kind not in self.things:
            self.things[kind] = await MAKERS[kind](self)
        return self.things[kind]

    async def posted(self, path: str, **body: Any) -> Any:
        return await self.running.created(path, body)


async def client(side: Side) -> int:
    return int((await side.posted("/clients", name=side.word))["id"])


async def of_client(side: Side, path: str, **body: Any) -> int:
    client_id = await side.make("client")
    return int((await side.posted(path, client_id=client_id, **body))["id"])


async def contact(side: Side) -> int:
    email = f"{side.word}@example.com"
    return await of_client(side, "/contacts", name=side.word, email=email, primary=True)


async def domain(side: Side) -> int:
    return await of_client(side, "/domains", name=f"{side.word}.test")


async def asset(side: Side) -> int:
    return await of_client(side, "/assets", name=side.word)


async def location(side: Side) -> int:
    return await of_client(side, "/locations", name=side.word)


async def ticket(side: Side) -> int:
    """With an internal note, behind which there is a public reply."""
    await side.make("contact")
    made = await of_client(side, "/tickets", subject=side.word, body=side.word)
    for kind, text in (("internal", f"{INTERNAL} {side.word}"), ("public", side.word)):
        entry = await side.posted(f"/tickets/{made}/entries", kind=kind, body=text)
        side.things[kind] = entry["id"]
    return made


async def second_ticket(side: Side) -> int:
    await side.make("contact")
    return await of_client(side, "/tickets", subject=side.word, body=side.word)


async def entry(side: Side) -> int:
    await side.make("ticket")
    return int(side.things["public"])


async def upload(side: Side) -> int:
    """Which its key alone can use, once."""
    answer = await side.running.api("POST", f"/attachments?name={side.word}", side.word.encode())
    return int(answer.json["id"])


async def attachment(side: Side) -> int:
    ticket_id, made = await side.make("ticket"), await upload(side)
    place = f"/tickets/{ticket_id}/entries"
    await side.posted(place, kind="public", body=side.word, attachment_ids=[made])
    return made


async def reference(side: Side) -> str:
    answer = await side.running.api("GET", f"/tickets/{await side.make('ticket')}")
    return str(answer.json["reference"])


async def schedule(side: Side) -> int:
    template = {"subject": side.word, "body": side.word, "client_id": await side.make("client")}
    made = await side.posted(
        "/scheduled-tickets", name=side.word, cron="0 9 * * *", ticket=template
    )
    return int(made["id"])


async def agent(side: Side) -> int:
    name = f"{INTERNAL} {side.word}"
    made = await side.posted("/agents", name=name, email=f"{uuid4().hex}@example.com")
    return int(made["id"])


async def delivery(side: Side) -> int:
    """The mail that tells its contact of the ticket."""
    place = f"/tickets/{await side.make('ticket')}/mails"
    await side.running.settled()
    return int((await side.running.api("GET", place)).json["data"][0]["id"])


async def suppression(side: Side) -> int:
    email = f"{uuid4().hex}@example.com"
    made = await side.posted("/suppressions", email=email, reason=f"{INTERNAL} {side.word}")
    return int(made["id"])


async def time(side: Side) -> int:
    values = {"agent_id": await side.make("agent"), "seconds": 60, "note": INTERNAL}
    made = await side.posted(f"/tickets/{await side.make('ticket')}/time", **values)
    return int(made["id"])


async def mail(side: Side) -> int:
    """Of nobody's, as long as nobody says whose it is."""
    answer = await side.running.api("POST", "/mail/inbound", f"Subject: {INTERNAL}\n\n".encode())
    return int(answer.json["id"])


async def invoice(side: Side) -> int:
    """Which is issued: its client sees it."""
    place = f"/tickets/{await side.make('ticket')}"
    work = {"agent_id": await side.make("agent"), "seconds": 60, "note": INTERNAL}
    await side.posted(f"{place}/time", **work, billable=True)
    rate = {"amount": "95.00", "currency": "EUR"}
    made = await side.posted(f"{place}/invoice", rate=rate)
    settings = await side.running.api("GET", "/settings")
    seller = {"seller": {"name": "Example IT"}}
    await side.running.api("PATCH", "/settings", seller, If_Match=settings.headers["etag"])
    issued = await side.running.api("POST", f"/invoices/{made['id']}/issue")
    assert issued.status == 200, issued.body
    return int(made["id"])


async def webhook(side: Side) -> int:
    values = {"url": "https://hook.invalid/", "client_id": await side.make("client")}
    made = await side.posted("/webhooks", description=f"{INTERNAL} {side.word}", **values)
    return int(made["webhook"]["id"])


async def key(side: Side) -> int:
    made = await side.posted("/keys", name=f"{INTERNAL} {side.word}", scopes=["tickets:read"])
    return int(made["key"].split("_")[1])


MAKERS: dict[str, Callable[[Side], Awaitable[Any]]] = {
    "agent": agent,
    "asset": asset,
    "attachment": attachment,
    "client": client,
    "contact": contact,
    "delivery": delivery,
    "domain": domain,
    "entry": entry,
    "invoice": invoice,
    "key": key,
    "location": location,
    "mail": mail,
    "reference": reference,
    "schedule": schedule,
    "second ticket": second_ticket,
    "suppression": suppression,
    "ticket": ticket,
    "time": time,
    "upload": upload,
    "webhook": webhook,
}
