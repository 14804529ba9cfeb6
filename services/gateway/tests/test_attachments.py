"""Files through the API: uploaded, shown by entries, read by those who may."""

import asyncio
import json
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from hashlib import sha256
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from gateway_api import Answer, Api, Desk, eventually

from deskwire.html import BLOCKED_IMAGE
from gateway.api.uploads import UPLOAD_BYTES

FILES = "/api/v1/attachments"
TICKETS = "/api/v1/tickets"
PNG = b"\x89PNG\r\n\x1a\n" + b"\0" * 100
MIB = 1024 * 1024


async def send(api: Api, content: bytes, path: str = FILES, **headers: str) -> Answer:
    return await api.call("POST", path, content, headers)


async def uploaded(api: Api, content: bytes = PNG, name: str = "cat.png") -> Any:
    answer = await send(api, content, f"{FILES}?name={name}")
    assert answer.status == 201, answer.body
    return answer.json


async def shown(api: Api, *ids: int, place: str = TICKETS, **values: object) -> Any:
    """A ticket, or an entry, with these files."""
    new = {"body": "b", "attachment_ids": ids} | values
    return await api.made(place, {"subject": "s"} | new if place == TICKETS else new)


def form(*parts: tuple[str, bytes]) -> tuple[bytes, dict[str, str]]:
    """Each part: its Content-Disposition, its content."""
    framed = [
        b"--edge\r\nContent-Disposition: form-data; %b\r\n\r\n%b\r\n" % (head.encode(), content)
        for head, content in parts
    ]
    return b"".join([*framed, b"--edge--\r\n"]), {
        "Content_Type": "multipart/form-data; boundary=edge"
    }


FORM_FILE = ('name="file"; filename="a"', b"x")


def stored(folder: Path) -> set[str]:
    return {str(path) for path in folder.rglob("*") if path.is_file()}


async def test_a_file_goes_in_and_comes_out(desk: Desk) -> None:
    answer = await send(desk.api, PNG, f"{FILES}?name=cat.png", Content_Type="text/html")
    file = answer.json
    assert file == {
        "id": file["id"],
        "name": "cat.png",
        "size": len(PNG),
        "type": "image/png",
        "sha256": sha256(PNG).hexdigest(),
        "inline": False,
        "content_id": None,
    }
    assert answer.headers["Location"] == f"{FILES}/{file['id']}"
    ticket = await shown(desk.api, file["id"])
    entry = (await desk.api.get(f"{TICKETS}/{ticket['id']}/entries")).json["data"][0]
    assert entry["attachments"] == [{k: file[k] for k in file.keys() - {"sha256"}}]
    read = await desk.api.get(f"{FILES}/{file['id']}")
    assert (read.status, read.body) == (200, PNG)
    assert {name: read.headers[name] for name in HEADERS} == HEADERS | {
        "ETag": f'"{file["sha256"]}"',
        "Content-Length": str(len(PNG)),
    }


HEADERS = {
    "Content-Type": "image/png",
    "Content-Length": "",
    "Content-Disposition": "attachment; filename=\"cat.png\"; filename*=UTF-8''cat.png",
    "Content-Security-Policy": "sandbox; default-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, no-cache",
    "Accept-Ranges": "bytes",
    "ETag": "",
}


async def test_replies_and_notes_show_their_files(desk: Desk) -> None:
    place = f"{TICKETS}/{(await shown(desk.api))['id']}/entries"
    files = [await uploaded(desk.api, b"%d" % n, f"{n}.txt") for n in range(3)]
    ids = [files[2]["id"], files[0]["id"], files[2]["id"]]
    reply = await shown(desk.api, *ids, place=place)
    note = await shown(desk.api, files[1]["id"], place=place, kind="internal")
    assert [file["name"] for file in reply["attachments"]] == ["2.txt", "0.txt"]
    listed = (await desk.api.get(place)).json["data"]
    assert [entry["attachments"] for entry in listed] == [
        [],
        reply["attachments"],
        note["attachments"],
    ]
    assert (await desk.api.get(f"{FILES}/{files[0]['id']}")).body == b"0"


