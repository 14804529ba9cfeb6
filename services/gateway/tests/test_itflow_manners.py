"""ITFlow's manners, as they go over the wire: keys, methods, bodies, and what fails."""

import asyncio
import json
import logging
import socket

import pytest
from gateway_api import Desk, gateway
from itflow_api import NOTHING, ONLY_GET, ONLY_POST, WRONG_KEY, insert, read, write

from deskwire.logs import NOISY
from deskwire.testing import FreshDatabase
from gateway.api.itflow import FACES, php
from gateway.api.itflow.face import READ, Face

READ_PHP, CREATE_PHP = "/api/v1/tickets/read.php", "/api/v1/tickets/create.php"


def exchange(port: int, sent: bytes) -> tuple[bytes, dict[bytes, bytes], bytes]:
    """The status line, the headers and the body, as they come."""
    with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
        connection.sendall(sent)
        received = b""
        while part := connection.recv(65536):
            received += part
    head, _, body = received.partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    headers = dict(line.lower().split(b": ", 1) for line in lines)
    return status, headers, body


async def over_the_wire(
    desk: Desk, method: str, target: str, body: bytes = b"", kind: str | None = None
) -> tuple[bytes, dict[bytes, bytes], bytes]:
    lines = [f"{method} {target} HTTP/1.1", "Host: desk.example.com", "Connection: close"]
    lines += [f"Content-Type: {kind}"] if kind else []
    lines += [f"Content-Length: {len(body)}"] if body else []
    sent = "\r\n".join([*lines, "", ""]).encode() + body
    return await asyncio.to_thread(exchange, desk.api.port, sent)


async def test_key_is_asked_for_before_anything(lonely_desk: Desk) -> None:
    for face in FACES:
        status, headers, body = await over_the_wire(lonely_desk, face.kind.method, face.path)
        assert (status, body) == (b"HTTP/1.1 401 Unauthorized", b""), face.name
        assert headers[b"content-type"] == b"application/json"
        assert headers[b"content-length"] == b"0"
        wrong = await over_the_wire(lonely_desk, face.kind.method, f"{face.path}?api_key=bad")
        assert (wrong[0], wrong[2]) == (b"HTTP/1.1 401 Unauthorized", WRONG_KEY)


async def test_wrong_verbs_are_refused_as_itflow_does(lonely_desk: Desk) -> None:
    key = lonely_desk.api.key
    for face in FACES:
        wrong, told = ("POST", ONLY_GET) if face.kind is READ else ("GET", ONLY_POST)
        target = f"{face.path}?api_key={key}"
        status, headers, body = await over_the_wire(lonely_desk, wrong, target)
        assert (status, body) == (b"HTTP/1.1 405 Method Not Allowed", told), face.name
        assert headers[b"content-type"] == b"application/json"
        assert (await over_the_wire(lonely_desk, wrong, f"{face.path}?api_key=bad"))[2] == WRONG_KEY
        assert (await over_the_wire(lonely_desk, wrong, face.path))[2] == b""
        for verb in ("PUT", "DELETE", "PATCH", "OPTIONS"):
            status, headers, body = await over_the_wire(lonely_desk, verb, target)
            assert status == b"HTTP/1.1 405 Method Not Allowed"
            assert body == b'string(%d) "%s"\n' % (len(verb), verb.encode())
            assert headers[b"content-type"] == b"application/json"


async def test_keyless_put_is_told_of_the_verb(lonely_desk: Desk) -> None:
    status, _, body = await over_the_wire(lonely_desk, "PUT", READ_PHP)
    assert (status, body) == (b"HTTP/1.1 405 Method Not Allowed", b'string(3) "PUT"\n')


@pytest.mark.parametrize(
    "kind", [None, "application/json", "application/x-www-form-urlencoded", "text/plain", "x"]
)
async def test_body_is_json_whatever_it_is_called(desk: Desk, kind: str | None) -> None:
    body = json.dumps({"api_key": desk.api.key, "ticket_subject": "s"}).encode()
    status, _, told = await over_the_wire(desk, "POST", CREATE_PHP, body, kind)
    assert status == b"HTTP/1.1 200 OK"
    assert told == b'{"success":"True","count":"1","data":[{"insert_id":1}]}'


@pytest.mark.parametrize(
    "body",
    [
        b"api_key=KEY&ticket_subject=s",
        b'{"api_key":"KEY"',
        b'["KEY"]',
        b'"KEY"',
        b"null",
        b"[" * 100_000,
        b'{"api_key":null}',
        b'\xef\xbb\xbf{"api_key":"KEY"}',
        b'{"api_key":"KEY\xff"}',
    ],
)
async def test_bodies_without_a_key(lonely_desk: Desk, body: bytes) -> None:
    sent = body.replace(b"KEY", lonely_desk.api.key.encode())
    form = "application/x-www-form-urlencoded"
    status, _, told = await over_the_wire(lonely_desk, "POST", CREATE_PHP, sent, form)
    assert (status, told) == (b"HTTP/1.1 401 Unauthorized", b"")


