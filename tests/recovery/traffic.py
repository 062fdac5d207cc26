"""Publishers and consumers that work while brokers die under them, and the account of each queue.

Nothing that was confirmed may be lost, every outcome is known for what it is, and all go on.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import NamedTuple, Self

import ammoo
from ammoo.exceptions import (
    PublishFailed,
    PublishNack,
    PublishNotSent,
    PublishUnknown,
    StaleDelivery,
)

__all__ = ["Account", "Resumed", "Traffic"]

IN_FLIGHT = 20
PREFETCH = 50
PATIENCE = 120
"""After so many seconds without what is awaited, something hangs."""


class Account:
    """What became of the messages of one queue.

    Attributes:
        last_confirm: When a message was confirmed last (`time.monotonic`).
        last_delivery: When one was delivered last.
    """

    def __init__(self, queue: str) -> None:
        self.queue = queue
        self.sent = 0
        self.confirmed: set[bytes] = set()
        self.unknown: set[bytes] = set()
        self.not_sent: set[bytes] = set()
        self.nacked: set[bytes] = set()
        self.other: list[PublishFailed] = []
        self.received: set[bytes] = set()
        self.repeats = 0
        self.acked = 0
        self.stale = 0
        self.last_confirm = 0.0
        self.last_delivery = 0.0

    @property
    def outcomes(self) -> int:
        """How many messages have one of the outcomes that there are."""
        return len(self.confirmed) + len(self.unknown) + len(self.not_sent) + len(self.nacked)

    @property
    def counts(self) -> Counter[str]:
        """How often what happened that hooks count, too."""
        return Counter(
            published=self.sent - len(self.not_sent),
            confirmed=len(self.confirmed),
            nacked=len(self.nacked),
            unknown=len(self.unknown),
            ack=self.acked,
            stale=self.stale,
        )

    @property
    def lost(self) -> set[bytes]:
        """What was confirmed and has not been delivered."""
        return self.confirmed - self.received

    def __str__(self) -> str:
        return (
            f"{self.queue}: {self.sent} sent, {len(self.confirmed)} confirmed,"
            f" {len(self.unknown)} unknown, {len(self.not_sent)} not sent,"
            f" {len(self.nacked)} nacked, {len(self.lost)} lost,"
            f" {len(self.unknown & self.received)} of the unknown received,"
            f" {self.repeats} received again"
        )


class Resumed(NamedTuple):
    """How many seconds after a moment all of some queues had traffic."""

    confirm: float
    delivery: float


class Traffic:
    """One publisher and one consumer of each of some queues, while it is entered.

    Args:
        connections: The publisher and the consumer of the n-th queue are on the n-th and the next
            one, in turn.
        queues: The queues, which are declared.
    """

    def __init__(self, connections: Sequence[ammoo.Connection], queues: Sequence[str]) -> None:
        self.accounts = [Account(queue) for queue in queues]
        self._connections = connections
        self._moved = asyncio.Event()
        self._stop = asyncio.Event()
        self._publishers: list[asyncio.Task[None]] = []
        self._consumers: list[asyncio.Task[None]] = []

    async def __aenter__(self) -> Self:
        connections = self._connections
        for number, account in enumerate(self.accounts):
            publishing = self._publish(connections[number % len(connections)], account)
            consuming = self._consume(connections[(number + 1) % len(connections)], account)
            self._publishers.append(asyncio.create_task(publishing))
            self._consumers.append(asyncio.create_task(consuming))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        tasks = [*self._publishers, *self._consumers]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    # --- what tests await ---

    async def more(self, count: int) -> None:
        """Wait until each queue has so many more messages confirmed, and so many more delivered."""
        goals = [
            (account, len(account.confirmed) + count, len(account.received) + count)
            for account in self.accounts
        ]
        await self._until(
            lambda: all(
                len(account.confirmed) >= confirmed and len(account.received) >= received
                for account, confirmed, received in goals
            )
        )

    def now(self) -> float:
        """Return the time, by the clock of what is measured."""
        return time.monotonic()

    async def resumed_after(self, moment: float, queues: Sequence[str] = ()) -> "Resumed":
        """Wait until each queue, or each of some queues, has a confirm and a delivery after a moment."""
        accounts = [each for each in self.accounts if not queues or each.queue in queues]
        confirms: dict[Account, float] = {}
        deliveries: dict[Account, float] = {}

        def is_resumed() -> bool:
            for account in accounts:
                if account.last_confirm > moment:
                    confirms.setdefault(account, account.last_confirm)
                if account.last_delivery > moment:
                    deliveries.setdefault(account, account.last_delivery)
            return len(confirms) == len(deliveries) == len(accounts)

        await self._until(is_resumed)
        return Resumed(max(confirms.values()) - moment, max(deliveries.values()) - moment)

    async def finish(self) -> None:
        """Publish no more, and wait until all that was confirmed has been delivered."""
        self._stop.set()
        await asyncio.gather(*self._publishers)
        await self._until(lambda: not any(account.lost for account in self.accounts))

    async def _until(self, is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(PATIENCE):
            while not is_so():
                self._raise_what_ended()
                self._moved.clear()
                await self._moved.wait()

    def _raise_what_ended(self) -> None:
        for task in [*self._publishers, *self._consumers]:
            if task.done() and not self._stop.is_set():
                task.result()

    # --- what runs ---

    async def _publish(self, connection: ammoo.Connection, account: Account) -> None:
        async with connection.channel() as channel:
            await channel.select_confirm()
            while not self._stop.is_set():
                await asyncio.gather(
                    *(self._publish_one(channel, account) for _ in range(IN_FLIGHT))
                )
                await asyncio.sleep(0.001)  # a pace that two processors keep up with

    async def _publish_one(self, channel: ammoo.Channel, account: Account) -> None:
        account.sent += 1
        body = b"%d" % account.sent
        try:
            await channel.publish("", account.queue, body, delivery_mode=2)
        except PublishUnknown:
            account.unknown.add(body)
        except PublishNotSent:
            account.not_sent.add(body)
        except PublishNack:
            account.nacked.add(body)
        except PublishFailed as error:
            account.other.append(error)
        else:
            account.confirmed.add(body)
            account.last_confirm = time.monotonic()
            self._moved.set()

    async def _consume(self, connection: ammoo.Connection, account: Account) -> None:
        async with (
            connection.channel(prefetch_count=PREFETCH) as channel,
            channel.consume(account.queue) as consumer,
        ):
            async for message in consumer:
                body = bytes(message.body)
                account.repeats += body in account.received
                account.received.add(body)
                account.last_delivery = time.monotonic()
                self._moved.set()
                try:
                    await message.ack()
                except StaleDelivery:
                    account.stale += 1
                else:
                    account.acked += 1
