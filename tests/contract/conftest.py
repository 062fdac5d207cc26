"""Brokers for the parts of the contract that can only be seen on one."""

from collections.abc import AsyncIterator

import pytest

import ammoo
from tests.client.brokers import Name, broker_channel, broker_connection, broker_url, name
from tests.support.broker_matrix import broker, operator, parametrise
from tests.support.certified import tls_broker

__all__ = [
    "broker",
    "broker_channel",
    "broker_connection",
    "broker_url",
    "name",
    "operator",
    "tls_broker",
]

pytest_generate_tests = parametrise


@pytest.fixture
async def queue(broker_channel: ammoo.Channel, name: Name) -> str:
    """A queue with nothing special about it."""
    return (await broker_channel.declare_queue(name("queue"))).queue_name


@pytest.fixture
async def other_channel(broker_connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """A second channel of the same connection."""
    async with broker_connection.channel() as channel:
        yield channel
