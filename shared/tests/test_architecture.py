"""Every architecture contract of pyproject.toml fails when its rule is broken: none is empty."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import grimp
import pytest

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONTRACTS = {c["id"]: c["name"] for c in PYPROJECT["tool"]["importlinter"]["contracts"]}
BASES = [ROOT / "shared", *sorted((ROOT / "services").iterdir())]

VIOLATIONS = [
    # contract, module that breaks it, by what
    ("services-independent", "ticket_svc.handlers", "from notify_svc import settings"),
    ("services-independent", "gateway.readmodel", "import ticket_svc.store"),
    ("shared-below", "deskwire.db", "from ticket_svc import store"),
    ("layers", "ticket_svc.handlers", "from ticket_svc import main"),
    ("layers", "ticket_svc.store", "from ticket_svc import handlers"),
    ("layers", "mail_ingest_svc.store", "from mail_ingest_svc import mailbox"),
    ("layers", "notify_svc.store", "from notify_svc import sender"),
    ("layers", "notify_svc.rendering", "from notify_svc import store"),
    ("layers", "scheduler_svc.handlers", "from scheduler_svc import clock"),
    ("layers", "gateway.projector", "from gateway import api"),
    ("layers", "gateway.readmodel", "from gateway import projector"),
    ("layers", "gateway.feed", "from gateway import api"),
    ("layers", "mail_ingest_svc.parse", "from mail_ingest_svc import store"),
    ("layers", "ticket_svc.settings", "from ticket_svc import domain"),
    ("broker-library", "ticket_svc.handlers", "import aio_pika"),
    ("broker-library", "deskwire.messaging.broker", "from aiormq import Connection"),
    ("imap-library", "mail_ingest_svc.store", "import imap_tools"),
    ("lmtp-library", "mail_ingest_svc.handlers", "import aiosmtpd"),
    ("oauth-library", "mail_ingest_svc.mailbox", "import authlib"),
    ("http-client-library", "notify_svc.handlers", "import httpx2"),
    ("smtp-library", "notify_svc.handlers", "import aiosmtplib"),
    ("http-library", "gateway.projector", "import fastapi"),
    ("http-library", "deskwire.db", "from fastapi import FastAPI"),
    ("pdf-library", "gateway.api", "import reportlab"),
    ("outbox-only", "ticket_svc.handlers", "from deskwire.messaging import rabbit"),
    ("outbox-only", "gateway.main", "import deskwire.messaging.memory"),
    ("pure-rules", "ticket_svc.domain", "import sqlalchemy"),
    ("pure-rules", "notify_svc.domain", "from deskwire import db"),
    ("pure-rules", "deskwire.contracts.mail", "import asyncpg"),
    ("contracts-alone", "deskwire.contracts.tickets", "import structlog"),
    ("contracts-alone", "deskwire.contracts.base", "from deskwire import errors"),
]


def python_packages() -> Iterator[Path]:
    for base in BASES:
        yield from (file.parent for file in base.glob("*/__init__.py"))


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    tree = tmp_path_factory.mktemp("architecture")
    shutil.copy(ROOT / "pyproject.toml", tree)
    for package in python_packages():
        shutil.copytree(
            package,
            tree / package.relative_to(ROOT),
            ignore=shutil.ignore_patterns("__pycache__", "migrations", "*.html", "*.txt"),
        )
    return tree


def lint(tree: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    paths = [str(tree / base.relative_to(ROOT)) for base in BASES]
    return subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache", "--no-logo", *arguments],
        cwd=tree,
        env=os.environ | {"PYTHONPATH": os.pathsep.join(paths), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )


def source_of(tree: Path, module: str) -> Path:
    """The file of a module, which the services' shared shape promises to be there."""
    parts = Path(*module.split("."))
    for base in BASES:
        place = tree / base.relative_to(ROOT) / parts
        for file in (place.with_suffix(".py"), place / "__init__.py"):
            if file.exists():
                return file
    raise AssertionError(f"there is no module {module}")


def test_the_tree_keeps_every_contract(copy: Path) -> None:
    result = lint(copy)
    assert result.returncode == 0, result.stdout
    assert f"{len(CONTRACTS)} kept, 0 broken" in result.stdout


@pytest.mark.parametrize(("contract", "module", "statement"), VIOLATIONS)
def test_a_violation_breaks_its_contract(
    copy: Path, contract: str, module: str, statement: str
) -> None:
    file = source_of(copy, module)
    before = file.read_text()
    file.write_text(f"{before}\n{statement}\n")
    try:
        result = lint(copy, "--contract", contract)
    finally:
        file.write_text(before)
    assert result.returncode == 1
    assert f"{CONTRACTS[contract]} BROKEN" in result.stdout
    assert "0 kept, 1 broken" in result.stdout


def test_a_new_module_says_where_it_stands(copy: Path) -> None:
    new = source_of(copy, "ticket_svc.main").with_name("helpers.py")
    new.write_text('"""Of no layer."""\n')
    try:
        result = lint(copy, "--contract", "layers")
    finally:
        new.unlink()
    assert result.returncode == 1
    assert "helpers" in result.stdout


def test_whatever_is_ignored_has_its_reason_beside_it() -> None:
    ignored = re.compile(r"# (noqa|type: ignore)(?!(: [A-Z0-9, ]+|\[[a-z, -]+\])\s+[#(])")
    folders = ("bench", "deploy", "services", "shared", "tests")
    files = (file for folder in folders for file in (ROOT / folder).rglob("*.py"))
    bare = [
        f"{file.relative_to(ROOT)}: {line.strip()}"
        for file in files
        for line in file.read_text().splitlines()
        if ignored.search(line)
    ]
    assert bare == []


def test_no_contract_is_without_a_violation() -> None:
    assert {contract for contract, _, _ in VIOLATIONS} == set(CONTRACTS)


def test_contracts_import_only_pydantic_and_the_standard_library() -> None:
    graph = grimp.build_graph("deskwire", include_external_packages=True, cache_dir=None)
    modules = {"deskwire.contracts"} | graph.find_descendants("deskwire.contracts")
    imported = {
        target.partition(".")[0]
        for module in modules
        for target in graph.find_modules_directly_imported_by(module) - modules
    }
    assert imported - sys.stdlib_module_names <= {"pydantic"}
