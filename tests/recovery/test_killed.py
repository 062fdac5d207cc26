"""A RabbitMQ that is killed again and again under publishers and consumers.

Run with AMMOO_TEST_KILLS=20, for example; AMMOO_TEST_KILL_RELEASE names the release, and
AMMOO_TEST_LOG=10 shows each attempt. `traffic` says what must hold.
"""

import asyncio
import logging
import os
from collections import Counter
from typing import NamedTuple

import pytest

import ammoo
from ammoo import Recovery
from tests.recovery.bare_client import BareClients
from tests.recovery.counting_hooks import CountingHooks
from tests.recovery.private_node import PrivateNode
from tests.recovery.traffic import Resumed, Traffic

KILLS = int(os.environ["AMMOO_TEST_KILLS"])  # the conftest leaves this file out without it
RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "3.10")
QUEUES = [f"killed.{number}" for number in range(4)]
MESSAGES = 3000
"""So many of each queue come through before each kill."""


async def declare(connection: ammoo.Connection) -> None:
    """Declare the queues, classic and quorum in turn; a quorum queue counts losses as deliveries."""
    limit = None if RELEASE == "3.10" else {"x-delivery-limit": -1}
    async with connection.channel() as channel:
        for queue in QUEUES[::2]:
            await channel.declare_queue(queue, durable=True)
        for queue in QUEUES[1::2]:
            await channel.declare_queue(queue, durable=True, queue_type="quorum", arguments=limit)


class Kill(NamedTuple):
    """When there was traffic after the node listened, in seconds.

    Attributes:
        classic: In all classic queues.
        quorum: In all quorum queues: the server elects their leaders after it has begun to listen.
        bare: In all quorum queues, for bare clients that do nothing else.
    """

    classic: Resumed
    quorum: Resumed
    bare: Resumed

    def __str__(self) -> str:
        times = (
            f"{name} {times.confirm:.2f} {times.delivery:.2f}"
            for name, times in zip(self._fields, self, strict=True)
        )
        return "; ".join(times)


async def kill_once(node: PrivateNode, traffic: Traffic) -> Kill:
    """Kill the node, start it again, and return for how long it listened without traffic."""
    await traffic.more(MESSAGES)
    with BareClients(node.url, QUEUES[1::2]) as bare:
        listening = await node.kill_and_resume(bare.start)
        classic, quorum = await asyncio.gather(
            traffic.resumed_after(listening, QUEUES[::2]),
            traffic.resumed_after(listening, QUEUES[1::2]),
        )
        soonest = await asyncio.to_thread(bare.done_after, listening)
    return Kill(classic, quorum, Resumed(*soonest))


@pytest.mark.timeout(120 + 60 * KILLS)
async def test_nothing_confirmed_is_lost_and_all_go_on(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(int(os.environ.get("AMMOO_TEST_LOG", "20")), "ammoo")
    hooks = CountingHooks()
    async with (
        PrivateNode(RELEASE) as node,
        await ammoo.connect(node.url, recovery=Recovery(), hooks=hooks) as connection,
    ):
        await declare(connection)
        async with Traffic([connection], QUEUES) as traffic:
            kills = [await kill_once(node, traffic) for _ in range(KILLS)]
            await traffic.finish()

    accounts = traffic.accounts
    print(f"\nRabbitMQ {RELEASE}, {KILLS} kills", *accounts, sep="\n")
    load = os.getloadavg()[0]
    print(f"first confirm and delivery of all queues after listening, seconds; load {load:.1f}")
    print(*kills, sep="\n")
    lines = [
        record
        for record in caplog.records
        if record.name == "ammoo" and record.levelno >= logging.INFO
    ]
    assert [[]] * 4 == [account.other for account in accounts]
    assert [set()] * 4 == [account.lost for account in accounts]
    assert [account.sent for account in accounts] == [account.outcomes for account in accounts]
    assert 1 + 2 * KILLS == len(lines)
    told = sum((account.counts for account in accounts), Counter(recovered=KILLS, lost=KILLS + 1))
    print("counted by hooks:", dict(hooks.counts))
    assert told == +hooks.counts
