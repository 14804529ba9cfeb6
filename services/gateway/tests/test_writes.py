"""What is asked of a write: once only, within limits, with an owner that may be away."""

import asyncio
import json

from gateway_api import Desk

from deskwire.contracts.people import ClientChanged
from deskwire.contracts.records import Client
from deskwire.messaging.envelope import wrap
from gateway.api.edge import BODY_BYTES

TICKETS = "/api/v1/tickets"
NEW = {"subject": "s", "body": "b"}
JSON = {"Content-Type": "application/json"}


async def test_repeated_request_has_one_effect(desk: Desk) -> None:
    first = await desk.api.post(TICKETS, NEW, Idempotency_Key="k1")
    again = await desk.api.post(TICKETS, NEW, Idempotency_Key="k1")
    assert (first.status, again.status) == (201, 201)
    assert again.body == first.body
    assert first.headers["Idempotent-Replayed"] is None
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Idempotency-Key"] == "k1"
    assert len((await desk.api.get(TICKETS)).json["data"]) == 1


async def test_key_that_was_given_out_may_be_used(desk: Desk) -> None:
    first = await desk.api.post(TICKETS, NEW)
    again = await desk.api.post(TICKETS, NEW, Idempotency_Key=first.headers["Idempotency-Key"])
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.json == first.json


async def test_same_key_for_another_body_is_refused(desk: Desk) -> None:
    await desk.api.made(TICKETS, NEW, Idempotency_Key="k1")
    other = await desk.api.post(TICKETS, NEW | {"subject": "t"}, Idempotency_Key="k1")
    assert (other.status, other.json["code"]) == (422, "key_reused")


async def test_keys_of_others_and_of_other_places_are_other_keys(desk: Desk) -> None:
    one = await desk.api.made(TICKETS, NEW, Idempotency_Key="k1")
    two = await (await desk.key("admin")).made(TICKETS, NEW, Idempotency_Key="k1")
    entry = await desk.api.made(f"{TICKETS}/1/entries", {"body": "b"}, Idempotency_Key="k1")
    assert one["id"] != two["id"]
    assert entry["ticket_id"] == one["id"]


async def test_concurrent_repeats_have_one_effect(desk: Desk) -> None:
    asked = (desk.api.post(TICKETS, NEW, Idempotency_Key="k1") for _ in range(8))
    answers = await asyncio.gather(*asked)
    assert {answer.body for answer in answers} == {answers[0].body}
    assert len((await desk.api.get(TICKETS)).json["data"]) == 1


async def test_replayed_entry_is_the_same(desk: Desk) -> None:
    await desk.api.made(TICKETS, NEW)
    first = await desk.api.post(f"{TICKETS}/1/entries", {"body": "b"}, Idempotency_Key="k2")
    again = await desk.api.post(f"{TICKETS}/1/entries", {"body": "b"}, Idempotency_Key="k2")
    assert again.body == first.body
    assert (await desk.api.get(f"{TICKETS}/1")).json["entry_count"] == 2


async def test_unusable_idempotency_keys(lonely_desk: Desk) -> None:
    for key in ("", "a b", "é", "k" * 256):
        answer = await lonely_desk.api.post(TICKETS, NEW, Idempotency_Key=key)
        assert (answer.status, answer.json["errors"][0]["field"]) == (422, "Idempotency-Key"), key


async def test_away_owner_is_503_and_reads_go_on(lonely_desk: Desk) -> None:
    client = Client.model_validate({"id": 4, "name": "Acme", "created_at": "2024-01-01T00:00:00Z"})
    await lonely_desk.broker.publish(wrap(ClientChanged(client=client)))
    refused = await lonely_desk.api.post(TICKETS, NEW)
    assert (refused.status, refused.json["code"]) == (503, "unavailable")
    assert refused.headers["Retry-After"] == "2"
    assert refused.headers["Idempotency-Key"]
    assert (await lonely_desk.api.get("/api/v1/clients/4")).json["name"] == "Acme"
    assert (await lonely_desk.api.get(TICKETS)).status == 200


