"""An authorization server on loopback, for tests: rotating refresh tokens, and introspection for
Dovecot."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4


class AuthorizationServer:
    """``refresh`` is the only refresh token that is good now; each use replaces it."""

    def __init__(self, user: str, port: int) -> None:
        self.user = user
        self.port = port
        self.refresh = "first"
        self.lifetime = 3600
        self.good: set[str] = set()
        self.asked: list[dict[str, str]] = []
        self.broken = False

    def token(self, form: dict[str, str]) -> tuple[int, Any]:
        """RFC 6749 sections 4.4 and 6."""
        self.asked.append(form)
        if self.broken:
            return 503, {}
        if form["grant_type"] == "refresh_token":
            if form["refresh_token"] != self.refresh:
                return 400, {"error": "invalid_grant", "error_description": "it has ended"}
            self.refresh = uuid4().hex
        access = uuid4().hex
        self.good.add(access)
        answer = {"access_token": access, "token_type": "Bearer", "expires_in": self.lifetime}
        return 200, answer | {"refresh_token": self.refresh}

    def introspect(self, form: dict[str, str]) -> tuple[int, Any]:
        """RFC 7662 section 2.2."""
        return 200, {"active": form["token"] in self.good, "username": self.user}


@contextmanager
def authorization_server(port: int, user: str) -> Iterator[AuthorizationServer]:
    server = AuthorizationServer(user, port)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            size = int(self.headers["content-length"])
            form = {
                name: last[-1] for name, last in parse_qs(self.rfile.read(size).decode()).items()
            }
            status, answer = getattr(server, self.path.removeprefix("/"))(form)
            body = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", port), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield server
        finally:
            http.shutdown()
            thread.join()
