"""The process that parses: mails on standard input, what was read of them on standard output.

It sets its own limits, which the kernel keeps: a mail that takes too long or too much ends the
process, wherever in whichever library it is. Its parent starts another.
"""

import os
import pickle
import resource
import signal
import struct
import sys

from mail_ingest_svc.parse.mail import parse

SECONDS = 20.0
"""For one mail, by the clock on the wall."""

MEMORY = 512 * 1024 * 1024
"""Address space, in bytes."""

SIZE = struct.Struct(">Q")
"""How many mails follow; then before each, and before the answer to all, how many bytes it has."""


def main() -> None:
    authserv_id, *addresses = sys.argv[1:]
    own = frozenset(addresses)
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # it ends with its parent, after the mail in work
    mails, answers = sys.stdin.buffer, sys.stdout.buffer
    while header := mails.read(SIZE.size):
        parsed = []
        for _ in range(*SIZE.unpack(header)):
            raw = mails.read(*SIZE.unpack(mails.read(SIZE.size)))
            signal.setitimer(signal.ITIMER_REAL, SECONDS)
            parsed.append(parse(raw, own, authserv_id))
        answer = pickle.dumps(parsed, protocol=5)
        signal.setitimer(signal.ITIMER_REAL, 0)
        try:
            answers.write(SIZE.pack(len(answer)))
            answers.write(answer)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody waits for it any more


if __name__ == "__main__":
    main()