async def test_key_in_the_body_wins(lonely_desk: Desk) -> None:
    key = lonely_desk.api.key
    good = json.dumps({"api_key": key}).encode()
    for method, target, body, told in (
        ("GET", f"{READ_PHP}?api_key=bad", good, NOTHING),
        ("GET", f"{READ_PHP}?api_key={key}", b'{"api_key":"bad"}', WRONG_KEY),
        ("GET", f"{READ_PHP}?api_key={key}", b'{"api_key":null}', NOTHING),
        ("GET", f"{READ_PHP}?api_key={key}", b'{"api_key":""}', WRONG_KEY),
        ("GET", f"{READ_PHP}?api_key={key}", b'{"api_key":["x"]}', WRONG_KEY),
        ("GET", READ_PHP, good, NOTHING),
        ("GET", f"{READ_PHP}?api_key=", b"", WRONG_KEY),
        ("POST", f"{READ_PHP}?api_key=bad", good, ONLY_GET),
    ):
        assert (await over_the_wire(lonely_desk, method, target, body))[2] == told, (target, body)


async def test_header_is_no_key_here(lonely_desk: Desk) -> None:
    answer = await lonely_desk.api.get(READ_PHP)
    assert (answer.status, answer.body) == (401, b"")


async def test_key_without_the_scope(lonely_desk: Desk) -> None:
    for face in FACES:
        other = "mail:read"
        key = (await lonely_desk.key(other)).key
        answer = await over_the_wire(lonely_desk, face.kind.method, f"{face.path}?api_key={key}")
        assert answer[0] == b"HTTP/1.1 403 Forbidden", face.name
        assert json.loads(answer[2])["success"] == "False"


async def test_writes_while_the_owner_is_away(lonely_desk: Desk) -> None:
    answer = await write(lonely_desk.api, "tickets/create", {"ticket_subject": "s"})
    assert (answer.status, answer.json["success"]) == (503, "False")
    assert answer.headers["Retry-After"] == "2"
    assert answer.headers["Idempotency-Key"]


async def test_lost_connections_are_told_in_the_envelope(desk: Desk) -> None:
    await insert(desk.api, "tickets/create", {"ticket_subject": "s"})
    await desk.database.pool.execute("""
        ALTER TABLE tickets RENAME TO kept;
        CREATE VIEW tickets AS SELECT * FROM kept WHERE pg_terminate_backend(pg_backend_pid())
    """)
    answer = await read(desk.api, "tickets/read")
    assert (answer.status, answer.headers["Retry-After"]) == (503, "2")
    assert answer.json == {"success": "False", "message": "the database cannot be reached"}


async def test_no_log_and_no_metric_has_the_key(
    lonely_desk: Desk, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    api, secret = lonely_desk.api, lonely_desk.api.key.rpartition("_")[2]
    caplog.set_level(logging.DEBUG)
    for name in NOISY:  # as `logs.configure` does it when a service starts
        caplog.set_level(logging.CRITICAL, logger=name)
    await lonely_desk.database.pool.execute("ALTER TABLE tickets RENAME TO gone")
    for query in ("", "ticket_id=1"):
        assert (await read(api, "tickets/read", query)).status == 500
    await write(api, "tickets/create", {"ticket_subject": "s"})
    await read(api, "tickets/nowhere")
    await api.using("").get(f"/api/v1/tickets/9?api_key={api.key}")
    captured = capfd.readouterr()
    told = captured.out + captured.err + caplog.text
    assert "request failed" in told
    assert secret not in told
    assert secret not in (await api.using("").get("/metrics")).body.decode()


async def test_switched_off_there_is_nothing(
    fresh_database: FreshDatabase, broker_url: str
) -> None:
    async with gateway(fresh_database, broker_url, itflow_api="off") as desk:
        assert (await read(desk.api, "tickets/read")).status == 404
        paths = (await desk.api.get("/api/v1/openapi.json")).json["paths"]
        assert not [path for path in paths if path.endswith(".php")]


def test_every_function_is_described() -> None:
    assert len({face.name for face in FACES}) == len(FACES)
    for face in FACES:
        assert set(face.needs) <= set(face.takes), face.name
        assert (face.gives is not None) == (face.kind is READ), face.name
        assert isinstance(face, Face)


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("5", 5),
        ("5abc", 5),
        (" 5", 5),
        ("+5", 5),
        ("abc", 0),
        ("", 0),
        ("5.9", 5),
        (".5", 0),
        ("1e3", 1000),
        ("1e999", 2**53 - 1),
        ("9" * 400, 2**53 - 1),
        ("-3", -1),
        ("-0.5", 0),
        ("²", 0),
        (None, 0),
        (True, 1),
        (False, 0),
        (5.9, 5),
        (10**30, 2**53 - 1),
        (-7, -1),
        ([7], 0),
        ({"a": 1}, 0),
    ],
)
def test_numbers_are_read_as_intval_does(value: object, number: int) -> None:
    assert php.integer(value) == number


def test_texts_are_read_as_php_does() -> None:
    assert php.plain(" a <b>c</b>\n1 < 2 <script") == "a c\n1 < 2"
    assert php.line(" a \n b ") == "a b"
    assert [php.text(v) for v in (None, True, False, 5, 5.0, 0.5, [1])] == [
        *("", "1", "", "5", "5", "0.5", "")
    ]
    assert php.duration(3723) == "01:02:03"
    assert php.duration(10**9) == "838:59:59"
