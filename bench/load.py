"""HTTP load by wrk, from this machine to itself."""

import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32

_SCRIPT = """
wrk.method = "{method}"
wrk.headers["Authorization"] = "Bearer {key}"
wrk.headers["Content-Type"] = "application/json"
wrk.body = {body}
local base, top, n = "{path}", {top}, 0
request = function()
  n = (n * 7919 + 104729) % top
  return wrk.format(nil, (base:gsub("{{n}}", tostring(n + 1))))
end
done = function(summary, latency)
  local bad = summary.errors.status + summary.errors.read + summary.errors.timeout
  io.write(string.format("RESULT %d %d %d %d\\n", summary.requests, summary.duration,
    latency:percentile(99), bad))
end
"""


@dataclass(frozen=True)
class Rate:
    """Requests, the seconds they took, and the p99 latency in milliseconds."""

    requests: int
    seconds: float
    p99: float
    errors: int

    @property
    def per_second(self) -> float:
        return self.requests / self.seconds


def available() -> bool:
    return shutil.which("wrk") is not None


def run(
    url: str,
    key: str,
    path: str,
    *,
    seconds: float,
    folder: Path,
    top: int = 1,
    body: object = None,
) -> Rate:
    """``{n}`` in the path runs through the numbers up to ``top``."""
    payload = "nil" if body is None else f"[==[{json.dumps(body)}]==]"
    method = "GET" if body is None else "POST"
    script = folder / "load.lua"
    script.write_text(
        _SCRIPT.format(method=method, key=key, body=payload, path=path, top=max(top, 1))
    )
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds:.0f}s", "-s", str(script), url]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"RESULT (\d+) (\d+) (\d+) (\d+)", output)
    assert found, output
    requests, microseconds, p99, errors = map(int, found.groups())
    return Rate(requests, microseconds / 1e6, p99 / 1e3, errors)
