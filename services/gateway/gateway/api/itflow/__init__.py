"""The face of ITFlow's API, so that scripts written for it keep working unchanged.

Its manners are other than ours: the key is in the query or the body, the body is JSON whatever its
Content-Type says, and almost every answer has the status 200. `docs/itflow-differences.md` says
where we differ from ITFlow, and why.
"""

from starlette.routing import Route

from gateway.api.itflow import (
    assets,
    clients,
    contacts,
    domains,
    locations,
    ticket_replies,
    tickets,
)

FACES = tuple(
    face
    for module in (tickets, ticket_replies, clients, contacts, domains, assets, locations)
    for face in module.FACES
)
routes = [Route(face.path, face) for face in FACES]
