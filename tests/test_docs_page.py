"""Our pages in a real browser: Debian's Chromium, without a window."""

import asyncio
import html
import os
import re
import shutil
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from operations import operations

from deskwire import db
from deskwire.links import DigestLink, Links
from deskwire.testing import FreshDatabase
from gateway import main as gateway
from gateway.settings import Settings

KEY = "a link key for tests alone"
CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=30000",
)


@pytest.fixture
async def address(fresh_database: FreshDatabase) -> AsyncIterator[str]:
    settings = Settings.model_validate(
        {
            "database_url": fresh_database("gateway"),
            "broker_url": f"memory://{uuid4()}",
            "blob_url": "memory://",
            "port": 0,
            "link_key": KEY,
        }
    )
    async with db.connect(settings.database_url, size=1), gateway.running(settings) as server:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"


async def browse(address: str, profile: Path, *flags: str) -> tuple[str, str]:
    """What the page has become when its scripts have run, and what the browser said."""
    if CHROMIUM is None:
        message = "no Chromium here: install chromium"
        if os.environ.get("CI") == "true":
            pytest.fail(message, pytrace=False)
        pytest.skip(message)
    process = await asyncio.create_subprocess_exec(
        *(CHROMIUM, *FLAGS, *flags, f"--user-data-dir={profile}", "--dump-dom", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, said = await process.communicate()
    return page.decode(), said.decode(errors="replace")


async def test_the_reference_shows_every_operation_with_an_example(
    address: str, tmp_path: Path
) -> None:
    page, said = await browse(f"{address}/docs", tmp_path / "profile")
    assert "CONSOLE" not in said, "nothing failed, nothing was blocked"
    sections = dict(re.findall(r'<section id="([^"]+)">(.*?)</section>', page, re.DOTALL))
    assert len(sections) == len(operations())
    for operation in operations():
        shown = html.unescape(sections[operation.described["operationId"]])
        request, answer = re.findall(r"<pre class=\"\w+\"[^>]*>(.*?)</pre>", shown, re.DOTALL)
        assert request.startswith("curl "), operation
        place = re.sub(r"{\w+}", "[^/{}]+", operation.path)
        assert re.search(f"{re.escape(address)}{place}", request), (operation, request)
        assert operation.bodies == [None] or "{" in request or "@" in request, operation
        assert re.match(r"HTTP 2\d\d", answer), (operation, answer)
        assert operation.scope in shown, operation
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r'id="([^"]+)"', page)), "each leads somewhere"
    elsewhere = re.findall(r'(?:src|href)="(?!#|data:|/api/v1/openapi)([^"]*)', page)
    assert elsewhere == []


async def test_the_page_of_a_link_in_a_mail_looks_as_it_is_meant_to(
    address: str, tmp_path: Path
) -> None:
    token = Links.of(KEY).token(DigestLink(1, "daily", "de"), datetime.now(UTC) + timedelta(1))
    place = f"{address}/unsubscribe/{token}"
    page, said = await browse(place, tmp_path / "profile", "--window-size=360,640")
    assert "CONSOLE" not in said, "its style is let through"
    assert "Keine solchen Zusammenfassungen mehr?" in page
