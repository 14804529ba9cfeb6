"""The described API is the served one: schema, OpenAPI, reference page, health."""

import base64
import json
import re
from hashlib import sha256
from typing import Any

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from gateway_api import Desk
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # ships no types
from sqlalchemy import Connection
from sqlalchemy.ext.asyncio import create_async_engine

from deskwire.testing import FreshDatabase
from gateway.api import openapi_document
from gateway.api.errors import STATUS
from gateway.api.examples import UNKNOWN
from gateway.readmodel.tables import metadata


async def test_tables_are_what_the_migrations_make(fresh_database: FreshDatabase) -> None:
    url = fresh_database("gateway").replace("postgresql://", "postgresql+asyncpg://")
    engine = create_async_engine(url)

    def differences(connection: Connection) -> list[object]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found: list[object] = compare_metadata(context, metadata)
        return found

    async with engine.connect() as connection:
        assert await connection.run_sync(differences) == []
    await engine.dispose()


async def test_answers_are_as_described(desk: Desk) -> None:
    api, described = desk.api, openapi_document()
    client = await api.made("/api/v1/clients", {"name": "Acme"})
    contact = await api.made("/api/v1/contacts", {"client_id": client["id"], "name": "Ann"})
    domain = await api.made("/api/v1/domains", {"client_id": client["id"], "name": "example.com"})
    agent = await api.made("/api/v1/agents", {"name": "Bob", "email": "bob@example.com"})
    ticket = await api.made("/api/v1/tickets", {"subject": "s", "body": "x" * 100_000})
    entry = await api.made(f"/api/v1/tickets/{ticket['id']}/entries", {"body": "<p>b</p>"})
    for schema, document in (
        ("Client", client),
        ("Contact", contact),
        ("Domain", domain),
        ("Agent", agent),
        ("Ticket", ticket),
        ("Entry", entry),
        ("Page_Ticket_", (await api.get("/api/v1/tickets?total=true")).json),
        ("Page_Entry_", (await api.get(f"/api/v1/tickets/{ticket['id']}/entries")).json),
        ("Page_ShownKey_", (await api.get("/api/v1/keys")).json),
        ("Problem", (await api.get("/api/v1/tickets?x=1")).json),
        ("Problem", (await api.get("/nowhere")).json),
    ):
        Draft202012Validator(described | {"$ref": f"#/components/schemas/{schema}"}).validate(
            document
        )
        fields = described["components"]["schemas"][schema]["properties"]
        assert set(document) <= set(fields), schema


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Path, method and description of all that is served."""
    paths = openapi_document()["paths"].items()
    return [(path, method, found) for path, item in paths for method, found in item.items()]


def test_document_describes_all_and_hides_what_is_ours() -> None:
    document = openapi_document()
    assert "blob_id" not in str(document)
    assert "within_client" not in str(document)
    names = [operation["operationId"] for _, _, operation in operations()]
    assert len(names) == len(set(names))
    for path, method, operation in operations():
        assert operation["security"], path
        given = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert given == set(re.findall(r"{(\w+)}", path)), path
        if method == "post" and not path.endswith(".php"):
            assert "Idempotency-Key" in {p["name"] for p in operation["parameters"]}, path


def test_every_operation_has_examples_that_its_schemas_allow() -> None:
    """A text that no reader recognises wants a line in `gateway/api/samples.py`."""
    document = openapi_document()
    for path, method, operation in operations():
        answers = [each for s, each in operation["responses"].items() if s.startswith("2")]
        for told in (operation.get("requestBody", {}), *answers):
            for kind, media in told.get("content", {}).items():
                several = media.get("examples", {"": {"value": media.get("example")}})
                for example in (each["value"] for each in several.values()):
                    assert UNKNOWN not in json.dumps(example, ensure_ascii=False), (method, path)
                    if kind == "application/json":
                        Draft202012Validator(document | media["schema"]).validate(example)


def test_every_refusal_is_described() -> None:
    refusals = openapi_document()["components"]["responses"]
    described = {
        media["example"]["status"]
        for each in refusals.values()
        for media in each["content"].values()
    }
    assert described == set(STATUS.values()) - {405, 500}, "which are about no operation"


async def test_served_document_is_that_document(lonely_desk: Desk) -> None:
    served = await lonely_desk.api.using("").get("/api/v1/openapi.json")
    assert served.json == openapi_document()


async def test_reference_loads_nothing_from_elsewhere(lonely_desk: Desk) -> None:
    page = await lonely_desk.api.using("").get("/docs")
    assert page.status == 200
    text = page.body.decode()
    assert not re.search(r"https?://|src=|@import|url\(", text)
    policy = page.headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    for tag in ("script", "style"):
        inline = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        assert len(inline) == 1
        digest = base64.b64encode(sha256(inline[0].encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in policy
    codes = openapi_document()["components"]["schemas"]["Problem"]["properties"]["code"]["enum"]
    assert "not_found" in codes


async def test_health_and_metrics(lonely_desk: Desk) -> None:
    nobody = lonely_desk.api.using("")
    assert (await nobody.get("/livez")).json == {"status": "ok"}
    assert (await nobody.get("/readyz")).json == {"database": "ok", "broker": "ok"}
    await lonely_desk.api.get("/api/v1/tickets/77")
    await nobody.get("/api/v1/tickets/78")
    metrics = (await nobody.get("/metrics")).body.decode()
    for status in (404, 401):
        series = f'{{route="/api/v1/tickets/{{ticket_id:int}}",status="{status}"}}'
        assert f"deskwire_http_requests_seconds_count{series}" in metrics
