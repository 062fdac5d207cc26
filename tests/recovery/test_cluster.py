"""A cluster of three RabbitMQs whose nodes are killed in turn under publishers and consumers.

Run with AMMOO_TEST_KILLS=6, for example; AMMOO_TEST_KILL_RELEASE names the release. The clients
know all nodes. `traffic` says what must hold.
"""

import logging
import os
from itertools import cycle, islice

import pytest

import ammoo
from ammoo import Recovery
from tests.recovery.private_node import PrivateCluster
from tests.recovery.traffic import Traffic

KILLS = int(os.environ["AMMOO_TEST_KILLS"])  # the conftest leaves this file out without it
RELEASE = os.environ.get("AMMOO_TEST_KILL_RELEASE", "4.3")
QUEUES = [f"cluster.{number}" for number in range(4)]
MESSAGES = 2000
"""So many of each queue come through before each kill."""

QUORUM = {
    "x-delivery-limit": -1,  # each loss counts as a delivery
    # From 4.3 on, the unacked messages of a node that is gone go back after this time; in
    # milliseconds. Releases before that give them back at once, and do not know it.
    **({"x-consumer-disconnected-timeout": 1000} if RELEASE == "4.3" else {}),
}


async def declare(connection: ammoo.Connection) -> None:
    """Declare the queues: quorum queues, and durable ones, which are down with their node."""
    async with connection.channel() as channel:
        for queue in QUEUES[::2]:
            await channel.declare_queue(queue, durable=True)
        for queue in QUEUES[1::2]:
            await channel.declare_queue(queue, durable=True, queue_type="quorum", arguments=QUORUM)


async def kill_once(cluster: PrivateCluster, number: int, traffic: Traffic) -> tuple[float, float]:
    """Kill a node, and start it again when there is traffic in the quorum queues.

    Returns:
        After how many seconds that was, and after how many the durable queues had traffic too,
        counted from when the node was back.
    """
    await traffic.more(MESSAGES)
    killed = await cluster.kill(number)
    quorum = await traffic.resumed_after(killed, QUEUES[1::2])
    await cluster.resume(number)
    all_queues = await traffic.resumed_after(traffic.now())
    return max(quorum), max(all_queues)


@pytest.mark.timeout(300 + 60 * KILLS)
async def test_nothing_confirmed_is_lost_when_nodes_are_killed(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(int(os.environ.get("AMMOO_TEST_LOG", "20")), "ammoo")
    async with (
        PrivateCluster(RELEASE) as cluster,
        await ammoo.connect(cluster.urls, recovery=Recovery()) as one,
        await ammoo.connect(cluster.urls, recovery=Recovery()) as other,
    ):
        await declare(one)
        async with Traffic([one, other], QUEUES) as traffic:
            delays = [
                await kill_once(cluster, number, traffic)
                for number in islice(cycle((1, 2, 3)), KILLS)
            ]
            await traffic.finish()

    accounts = traffic.accounts
    print(f"\nRabbitMQ {RELEASE}, a cluster of three, {KILLS} kills", *accounts, sep="\n")
    print(f"quorum queues after the kill, seconds: {[round(each, 2) for each, _ in delays]}")
    print(f"all queues after the restart, seconds: {[round(each, 2) for _, each in delays]}")
    lines = [
        record
        for record in caplog.records
        if record.name == "ammoo" and record.levelno >= logging.INFO
    ]
    print(f"{len(lines)} lines of the log")
    assert [[]] * 4 == [account.other for account in accounts]
    assert [set()] * 4 == [account.lost for account in accounts]
    assert [account.sent for account in accounts] == [account.outcomes for account in accounts]
    assert len(lines) <= 2 + 4 * KILLS  # two connections
