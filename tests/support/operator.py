"""What an operator does to a broker from outside of AMQP: alarms, limits, closed connections.

On the fake broker these are calls. On a RabbitMQ they are runs of rabbitmqctl, which only a
broker of `.ci/rabbitmq` can be reached by; each costs half a second.
"""

import subprocess
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Protocol

from ammoo_fakebroker import FakeBroker
from tests.support.peer import Peer

SCRIPT = Path(__file__).parents[2] / ".ci" / "rabbitmq"


class Operator(Protocol):
    """Somebody with power over a broker."""

    def raise_alarm(self) -> None:
        """Make the broker run low on memory."""

    def clear_alarm(self) -> None:
        """Give the broker its memory back."""

    def close_connection(self, peer: Peer, reason: str) -> None:
        """Close a client's connection."""

    def sees(self, words: str) -> bool:
        """Whether some client has told these words of itself."""

    def channel_max(self, number: int) -> AbstractContextManager[None]:
        """Have the broker propose so few channels to who connects meanwhile."""


class FakeOperator:
    """The operator of a fake broker."""

    def __init__(self, broker: FakeBroker) -> None:
        self._broker = broker

    def raise_alarm(self) -> None:
        self._broker.block("low on memory")

    def clear_alarm(self) -> None:
        self._broker.unblock()

    def close_connection(self, peer: Peer, reason: str) -> None:
        self._broker.close_connections(reason)

    def sees(self, words: str) -> bool:
        return any(words in str(each.client_properties) for each in self._broker.connections)

    @contextmanager
    def channel_max(self, number: int) -> Iterator[None]:
        limits = self._broker._node.limits
        limits.channel_max, usual = number, limits.channel_max
        try:
            yield
        finally:
            limits.channel_max = usual


class RabbitmqOperator:
    """The operator of a RabbitMQ that `.ci/rabbitmq` started."""

    def __init__(self, version: str) -> None:
        self._version = version
        self._has_raised_alarm = False

    def raise_alarm(self) -> None:
        self._has_raised_alarm = True
        self._run("set_vm_memory_high_watermark", "0.000001")

    def clear_alarm(self) -> None:
        if self._has_raised_alarm:
            self._run("set_vm_memory_high_watermark", "0.6")
            self._has_raised_alarm = False

    def close_connection(self, peer: Peer, reason: str) -> None:
        listed = self._run("-q", "list_connections", "peer_port", "pid").splitlines()
        ports = dict(line.split("\t") for line in listed if "\t" in line)
        self._run("close_connection", ports[str(peer.local_port)], reason)

    def sees(self, words: str) -> bool:
        return words in self._run("-q", "list_connections", "client_properties")

    @contextmanager
    def channel_max(self, number: int) -> Iterator[None]:
        usual = self._run(
            "eval",
            "{ok, Usual} = application:get_env(rabbit, channel_max),"
            f" application:set_env(rabbit, channel_max, {number}), Usual.",
        )
        try:
            yield
        finally:
            self._run("eval", f"application:set_env(rabbit, channel_max, {usual.strip()}).")

    def add_virtualhost(self, name: str, user: str) -> None:
        """Make a virtual host in which this user may do everything."""
        self._run("add_vhost", name)
        self._run("set_permissions", "-p", name, user, ".*", ".*", ".*")

    def delete_virtualhost(self, name: str) -> None:
        """Delete a virtual host and all that is in it."""
        self._run("delete_vhost", name)

    def _run(self, *arguments: str) -> str:
        command = [str(SCRIPT), "ctl", self._version, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def is_operated(version: str, url: str) -> bool:
    """Whether a RabbitMQ is the one that `.ci/rabbitmq` started for this version."""
    return _ask("url", version) == url


def tls_url(version: str) -> str:
    """Give where the RabbitMQ that `.ci/rabbitmq` started listens for TLS, and its authority."""
    return _ask("tls", version)


def _ask(question: str, version: str) -> str:
    command = [str(SCRIPT), question, version]
    return subprocess.run(command, check=False, capture_output=True, text=True).stdout.strip()
