"""A RabbitMQ that is killed again and again under publishers and consumers.

Run with AMMOO_TEST_KILLS=20, for example; AMMOO_TEST_KILL_RELEASE names the release. Nothing that
was confirmed may be lost, every outcome is known for what it is, and all go on.
"""

import asyncio
import os
import time

import pytest

import ammoo
from ammoo import Recovery
from ammoo.exceptions import PublishFailed, PublishNotSent, PublishUnknown, StaleDelivery
from tests.recovery.private_node import PrivateNode

KILLS = int(os.environ["AMMOO_TEST_KILLS"])  # the conftest leaves this file out without it
RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
IN_FLIGHT = 20


class Account:
    """What became of the messages of one queue."""

    def __init__(self) -> None:
        self.sent = 0
        self.confirmed: set[bytes] = set()
        self.unknown: set[bytes] = set()
        self.not_sent: set[bytes] = set()
        self.other: list[PublishFailed] = []
        self.received: set[bytes] = set()
        self.repeats = 0
        self.last_confirm = 0.0
        self.last_delivery = 0.0


async def publish(channel: ammoo.Channel, queue: str, account: Account) -> None:
    """Publish one numbered message, and note its outcome."""
    account.sent += 1
    body = b"%d" % account.sent
    try:
        await channel.publish("", queue, body, delivery_mode=2)
    except PublishUnknown:
        account.unknown.add(body)
    except PublishNotSent:
        account.not_sent.add(body)
    except PublishFailed as error:
        account.other.append(error)
    else:
        account.confirmed.add(body)
        account.last_confirm = time.monotonic()


async def keep_publishing(
    connection: ammoo.Connection, queue: str, account: Account, stop: asyncio.Event
) -> None:
    async with connection.channel() as channel:
        await channel.select_confirm()
        while not stop.is_set():
            await asyncio.gather(*(publish(channel, queue, account) for _ in range(IN_FLIGHT)))
            await asyncio.sleep(0.001)


async def keep_consuming(connection: ammoo.Connection, queue: str, account: Account) -> None:
    async with connection.channel(prefetch_count=50) as channel, channel.consume(queue) as consumer:
        async for message in consumer:
            body = bytes(message.body)
            account.repeats += body in account.received
            account.received.add(body)
            account.last_delivery = time.monotonic()
            try:
                await message.ack()
            except StaleDelivery:
                continue


async def traffic_after(accounts: list[Account], listening: float) -> float:
    """Wait until each queue has a confirm and a delivery after a time; return how long that took."""
    async with asyncio.timeout(60):
        while not all(min(a.last_confirm, a.last_delivery) > listening for a in accounts):  # noqa: ASYNC110  plain figures
            await asyncio.sleep(0.005)
    return max(max(a.last_confirm, a.last_delivery) for a in accounts) - listening


async def all_received(accounts: list[Account]) -> None:
    async with asyncio.timeout(60):
        while not all(a.confirmed <= a.received for a in accounts):  # noqa: ASYNC110  the same
            await asyncio.sleep(0.01)


async def cancel_all(tasks: list[asyncio.Task[None]]) -> None:
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def report(queues: list[str], accounts: list[Account], delays: list[float]) -> None:
    print(f"\n{RELEASE}: {KILLS} kills")
    for queue, account in zip(queues, accounts, strict=True):
        print(
            f"{queue}: {account.sent} sent, {len(account.confirmed)} confirmed,"
            f" {len(account.unknown)} unknown, {len(account.not_sent)} not sent,"
            f" {len(account.unknown & account.received)} of the unknown received,"
            f" {account.repeats} received again"
        )
    print(f"traffic after listening, seconds: {[round(delay, 2) for delay in delays]}")


async def declare(connection: ammoo.Connection, queues: list[str]) -> None:
    """Declare the queues, classic and quorum in turn; a quorum queue counts losses as deliveries."""
    limit = None if RELEASE == "3.10" else {"x-delivery-limit": -1}
    async with connection.channel() as channel:
        for queue in queues[::2]:
            await channel.declare_queue(queue, durable=True)
        for queue in queues[1::2]:
            await channel.declare_queue(queue, durable=True, queue_type="quorum", arguments=limit)


async def kill_once(node: PrivateNode, accounts: list[Account]) -> float:
    await asyncio.sleep(1)  # of traffic
    return await traffic_after(accounts, await node.kill_and_resume())


@pytest.mark.timeout(120 + 60 * KILLS)
async def test_nothing_confirmed_is_lost_and_all_go_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(int(os.environ.get("AMMOO_TEST_LOG", "20")), "ammoo")
    accounts = [Account() for _ in range(4)]
    queues = [f"killed.{number}" for number in range(4)]
    stop = asyncio.Event()
    async with (
        PrivateNode(RELEASE) as node,
        await ammoo.connect(node.url, recovery=Recovery()) as connection,
    ):
        await declare(connection, queues)
        pairs = list(zip(queues, accounts, strict=True))
        publishers = [
            asyncio.create_task(keep_publishing(connection, queue, account, stop))
            for queue, account in pairs
        ]
        consumers = [
            asyncio.create_task(keep_consuming(connection, queue, account))
            for queue, account in pairs
        ]
        delays = [await kill_once(node, accounts) for _ in range(KILLS)]
        stop.set()
        await asyncio.gather(*publishers)
        await all_received(accounts)
        await cancel_all(consumers)

    report(queues, accounts, delays)
    lines = [record for record in caplog.records if record.name == "ammoo"]
    print(f"{len(lines)} lines of the log")
    assert [[], [], [], []] == [account.other for account in accounts]
    assert all(account.confirmed <= account.received for account in accounts)
    assert all(
        account.sent == len(account.confirmed) + len(account.unknown) + len(account.not_sent)
        for account in accounts
    )
    assert len(lines) <= 1 + 2 * KILLS