NAMES = (
    ("attachment; filename=plain.txt", "plain.txt"),
    ("attachment; filename*=UTF-8''%C3%9Cber%20uns.txt", "Über uns.txt"),
    ("attachment; filename=\"x.txt\"; filename*=UTF-8''y.txt", "y.txt"),
    ('attachment; filename="../../etc/passwd"', "passwd"),
    ("attachment; filename*=UTF-8''a%0D%0AX-Evil%3A%201.txt", "aX-Evil_ 1.txt"),
    ("attachment; filename*=UTF-8''cat%E2%80%AEgnp.txt", "catgnp.txt"),
    ("attachment; filename=" + "x" * 300, "x" * 120),
    ("inline", "file.txt"),
    ("", "file.txt"),
    ("attachment; filename*=bogus''%41.txt", "A.txt"),
)
"""Content-Disposition, and what becomes of it."""


async def test_names_in_headers(desk: Desk) -> None:
    for header, name in NAMES:
        made = (await send(desk.api, b"text", Content_Disposition=header)).json
        assert made["name"] == name, header
        await shown(desk.api, made["id"])
        read = await desk.api.get(f"{FILES}/{made['id']}")
        told = read.headers["Content-Disposition"]
        assert told.isascii()
        assert unquote(told.partition("filename*=UTF-8''")[2]) == name


async def test_a_form_with_one_file_is_taken(desk: Desk) -> None:
    body, headers = form(('name="file"; filename="Übersicht.csv"', b"a;b\r\n--edg\r\n"))
    made = (await send(desk.api, body, **headers)).json
    assert (made["name"], made["type"], made["size"]) == ("Übersicht.csv", "text/csv", 12)
    empty, headers = form(('name="file"; filename=""', b""))
    assert (await send(desk.api, empty, **headers)).json["name"] == "file.txt"


REFUSED = (
    (form(('name="note"', b"x"))[0], 422, "note"),
    (
        form(FORM_FILE, ('name="b"; filename="b"', b"y"))[0],
        422,
        "file",
    ),
    (form()[0], 422, "file"),
    (form(FORM_FILE)[0][:-10], 400, None),
    (b"no form at all", 400, None),
    (b"", 422, "file"),
)


async def test_forms_that_are_refused(desk: Desk, tmp_path: Path) -> None:
    for body, status, field in REFUSED:
        answer = await send(desk.api, body, Content_Type="multipart/form-data; boundary=edge")
        told = [error["field"] for error in answer.json["errors"]]
        assert (answer.status, told) == (status, [field] if field else []), body
    assert stored(tmp_path / "blobs") == set()


async def test_a_form_without_a_boundary(desk: Desk) -> None:
    for kind in ("multipart/form-data", "multipart/form-data; boundary=" + "x" * 300):
        answer = await send(desk.api, b"x", Content_Type=kind)
        assert (answer.status, answer.json["code"]) in ((400, "malformed"), (422, "invalid")), kind


async def test_limits_of_names_and_numbers(desk: Desk) -> None:
    assert (await send(desk.api, b"x", f"{FILES}?name={'n' * 256}")).status == 422
    assert (await send(desk.api, b"x", f"{FILES}?nome=n")).json["errors"][0]["field"] == "nome"
    ids = [(await uploaded(desk.api))["id"] for _ in range(21)]
    over = await desk.api.post(TICKETS, {"subject": "s", "body": "b", "attachment_ids": ids})
    assert (over.status, over.json["errors"][0]["field"]) == (422, "attachment_ids")
    await shown(desk.api, *ids[:20])


def zeros(size: int) -> Iterator[bytes]:
    chunk = bytes(64 * 1024)
    while size > 0:
        yield chunk[:size]
        size -= len(chunk)


def streamed(api: Api, size: int, *, declared: bool) -> tuple[int, Any]:
    """An upload of so many zeros, a chunk at a time."""
    headers = {"Authorization": f"Bearer {api.key}"}
    if declared:
        headers["Content-Length"] = str(size)
    with closing(HTTPConnection("127.0.0.1", api.port, timeout=60)) as connection:
        with suppress(BrokenPipeError, ConnectionResetError):
            connection.request("POST", FILES, zeros(size), headers, encode_chunked=not declared)
        response = connection.getresponse()
        return response.status, json.loads(response.read())