async def test_conflict_is_409_with_the_field(desk: Desk) -> None:
    agent = {"name": "Bob", "email": "bob@example.com"}
    await desk.api.made("/api/v1/agents", agent)
    answer = await desk.api.post("/api/v1/agents", agent)
    assert (answer.status, answer.json["code"]) == (409, "conflict")
    assert answer.json["errors"][0]["field"] == "email"


async def test_body_at_the_limit_and_beyond(desk: Desk) -> None:
    frame = len(json.dumps({"subject": "s", "body": ""}))
    fits = await desk.api.post(TICKETS, {"subject": "s", "body": "b" * (BODY_BYTES - frame)})
    assert fits.status == 201, fits.body
    over = await desk.api.post(TICKETS, {"subject": "s", "body": "b" * (BODY_BYTES - frame + 1)})
    assert (over.status, over.json["code"]) == (413, "too_large")
    assert over.headers["X-Content-Type-Options"] == "nosniff"


async def test_streamed_body_beyond_the_limit(lonely_desk: Desk) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", lonely_desk.api.port)
    head = ["Host: x", f"X-API-Key: {lonely_desk.api.key}", "Transfer-Encoding: chunked", "", ""]
    writer.write("\r\n".join([f"POST {TICKETS} HTTP/1.1", *head]).encode())
    for _ in range(17):
        writer.write(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")
    await writer.drain()
    assert (await reader.readline()).split()[1] == b"413"
    writer.close()


async def test_what_is_not_json(lonely_desk: Desk) -> None:
    api = lonely_desk.api
    for body in (b"{", b"", b"[" * 100_000, b'"\xff"', b"nil"):
        answer = await api.call("POST", TICKETS, body, JSON)
        assert answer.status in (400, 422), body[:10]
        assert answer.json["code"] in ("malformed", "invalid")
    assert (await api.call("POST", TICKETS, b"{", JSON)).json["code"] == "malformed"
    form = await api.call(
        "POST", TICKETS, b"subject=s", {"Content-Type": "application/x-www-form-urlencoded"}
    )
    assert (form.status, form.json["code"]) == (415, "unsupported_media_type")
    assert (await api.call("POST", TICKETS, b"[]", JSON)).status == 422
    wrong = await api.call("PUT", TICKETS, b"{}", JSON)
    assert (wrong.status, wrong.json["code"]) == (405, "method_not_allowed")
    assert wrong.headers["Allow"] == "GET, HEAD, POST"


async def test_head_is_get_without_the_body(lonely_desk: Desk) -> None:
    api = lonely_desk.api
    for path in (TICKETS, f"{TICKETS}/1", "/docs", "/livez", f"{TICKETS}/export.csv"):
        whole, head = await api.get(path), await api.call("HEAD", path, None, {})
        assert (head.status, head.body) == (whole.status, b"")
        assert head.headers["Content-Type"] == whole.headers["Content-Type"]


async def test_head_of_a_stream_ends_with_its_headers(lonely_desk: Desk) -> None:
    """Else what comes next over the connection waits for ever."""
    reader, writer = await asyncio.open_connection("127.0.0.1", lonely_desk.api.port)
    key = f"Authorization: Bearer {lonely_desk.api.key}"
    for path in ("/api/v1/events", "/livez"):
        writer.write(f"HEAD {path} HTTP/1.1\r\nHost: x\r\n{key}\r\n\r\n".encode())
        async with asyncio.timeout(5):
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200")
    writer.close()


async def test_trace_is_carried_on(lonely_desk: Desk) -> None:
    trace = "0af7651916cd43dd8448eb211c80319c"
    header = f"00-{trace}-b7ad6b7169203331-01"
    answer = await lonely_desk.api.get(f"{TICKETS}/1", traceparent=header)
    assert answer.json["trace_id"] == trace
    broken = await lonely_desk.api.get(f"{TICKETS}/1", traceparent="00-zz")
    assert broken.json["trace_id"] != trace
