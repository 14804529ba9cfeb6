"""A private Dovecot: any user, one password, a Maildir for each."""

import grp
import imaplib
import pwd
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from deskwire.local.imap_config import configuration
from deskwire.local.processes import (
    Account,
    LocalServerError,
    Process,
    account,
    free_port,
    last_words,
    locked,
    run,
    socket_folder,
)

PASSWORD = "password"  # noqa: S105 (of a throw-away server on loopback)


@contextmanager
def dovecot(base: Path, *, prefix: str = "") -> Iterator["Dovecot"]:
    """A running server whose mails stay in the folder. With a ``prefix`` such as ``INBOX.`` all
    folders are below it, and its last character is between their levels."""
    base = base.absolute()
    if not dovecot_available():
        raise LocalServerError("no Dovecot on this machine: install dovecot-imapd")
    with locked(base):
        base.chmod(0o711)
        person = account(base)
        with socket_folder(person) as sockets:
            server = Dovecot(base, sockets, person, prefix)
            try:
                server.start()
                yield server
            finally:
                server.stop()


def dovecot_available() -> bool:
    return _program("dovecot") is not None and shutil.which("openssl") is not None


def _program(name: str) -> str | None:
    return shutil.which(name) or shutil.which(name, path="/usr/sbin:/usr/local/sbin")


def _version() -> str:
    return run([_program("dovecot") or "", "--version"]).stdout


class Dovecot:
    """One server on the same ports from its first start to its last stop."""

    def __init__(self, base: Path, sockets: Path, person: Account, prefix: str) -> None:
        self._base, self._person, self._prefix = base, person, prefix
        self._imap, self._imaps = free_port(), free_port()
        self.introspection_port = free_port()
        self._server: Process | None = None
        self.certificate = base / "cert.pem"
        self._prepare(sockets)

    def url(self, user: str) -> str:
        return f"imap://{quote(user, safe='')}:{PASSWORD}@127.0.0.1:{self._imap}"

    def oauth_url(self, user: str, name: str) -> str:
        """Logs in with access tokens of the OAuth client of this name."""
        return f"imap://{quote(user, safe='')}@127.0.0.1:{self._imap}?oauth={name}"

    def tls_url(self, user: str) -> str:
        """With a certificate for localhost that only ``certificate`` vouches for."""
        return f"imaps://{quote(user, safe='')}:{PASSWORD}@localhost:{self._imaps}"

    def start(self) -> None:
        if self._server is not None:
            return
        command = [*self._person.prefix, _program("dovecot") or "", "-F"]
        command += ["-c", str(self._base / "dovecot.conf")]
        server = self._server = Process(command, log=self._base / "dovecot.log")
        if not server.wait_until(self._answers, seconds=20):
            self.stop()
            raise LocalServerError(f"Dovecot does not start: {last_words(server.log)}")

    def stop(self) -> None:
        if self._server is not None:
            self._server.stop()
            self._server = None

    def append(self, user: str, raw: bytes, folder: str = "INBOX") -> None:
        with self._client(user) as client:
            if folder != "INBOX":
                client.create(folder)
            status, answer = client.append(folder, "", "", raw)
            if status != "OK":
                raise LocalServerError(f"Dovecot refused the mail: {answer!r}")

    def messages(self, user: str, folder: str = "INBOX") -> list[bytes]:
        """The raw mails of a folder, left unseen; none where there is no such folder."""
        with self._client(user) as client:
            if client.select(folder, readonly=True)[0] != "OK":
                return []
            _, parts = client.uid("FETCH", "1:*", "(BODY.PEEK[])")  # plain FETCH refuses none
            return [part[1] for part in parts if isinstance(part, tuple)]

    @contextmanager
    def _client(self, user: str) -> Iterator[imaplib.IMAP4]:
        with imaplib.IMAP4("127.0.0.1", self._imap, timeout=20) as client:
            client.login(user, PASSWORD)
            yield client

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._imap), timeout=1) as client:
                return client.recv(4) == b"* OK"
        except OSError:
            return False

    def _prepare(self, sockets: Path) -> None:
        mail = self._base / "mail"
        mail.mkdir(mode=0o700, exist_ok=True)
        self._person.own(mail)
        _make_certificate(self._base)
        self._person.own(self._base / "key.pem")
        for name, content in configuration(_version(), **self._values(sockets)).items():
            (self._base / name).write_text(content)

    def _values(self, sockets: Path) -> dict[str, object]:
        uid, gid = self._person.uid, self._person.gid
        return {
            "base": self._base,
            "sockets": sockets,
            "user": pwd.getpwuid(uid).pw_name,
            "group": grp.getgrgid(gid).gr_name,
            "uid": uid,
            "gid": gid,
            "password": PASSWORD,
            "prefix": self._prefix,
            "separator": self._prefix[-1:] or "/",
            "imap": self._imap,
            "imaps": self._imaps,
            "introspection": self.introspection_port,
        }


def _make_certificate(base: Path) -> None:
    if (base / "cert.pem").exists():
        return
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3650"
    names = "subjectAltName=DNS:localhost,IP:127.0.0.1"
    files = ["-keyout", "key.pem", "-out", "cert.pem"]
    words = [*command.split(), "-subj", "/CN=localhost", "-addext", names, *files]
    if (done := run(words, cwd=base)).returncode != 0:
        raise LocalServerError(f"openssl makes no certificate: {' '.join(done.stderr.split())}")
