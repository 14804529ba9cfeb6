"""What PostgreSQL looks at for a statement."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from deskwire.db import Database, Statement

Node = dict[str, Any]


async def scans_of(
    table: str, database: Database, statement: Statement, values: dict[str, Any]
) -> list[Node]:
    """The nodes of its plan, which is run, that read the table."""
    explain = f"EXPLAIN (ANALYZE, FORMAT JSON) {statement.sql}"
    told = json.loads(await database.pool.fetchval(explain, *statement.arguments(values)))
    return [node for node in _nodes(told[0]["Plan"]) if node.get("Relation Name") == table]


def looked_at(scans: Sequence[Node]) -> int:
    """Rows, also those that a condition left out."""
    return sum(scan["Actual Rows"] + scan.get("Rows Removed by Filter", 0) for scan in scans)


def _nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for child in plan.get("Plans", ()):
        yield from _nodes(child)
