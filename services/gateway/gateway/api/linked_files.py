"""Files and invoices, for whoever got the mail that they are for."""

from fastapi import Request, Response

from deskwire.links import FileLink, InvoiceLink
from gateway.api import linked
from gateway.api.attachments import served
from gateway.api.invoice_files import printed
from gateway.api.linked import Refused
from gateway.api.services import services
from gateway.readmodel import invoices, reading


async def fetch(request: Request, link: FileLink) -> Response:
    """As long as an entry that clients see has it."""
    at = services(request)
    file = await reading.file(at.database, link.file_id, None, internal=False)
    if file is None:
        raise Refused(404)
    return await served(request, file)


async def fetch_invoice(request: Request, link: InvoiceLink) -> Response:
    linked.count_use(request, link)
    row = await invoices.invoice(services(request).database, link.invoice_id, None)
    if row is None:
        raise Refused(404)
    return await printed(row["doc"], {})


routes = [
    linked.route(FileLink, fetch, ["GET"]),
    linked.route(InvoiceLink, fetch_invoice, ["GET"]),
]
