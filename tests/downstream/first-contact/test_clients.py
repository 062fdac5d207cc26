"""The README's first test with three clients: pika, aio-pika and ammoo."""

import aio_pika
import pika

import ammoo
from ammoo_fakebroker import FakeBroker


def test_pika(fakebroker: FakeBroker) -> None:
    pika.BlockingConnection(pika.URLParameters(fakebroker.url)).close()


async def test_aio_pika(fakebroker: FakeBroker) -> None:
    await (await aio_pika.connect(fakebroker.url)).close()


async def test_ammoo(fakebroker: FakeBroker) -> None:
    async with await ammoo.connect(fakebroker.url) as connection, connection.channel() as channel:
        await channel.declare_queue("orders")

    assert ["orders"] == list(fakebroker.queues())
