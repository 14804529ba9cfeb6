"""From prepared mails to ledger rows and events, wherever the mails came from."""

from collections.abc import Sequence

import structlog
from prometheus_client import Counter

from deskwire.contracts.mail import MailReceived
from deskwire.messaging.outbox import Outbox
from mail_ingest_svc.mailbox.faults import cause, fault_of_the_mail
from mail_ingest_svc.mailbox.port import HungUp
from mail_ingest_svc.mailbox.prepare import Claimed, Outcome, Prepared, Unprepared
from mail_ingest_svc.store import ledger
from mail_ingest_svc.store.documents import changed

log = structlog.get_logger()

MAILS = Counter("deskwire_mails", "Mails by what became of them here", ["result"])

LETHAL_CLAIMS = 5
"""So often a mail may be begun, and the process or the connection end with it."""


class Taking:
    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self.taken = 0

    async def commit(self, outcomes: dict[Claimed, Outcome]) -> dict[int, str]:
        """What became of the rows that were ours to take; together, or one by one where one cannot
        be written: that one becomes `Unprepared`."""
        prepared = [each for each in outcomes.values() if isinstance(each, Prepared)]
        try:
            return await self._commit(prepared)
        except Exception as error:
            if not fault_of_the_mail(error):
                raise
        states: dict[int, str] = {}
        for one in prepared:
            try:
                states |= await self._commit([one])
            except Exception as error:
                if not fault_of_the_mail(error):
                    raise
                outcomes[one.claimed] = Unprepared(error, one.row["raw_id"])
        return states

    async def _commit(self, prepared: Sequence[Prepared]) -> dict[int, str]:
        """The states of the rows that were ours to take; only of those is told."""
        if not prepared:
            return {}
        columns = {name: [each.row[name] for each in prepared] for name in prepared[0].row}
        events = {each.claimed.id: each.event for each in prepared}
        async with self._outbox.transaction() as tx:
            rows = await tx.fetch(ledger.TAKE, **columns)
            for row in rows:
                if row["state"] == "received":
                    tx.emit(_decided(events[row["id"]], row["client_id"], accepted=row["accepted"]))
                    tx.emit(changed(row))
            duplicates = [row["id"] for row in rows if row["state"] == "duplicate"]
            if duplicates:
                for row in await tx.fetch(ledger.NAME_ORIGINALS, ids=duplicates):
                    tx.emit(changed(row))
        states = {row["id"]: row["state"] for row in rows}
        self.taken += len(states)
        for state in states.values():
            MAILS.labels(state).inc()
        return states

    async def fail(self, claimed: Claimed, wrong: Unprepared) -> bool:
        """Note why; returns whether the mail is given up."""
        reason = cause(wrong.error)
        log.warning("mail not taken in", mail=claimed.id, uid=claimed.mail.uid, cause=reason)
        async with self._outbox.transaction() as tx:
            await tx.execute(ledger.FAIL, id=claimed.id, reason=reason)
            row = await tx.fetch_one(
                ledger.GIVE_UP, id=claimed.id, reason=reason, raw_id=wrong.raw_id
            )
            if row is not None:
                tx.emit(changed(row))
        if row is not None:
            MAILS.labels("failed").inc()
        return row is not None

    async def release(self, claims: Sequence[Claimed], error: Exception) -> None:
        """Probably not the mails' fault: their attempt is not counted.

        But it is when the server has hung up at this very mail, as Dovecot does at a broken one.
        """
        counts = len(claims) == 1 and isinstance(error, HungUp)
        ids = [claimed.id for claimed in claims]
        await self._outbox.database.execute(
            ledger.RELEASE, ids=ids, reason=cause(error), counts=counts
        )


def _decided(mail: MailReceived, client_id: int | None, *, accepted: bool) -> MailReceived:
    """The event of a mail that somebody lets in says so."""
    if not accepted:
        return mail
    return mail.model_copy(update={"accepted": True, "client_id": client_id})
