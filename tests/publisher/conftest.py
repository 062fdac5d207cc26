"""Brokers, a network that tests cut, and a scripted server, for what publishers do."""

import os
from collections.abc import AsyncIterator

import pytest

import ammoo
from tests.client.brokers import broker_channel, broker_connection, broker_url, name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.recovery.conftest import connection, events, network, server
from tests.support.broker_matrix import broker, operator, parametrise

__all__ = [
    "broker",
    "broker_channel",
    "broker_connection",
    "broker_url",
    "connection",
    "events",
    "name",
    "network",
    "operator",
    "server",
]

pytest_generate_tests = parametrise

# It starts a RabbitMQ of its own, and kills it as often as the variable says.
collect_ignore = [] if "AMMOO_TEST_KILLS" in os.environ else ["test_killed_publisher.py"]


@pytest.fixture
async def scripted(server: ScriptedServer) -> AsyncIterator[ammoo.Channel]:
    """A channel on it, without recovery."""
    async with await ammoo.connect(server.url) as connection, connection.channel() as channel:
        yield channel


@pytest.fixture
def peer(scripted: ammoo.Channel, server: ScriptedServer) -> ScriptedPeer:
    """The server's end of its connection."""
    return server.peer


@pytest.fixture
async def channel(connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """Its first channel, which is opened again when the server closes it."""
    async with connection.channel(reopen=True) as channel:
        yield channel
