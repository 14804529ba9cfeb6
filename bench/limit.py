"""pgbench with a create's own SQL: what PostgreSQL alone can do on this machine."""

import re
import shutil
import subprocess
from pathlib import Path

from deskwire.contracts.mail import Body
from deskwire.contracts.ticket_commands import OpenTicket
from ticket_svc.handlers.tickets import Origin, opening_values
from ticket_svc.store.tickets import OPEN

CLIENTS = 32


def creates_per_second(database_url: str, folder: Path, seconds: int) -> float | None:
    """None where the machine has no pgbench."""
    pgbench = shutil.which("pgbench") or next(
        (str(path) for path in sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"))), None
    )
    if pgbench is None:
        return None
    script = folder / "create.sql"
    script.write_text(_literal_sql())
    command = [pgbench, "--no-vacuum", "--protocol=prepared", f"--file={script}"]
    command += [f"--client={CLIENTS}", f"--time={seconds}", "--jobs=1", database_url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"tps = ([\d.]+)", output)
    assert found, output
    return float(found[1])


def _literal_sql() -> str:
    command = OpenTicket(subject="Printer", body=Body(text="It is on fire. " * 20), client_id=1)
    values = OPEN.arguments(opening_values(command, Origin()))

    def literal(match: re.Match[str]) -> str:
        return _literal(values[int(match[1]) - 1])

    return re.sub(r"\$(\d+)", literal, OPEN.sql) + ";\n"


def _literal(value: object) -> str:
    if value is None:
        return "NULL"
    if isinstance(value, bool | int):
        return str(value).lower()
    if isinstance(value, list):
        return "'{}'"
    text = str(value).replace("'", "''").replace(":", ": ")  # pgbench's variables are :so
    return f"'{text}'"
