"""A mail server that takes everything and keeps nothing: what sending is measured against.

python -m bench.sink PORT
"""

import asyncio
import sys

ANSWERS = {
    b"EHLO": b"250-sink\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 PIPELINING\r\n",
    b"DATA": b"354 go on\r\n",
    b"QUIT": b"221 bye\r\n",
}
OK = b"250 ok\r\n"
END = b"\r\n.\r\n"


class Session(asyncio.Protocol):
    def __init__(self) -> None:
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
            self._in_mail = answer is ANSWERS[b"DATA"]
            self._transport.write(answer)


async def main(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Session, "127.0.0.1", port)
    print("ready", flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
