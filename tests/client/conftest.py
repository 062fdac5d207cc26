"""Servers for the client's tests: scripted ones, and brokers, fake and real."""

import sys
from collections.abc import AsyncIterator

import pytest

import ammoo
from tests.client.brokers import broker_channel, broker_connection, broker_url, name
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.support.broker_matrix import broker, operator, parametrise

__all__ = [
    "broker",
    "broker_channel",
    "broker_connection",
    "broker_url",
    "channel",
    "connection",
    "name",
    "operator",
    "peer",
    "pytest_generate_tests",
    "server",
]
"""What the suites of workers and of requests and replies have in common with this one."""


collect_ignore = ["test_eager_tasks.py"] if sys.version_info < (3, 12) else []
"""asyncio has eager tasks since Python 3.12."""

pytest_generate_tests = parametrise


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """A server that does what the test says."""
    async with ScriptedServer() as server:
        yield server


@pytest.fixture
async def connection(server: ScriptedServer) -> AsyncIterator[ammoo.Connection]:
    """A connection to it, with nothing that is not usual."""
    async with await ammoo.connect(server.url) as connection:
        yield connection


@pytest.fixture
def peer(connection: ammoo.Connection, server: ScriptedServer) -> ScriptedPeer:
    """The server's end of that connection."""
    return server.peer


@pytest.fixture
async def channel(connection: ammoo.Connection) -> AsyncIterator[ammoo.Channel]:
    """Its first channel."""
    async with connection.channel() as channel:
        yield channel
