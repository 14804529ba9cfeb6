"""A mail server that takes everything and keeps nothing: what sending is measured against.

python -m bench.sink PORT [SECONDS], which it thinks about each mail
"""

import asyncio
import sys
from functools import partial

ANSWERS = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
OK = b"250 ok\r\n"
END = b"\r\n.\r\n"


class Session(asyncio.Protocol):
    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._buffer = b""
        self._in_mail = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(b"220 sink\r\n")

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        while (end := END if self._in_mail else b"\r\n") in self._buffer:
            said, _, self._buffer = self._buffer.partition(end)
            answer = OK if self._in_mail else ANSWERS.get(said[:4].upper(), OK)
            if self._in_mail and self._seconds:
                asyncio.get_running_loop().call_later(self._seconds, self._transport.write, OK)
            else:
                self._transport.write(answer)
            self._in_mail = answer is ANSWERS[b"DATA"]


async def main(port: int, seconds: float = 0) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(partial(Session, seconds), "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]), *map(float, sys.argv[2:])))
