"""Fixtures that give a connection to a broker: the fake in both profiles, and real RabbitMQs.

Names of queues and exchanges are made unique, and what was declared under them is deleted in the
end. See `tests.support.broker_matrix` for which brokers there are.
"""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable

import pytest

import ammoo
from tests.support.brokers import Broker

__all__ = ["Name", "broker_channel", "broker_connection", "broker_url", "name"]

Name = Callable[[str], str]
"""Makes a name that nobody else uses out of a label."""


@pytest.fixture
def broker_url(broker: Broker) -> str:
    """Where a broker listens."""
    return broker.url


@pytest.fixture
async def broker_connection(broker_url: str) -> AsyncIterator[ammoo.Connection]:
    """A connection to a broker."""
    async with asyncio.timeout(50), await ammoo.connect(broker_url) as connection:
        yield connection


@pytest.fixture
async def broker_channel(broker_connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """A channel on a broker."""
    async with broker_connection.channel() as channel:
        yield channel


@pytest.fixture
async def name(broker_url: str) -> AsyncIterator[Name]:
    """Make names; queues and exchanges that got one are deleted in the end."""
    stem = uuid.uuid4().hex[:8]
    names: list[str] = []

    def make(label: str) -> str:
        names.append(f"{stem}.{label}")
        return names[-1]

    yield make
    async with await ammoo.connect(broker_url) as connection, connection.channel() as channel:
        for each in names:
            await channel.delete_queue(each)
            await channel.delete_exchange(each)