@pytest.mark.parametrize("declared", [True, False])
async def test_an_upload_at_the_limit_and_beyond(
    desk: Desk, tmp_path: Path, declared: bool
) -> None:
    fits = await asyncio.to_thread(streamed, desk.api, UPLOAD_BYTES, declared=declared)
    assert (fits[0], fits[1]["size"]) == (201, 25 * MIB)
    there = stored(tmp_path / "blobs")
    over = await asyncio.to_thread(streamed, desk.api, UPLOAD_BYTES + 1, declared=declared)
    assert (over[0], over[1]["code"]) == (413, "too_large")
    assert stored(tmp_path / "blobs") == there


async def test_an_upload_far_beyond_is_refused_unread(desk: Desk) -> None:
    with socket.create_connection(("127.0.0.1", desk.api.port), timeout=10) as connection:
        head = f"POST {FILES} HTTP/1.1\r\nHost: x\r\nX-API-Key: {desk.api.key}\r\n"
        connection.sendall(
            f"{head}Content-Length: {10**12}\r\nExpect: 100-continue\r\n\r\n".encode()
        )
        answer = await asyncio.to_thread(connection.recv, 1024)
    assert answer.split()[1] == b"413"


async def test_an_upload_that_is_cut_off_leaves_nothing(desk: Desk, tmp_path: Path) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", desk.api.port)
    head = f"POST {FILES} HTTP/1.1\r\nHost: x\r\nX-API-Key: {desk.api.key}\r\n"
    writer.write(f"{head}Content-Length: {MIB}\r\n\r\n".encode() + bytes(MIB // 2))
    await writer.drain()
    async with asyncio.timeout(10):
        while not stored(tmp_path / "blobs"):
            await asyncio.sleep(0.01)
        writer.close()
        while stored(tmp_path / "blobs"):
            await asyncio.sleep(0.01)


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


async def test_little_of_a_file_is_in_memory(desk: Desk) -> None:
    async def peak(work: Any) -> int:
        before = most = resident()
        task = asyncio.create_task(work)
        while not task.done():
            most = max(most, resident())
            await asyncio.sleep(0.001)
        await task
        return most - before

    def read(id: int) -> int:
        with closing(HTTPConnection("127.0.0.1", desk.api.port, timeout=60)) as connection:
            connection.request("GET", f"{FILES}/{id}", headers={"X-API-Key": desk.api.key})
            response, size = connection.getresponse(), 0
            while chunk := response.read(64 * 1024):
                size += len(chunk)
            return size

    async def round_trip() -> None:
        made = await asyncio.to_thread(streamed, desk.api, UPLOAD_BYTES, declared=True)
        await shown(desk.api, made[1]["id"])
        assert await asyncio.to_thread(read, made[1]["id"]) == UPLOAD_BYTES

    await round_trip()
    assert await peak(round_trip()) < 8 * MIB


async def test_a_range_is_read(desk: Desk) -> None:
    file = await uploaded(desk.api, b"0123456789", "n.txt")
    await shown(desk.api, file["id"])
    tag = f'"{file["sha256"]}"'

    async def read(wanted: str, **headers: str) -> tuple[int, bytes, str | None]:
        answer = await desk.api.get(f"{FILES}/{file['id']}", Range=wanted, **headers)
        body = answer.body if answer.status < 400 else b""
        return answer.status, body, answer.headers["Content-Range"]

    assert await read("bytes=2-4") == (206, b"234", "bytes 2-4/10")
    assert await read("bytes=7-") == (206, b"789", "bytes 7-9/10")
    assert await read("bytes=-2") == (206, b"89", "bytes 8-9/10")
    assert await read("bytes=5-99") == (206, b"56789", "bytes 5-9/10")
    assert await read("bytes=2-4", If_Range=tag) == (206, b"234", "bytes 2-4/10")
    assert await read("bytes=10-") == (416, b"", "bytes */10")
    assert await read("bytes=-0") == (416, b"", "bytes */10")
    for whole in ("bytes=4-2", "bytes=0-1,3-4", "lines=1-2", "bytes=-", "bytes=0-9", "bytes=-99"):
        assert await read(whole) == (200, b"0123456789", None), whole
    assert await read("bytes=2-4", If_Range='"other"') == (200, b"0123456789", None)


async def test_who_has_it_gets_304(desk: Desk) -> None:
    file = await uploaded(desk.api)
    await shown(desk.api, file["id"])
    place, tag = f"{FILES}/{file['id']}", f'"{file["sha256"]}"'
    fresh = await desk.api.get(place, If_None_Match=f'"x", {tag}')
    assert (fresh.status, fresh.body, fresh.headers["ETag"]) == (304, b"", tag)
    assert (await desk.api.get(place, If_None_Match='"x"')).status == 200


async def test_a_repeated_upload_is_one(desk: Desk, tmp_path: Path) -> None:
    path = f"{FILES}?name=cat.png"
    first = await send(desk.api, PNG, path, Idempotency_Key="k")
    again = await asyncio.gather(
        *(send(desk.api, PNG, path, Idempotency_Key="k") for _ in range(4))
    )
    assert {answer.body for answer in again} == {first.body}
    assert {answer.headers["Idempotent-Replayed"] for answer in again} == {"true"}
    assert len(stored(tmp_path / "blobs")) == 1
    other = await send(desk.api, PNG + b"x", path, Idempotency_Key="k")
    assert (other.status, other.json["code"]) == (422, "key_reused")
    assert len(stored(tmp_path / "blobs")) == 1
    await shown(desk.api, first.json["id"])
    assert (await desk.api.get(f"{FILES}/{first.json['id']}")).body == PNG


async def test_concurrent_uploads_with_one_key_are_one(desk: Desk, tmp_path: Path) -> None:
    made = await asyncio.gather(*(send(desk.api, PNG, Idempotency_Key="k") for _ in range(4)))
    assert {answer.status for answer in made} == {201}
    assert len({answer.body for answer in made}) == 1
    assert len(stored(tmp_path / "blobs")) == 1


async def test_a_long_text_that_is_sent_again_is_the_same(desk: Desk) -> None:
    new = {"subject": "s", "body": "long " * 20_000}
    first = await desk.api.post(TICKETS, new, Idempotency_Key="k")
    again = await desk.api.post(TICKETS, new, Idempotency_Key="k")
    assert (again.status, again.body) == (201, first.body)
    other = await desk.api.post(TICKETS, new | {"body": "long " * 19_999}, Idempotency_Key="k")
    assert other.json["code"] == "key_reused"


async def refused(api: Api, *ids: int) -> bool:
    answer = await api.post(TICKETS, {"subject": "s", "body": "b", "attachment_ids": ids})
    if answer.status == 201:
        return False
    found = (answer.status, answer.json["errors"][0]["field"])
    assert found == (404, "attachment_ids"), answer.body
    return True


async def test_what_cannot_be_used(desk: Desk) -> None:
    used, free = [(await uploaded(desk.api))["id"] for _ in range(2)]
    await shown(desk.api, used)
    assert await refused(desk.api, 999)
    assert await refused(desk.api, free, used)
    assert len((await desk.api.get(TICKETS)).json["data"]) == 1
    assert not await refused(desk.api, free)


async def test_two_cannot_have_the_same(desk: Desk) -> None:
    file = (await uploaded(desk.api))["id"]
    assert sorted(await asyncio.gather(*(refused(desk.api, file) for _ in range(5)))) == [
        False,
        *[True] * 4,
    ]


async def test_whose_uploads_may_be_used(desk: Desk) -> None:
    agent = await desk.api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    one, two = [await desk.key("admin", agent_id=agent["id"]) for _ in range(2)]
    other = await desk.key("admin")
    file = (await uploaded(one))["id"]
    assert await refused(desk.api, file)
    assert await refused(other, file)
    assert not await refused(two, file)


async def test_a_file_is_for_those_who_may_read_its_entry(desk: Desk) -> None:
    mine, others = [
        (await desk.api.made("/api/v1/clients", {"name": name}))["id"] for name in ("A", "B")
    ]
    client = await desk.key("tickets:read", "tickets:write", "attachments:read", client_id=mine)
    seen, foreign, noted, unused = [(await uploaded(desk.api))["id"] for _ in range(4)]
    ticket = await shown(desk.api, seen, client_id=mine)
    await shown(desk.api, foreign, client_id=others)
    place = f"{TICKETS}/{ticket['id']}/entries"
    await shown(desk.api, noted, place=place, kind="internal")
    status = [(await client.get(f"{FILES}/{id}")).status for id in (seen, foreign, noted, unused)]
    assert status == [200, 404, 404, 404]
    missing = await client.get(f"{FILES}/{foreign}")
    assert missing.json["detail"] == f"there is no attachment {foreign}"
    everyone = [(await desk.api.get(f"{FILES}/{id}")).status for id in (foreign, noted, unused)]
    assert everyone == [200, 200, 404]
    assert (await desk.api.get(f"{FILES}/{2**70}")).status == 404


async def test_files_need_scopes_of_their_own(desk: Desk) -> None:
    tickets = await desk.key("tickets:read", "tickets:write")
    assert (await send(tickets, PNG)).status == 403
    assert (await tickets.get(f"{FILES}/1")).status == 403
    assert (await send(desk.api.using(""), PNG)).status == 401


async def test_a_redacted_entry_has_no_files(desk: Desk) -> None:
    file = (await uploaded(desk.api))["id"]
    ticket = await shown(desk.api)
    place = f"{TICKETS}/{ticket['id']}/entries"
    entry = await shown(desk.api, file, place=place)
    assert (await desk.api.get(f"{FILES}/{file}")).status == 200
    redacted = await desk.api.call("DELETE", f"{place}/{entry['id']}", None, {})
    assert redacted.json["attachments"] == []
    assert (await desk.api.get(f"{FILES}/{file}")).status == 404


async def test_what_is_written_shows_pictures_as_what_is_read_does(desk: Desk) -> None:
    made = await desk.api.made(TICKETS, {"subject": "s", "body": "b"})
    place = f"{TICKETS}/{made['id']}/entries"
    kept = '<img src="/api/v1/attachments/7" alt="Screen"><br>See <b>above</b>.'
    for body, html in (
        (kept, kept),
        (f"<p>{kept}</p>".replace('"', "'"), f"<p>{kept}</p>"),
        ('<img src="https://x.test/api/v1/attachments/7">', f'<img src="{BLOCKED_IMAGE}">'),
        ('<img src="/api/v1/attachments/7/..">', f'<img src="{BLOCKED_IMAGE}">'),
    ):
        assert (await desk.api.made(place, {"body": body}))["body"]["html"] == html


async def test_files_stay_with_their_entries_when_tickets_merge(desk: Desk) -> None:
    mine, others = [
        (await desk.api.made("/api/v1/clients", {"name": name}))["id"] for name in ("A", "B")
    ]
    client = await desk.key("attachments:read", client_id=others)
    file = (await uploaded(desk.api))["id"]
    source = await shown(desk.api, file, client_id=mine)
    target = await shown(desk.api, client_id=others)

    async def readable(status: int) -> None:
        await eventually(lambda: client.get(f"{FILES}/{file}"), lambda a: a.status == status)

    await readable(404)
    merge = {"into": target["id"], "across_clients": True}
    assert (await desk.api.post(f"{TICKETS}/{source['id']}/merge", merge)).status == 200
    await readable(200)
    entries = (await desk.api.get(f"{TICKETS}/{target['id']}/entries")).json["data"]
    assert [[f["id"] for f in entry["attachments"]] for entry in entries] == [[file], []]
    assert (await desk.api.post(f"{TICKETS}/{source['id']}/unmerge", {})).status == 200
    await readable(404)
    assert (await desk.api.get(f"{FILES}/{file}")).body == PNG
