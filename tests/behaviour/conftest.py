"""The peers of the behaviour suite; `tests.support.broker_matrix` says on which brokers it runs."""

import uuid
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from ammoo_wire import QueueDeleteParameters
from tests.support.broker_matrix import Leg, fake_limits, mortal_broker, operator, parametrise
from tests.support.brokers import Broker, Connect, Unique, add_users
from tests.support.channel import Channel
from tests.support.passing_time import hand_moved
from tests.support.peer import Peer

__all__ = ["mortal_broker", "operator"]

pytest_generate_tests = parametrise


@pytest.fixture
def broker(request: pytest.FixtureRequest) -> Iterator[Broker]:
    """A broker; a fake one is fresh, and its time passes when a peer waits."""
    leg: Leg = request.param
    if leg.url is not None:
        yield Broker(leg.url, leg.version, None)
        return
    with hand_moved(leg.version, **fake_limits(request)) as fake:
        add_users(fake)
        yield Broker(fake.url, leg.version, fake)


@pytest.fixture
def unique(broker: Broker) -> Iterator[Unique]:
    """Make names that nobody else uses; queues and exchanges so named are deleted in the end."""
    stem = uuid.uuid4().hex[:8]
    names: list[str] = []

    def make(label: str) -> str:
        names.append(f"{stem}.{label}")
        return names[-1]

    yield make
    if names and broker.fake is None:
        _delete(broker, names)


def _delete(broker: Broker, names: list[str]) -> None:
    with Peer.connect(broker.url) as peer:
        channel = peer.channel()
        for name in names:
            _delete_unlocked(channel, name)
            channel.delete_exchange(name)
        peer.close()


def _delete_unlocked(channel: Channel, name: str) -> None:
    """Delete a queue; from 4.3 on an exclusive one is still there when its owner is closed."""
    while not channel.attempt(QueueDeleteParameters(name)):
        channel.peer.pause(f"for queue {name!r} to go with its owner")


@pytest.fixture
def connect(broker: Broker, unique: object) -> Iterator[Connect]:
    """Open connections (see `Peer.connect`); those that a test leaves open are closed."""
    with ExitStack() as stack:

        def make(url: str | None = None, **keywords: Any) -> Peer:
            peer = Peer.connect(url or broker.url, **keywords)
            stack.callback(_close, peer)
            return peer

        yield make


def _close(peer: Peer) -> None:
    if peer.has_ended:
        peer.drop()
    elif not peer.is_dropped:
        peer.close()


@pytest.fixture
def dial(broker: Broker) -> Iterator[Connect]:
    """Open sockets, and leave everything behind that to the test."""
    with ExitStack() as stack:

        def make(url: str | None = None, **keywords: Any) -> Peer:
            return stack.enter_context(Peer(url or broker.url, **keywords))

        yield make


@pytest.fixture
def peer(connect: Connect) -> Peer:
    """An open connection."""
    return connect()


@pytest.fixture
def channel(peer: Peer) -> Channel:
    """Channel 1 of an open connection."""
    return peer.channel()


@pytest.fixture
def queue(channel: Channel, unique: Unique) -> str:
    """The name of a queue that has just been declared, without anything special."""
    return channel.declare_queue(unique("queue"))
