"""Telling everything owned anew, page by page, each page a message of its own."""

from deskwire.contracts.tickets import ReplayDocuments, ReplayStarted
from deskwire.errors import Invalid
from deskwire.messaging.outbox import Transaction
from ticket_svc.store.replay import KINDS, PAGE


async def replay(command: ReplayDocuments, tx: Transaction) -> ReplayStarted:
    """Without a kind: begin all of them."""
    if not command.kind:
        for name in KINDS:
            tx.emit(ReplayDocuments(kind=name))
        return ReplayStarted(kinds=tuple(KINDS))
    if command.kind not in KINDS:
        raise Invalid(f"there are no documents of kind {command.kind}", field="kind")
    kind = KINDS[command.kind]
    rows = await tx.fetch(kind.page, after_id=command.after_id)
    for row in rows:
        tx.emit(kind.event(row))
    if len(rows) == PAGE:
        tx.emit(ReplayDocuments(kind=command.kind, after_id=rows[-1]["id"]))
    return ReplayStarted(kinds=(command.kind,))
