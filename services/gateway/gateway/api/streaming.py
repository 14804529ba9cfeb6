"""What answers that are sent piece by piece have in common."""

from starlette.types import Receive

SEND_SECONDS = 30.0
"""Who takes nothing for so long is given up."""


async def disconnected(receive: Receive) -> None:
    """When the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass
