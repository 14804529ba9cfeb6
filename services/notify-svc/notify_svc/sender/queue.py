"""From due rows to the mail server and back: claim, send, settle.

A row is ``sending`` in the database before a connection is used for it, and leased: when its sender
dies, another one finds it and says that its fate is uncertain.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from uuid import UUID, uuid4

import structlog
from prometheus_client import Counter

from deskwire.blobs import BlobError, why
from deskwire.contracts.notifications import Channel, Delivery, DeliveryChanged
from deskwire.html import clean_text
from deskwire.messaging.outbox import Outbox, Transaction
from deskwire.repeating import Survived, wait_at_most
from notify_svc.domain.attempts import (
    NotTried,
    Result,
    Unreachable,
    Unsendable,
    Verdict,
    judge,
)
from notify_svc.handlers.mails import suppress_addresses, tell_of_undelivered
from notify_svc.rendering.letter import CannotRender
from notify_svc.sender.transport import Line, Server, Writes
from notify_svc.store import deliveries
from notify_svc.store.deliveries import Claimed

log = structlog.get_logger()

DELIVERIES = Counter("deskwire_deliveries", "Attempts by the state that followed", ["state"])
REPEATED = Counter(
    "deskwire_deliveries_repeated", "Attempts with a mail that the server may have had before"
)

POLL_SECONDS = 2.0
LEASE_SECONDS = 30.0
IDLE_SECONDS = 30.0
STUMBLE_SECONDS = 1.0
IN_HAND = 20  # mails that are claimed at most for each connection, so that none waits for a claim
GATHER_SECONDS = 0.05  # so long a result waits for those of half of the mails in hand
LONGEST_ANSWER = 1000
SUPPRESSED = "not tried, the address is suppressed"

Workers = Mapping[asyncio.Task[None], Line]


class Sender:
    def __init__(
        self,
        channel: Channel,
        outbox: Outbox,
        wake: asyncio.Event,
        writer: Writes,
        *,
        uncertain_retry: float,
        connections: int,
    ) -> None:
        self._channel = channel
        self._outbox = outbox
        self._wake = wake
        self._writer = writer
        self._uncertain_retry = uncertain_retry
        self._connections = connections
        self._worker: UUID = uuid4()
        self._in_hand: dict[int, Claimed] = {}
        self._unsent: asyncio.Queue[Claimed] = asyncio.Queue()
        self._verdicts: list[tuple[Claimed, Verdict]] = []
        self._settled_last = 0
        self._judged, self._enough, self._settled = (asyncio.Event() for _ in range(3))
        self._closing, self._closed = asyncio.Event(), asyncio.Event()

    @asynccontextmanager
    async def running(self, server: Server, *, drain: float) -> AsyncIterator[None]:
        lines = [server.line() for _ in range(self._connections)]
        claiming = asyncio.create_task(_repeat(self._claim, self._closing))
        workers = {asyncio.create_task(self._work(line)): line for line in lines}
        others = [
            asyncio.create_task(_repeat(self._keep_leases, self._closed)),
            asyncio.create_task(_repeat(self._settle, self._closed)),
        ]
        try:
            yield
        finally:
            await self._finish(claiming, workers, drain)
            for task in (claiming, *workers, *others):
                task.cancel()
            await asyncio.gather(claiming, *workers, *others, return_exceptions=True)
            await asyncio.gather(*(line.rest() for line in lines))

    async def _finish(self, claiming: asyncio.Task[None], workers: Workers, drain: float) -> None:
        """Claim nothing more, give back what no server can have, wait for what becomes of the
        rest."""
        self._closing.set()
        self._wake.set()
        with suppress(TimeoutError):
            async with asyncio.timeout(drain):
                await claiming
                self._give_back(workers)
                while self._in_hand:
                    self._settled.clear()
                    await self._settled.wait()
        self._closed.set()

    def _give_back(self, workers: Workers) -> None:
        """Also what waits for its turn, or for a server that says nothing."""
        while not self._unsent.empty():
            self._judge(self._unsent.get_nowait(), NotTried())
        for worker, line in workers.items():
            if not line.handing_over:
                worker.cancel()

    # --- claiming

    async def _claim(self) -> None:
        self._wake.clear()
        room = max(0, self._most_in_hand() - len(self._in_hand))
        claims: Sequence[Claimed] = ()
        if room:
            claims = await deliveries.claim(
                self._outbox.database,
                self._channel,
                worker=self._worker,
                room=room,
                lease=LEASE_SECONDS,
                in_hand=self._in_hand.values(),
            )
        for claimed in claims:
            self._in_hand[claimed.id] = claimed
            self._unsent.put_nowait(claimed)
        self._writer.expect(claims)
        if (not room or len(claims) < room) and not self._closing.is_set():
            await wait_at_most(self._wake, POLL_SECONDS)

    def _most_in_hand(self) -> int:
        """What will be sent soon, by the pace so far: of what a killed sender had in hand nobody
        knows how much was begun."""
        soon = 2 * self._connections + 4 * self._settled_last
        return min(soon, self._connections * IN_HAND)

    async def _keep_leases(self) -> None:
        """Ours go on; those that nobody keeps are of a sender that is gone."""
        in_hand = list(self._in_hand)
        async with self._outbox.transaction() as tx:
            await tx.execute(
                deliveries.KEEP_LEASES, worker=self._worker, in_hand=in_hand, lease=LEASE_SECONDS
            )
            self._tell(await deliveries.abandoned(tx, self._channel, in_hand), tx)
        await asyncio.sleep(LEASE_SECONDS / 3)

    # --- sending

    async def _work(self, line: Line) -> None:
        while True:
            claimed = await self._next(line)
            try:
                result = await self._send(claimed, line)
            except asyncio.CancelledError:
                if not line.handing_over:
                    self._judge(claimed, NotTried())
                raise
            except Exception as error:
                log.exception("delivery not understood", delivery=claimed.id)
                result = Unsendable(f"{type(error).__name__}: {error}")
            self._judge(claimed, result)

    async def _next(self, line: Line) -> Claimed:
        if not self._unsent.empty():
            return self._unsent.get_nowait()
        with suppress(TimeoutError):
            async with asyncio.timeout(IDLE_SECONDS):
                return await self._unsent.get()
        await line.rest()
        return await self._unsent.get()

    async def _send(self, claimed: Claimed, line: Line) -> Result:
        if claimed.suppressed is not None:
            return Unsendable(f"{SUPPRESSED}: {claimed.suppressed}")
        if claimed.ambiguous:
            REPEATED.inc()
            log.warning("delivery repeated", delivery=claimed.id, attempt=claimed.attempts)
        try:
            letter = await self._writer.letter(claimed)
        except CannotRender as error:
            return Unsendable(str(error))
        except BlobError as error:
            return Unreachable(f"what belongs to the mail cannot be read: {why(error)}")
        return await line.send(letter)

    # --- settling

    def _judge(self, claimed: Claimed, result: Result) -> None:
        verdict = judge(
            result,
            age=claimed.age,
            ambiguous=claimed.ambiguous,
            uncertain_retry=self._uncertain_retry,
        )
        if verdict.answer is not None:
            verdict = replace(verdict, answer=clean_text(verdict.answer)[:LONGEST_ANSWER])
        self._verdicts.append((claimed, verdict))
        self._judged.set()
        if self._half_is_judged():
            self._enough.set()

    def _half_is_judged(self) -> bool:
        return 2 * len(self._verdicts) >= len(self._in_hand)

    async def _settle(self) -> None:
        """Write all that is known by now; it is kept until it is written."""
        await self._gather()
        verdicts = list(self._verdicts)
        async with self._outbox.transaction() as tx:
            settled = await deliveries.settle(tx, self._worker, verdicts)
            self._tell(settled, tx)
            if self._channel == "mail":
                await suppress_addresses(filter(_was_refused, settled), tx)
                await self._tell_agents([claimed for claimed, _ in verdicts], settled, tx)
        del self._verdicts[: len(verdicts)]
        for claimed, _ in verdicts:
            self._in_hand.pop(claimed.id, None)
        self._settled_last = len(verdicts)
        self._settled.set()
        self._wake.set()

    async def _gather(self) -> None:
        """One result at once; of many as many as save the most commits without keeping a line
        waiting for the next claim."""
        if not self._verdicts:
            self._judged.clear()
            await self._judged.wait()
        if not self._half_is_judged():
            self._enough.clear()
            await wait_at_most(self._enough, GATHER_SECONDS)

    async def _tell_agents(
        self, claims: Sequence[Claimed], settled: Sequence[Delivery], tx: Transaction
    ) -> None:
        """Whoever has the ticket hears that its people did not get a mail."""
        failed = {delivery.id: delivery for delivery in settled if delivery.state == "failed"}
        told = [(one, failed[one.id]) for one in claims if one.id in failed]
        await tell_of_undelivered(told, tx)

    def _tell(self, settled: Sequence[Delivery], tx: Transaction) -> None:
        """What is final or in doubt, and the first time that a mail has to wait."""
        for delivery in settled:
            DELIVERIES.labels(delivery.state).inc()
            if delivery.state != "queued" or delivery.attempts == 1:
                tx.emit(DeliveryChanged(delivery=delivery))
            if delivery.state in ("failed", "uncertain"):
                log.warning(
                    "delivery is not out",
                    channel=delivery.channel,
                    delivery=delivery.id,
                    state=delivery.state,
                    cause=delivery.answer,
                )


def _was_refused(delivery: Delivery) -> bool:
    return delivery.state == "failed" and not (delivery.answer or "").startswith(SUPPRESSED)


async def _repeat(step: Callable[[], Awaitable[None]], until: asyncio.Event) -> None:
    while not until.is_set():
        with Survived("sender"):
            await step()
            continue
        await asyncio.sleep(STUMBLE_SECONDS)
