"""Snapshots of what a broker stores, and their restoration.

A test suite fills a broker once, takes a snapshot, and restores it for each test. `node/copying.py`
copies a node.
"""

from __future__ import annotations

from abc import ABC

from .call_checks import checks_arguments
from .node.copying import copy_into, frozen_copy
from .node.node import Node
from .restart import Restarting

__all__ = ["BrokerSnapshot", "Restoring"]


class BrokerSnapshot:
    """What a broker stored at one moment; `FakeBroker.snapshot` takes it.

    It never changes, and shares nothing with the broker that it was taken of. It can be restored
    any number of times, by several brokers at once.
    """

    def __init__(self, node: Node) -> None:
        self._node = frozen_copy(node)

    def __repr__(self) -> str:
        queues = [
            each for host in self._node.virtualhosts.values() for each in host.queues.values()
        ]
        count = sum(queue.message_count for queue in queues)
        release = self._node.profile.name
        return f"<BrokerSnapshot of {release}: {len(queues)} queues, {count} messages>"

    def _restore_to(self, node: Node) -> None:
        """Make a node store what is in the snapshot, and nothing else; `FakeBroker.restore` does it.

        Args:
            node: The node, which has no clients.
        """
        copy_into(node, self._node)

    def _check(self, node: Node) -> None:
        """Check that a node can store what is in the snapshot.

        Args:
            node: The node.

        Raises:
            ValueError: It is of another release, or lacks a plugin.
        """
        own = self._node
        if node.profile is not own.profile:
            raise ValueError(
                f"the snapshot is of release {own.profile.name}, the broker of"
                f" {node.profile.name}; restore it on FakeBroker(compatibility={own.profile.name!r})"
            )
        if not own.plugins <= node.plugins:
            raise ValueError(
                "the broker lacks plugins of the snapshot;"
                f" restore it on FakeBroker(plugins={sorted(own.plugins)!r})"
            )


@checks_arguments
class Restoring(Restarting, ABC):
    """The methods that take a snapshot, and restore it."""

    def snapshot(self) -> BrokerSnapshot:
        """Return what the broker stores at this moment, for `restore`.

        A snapshot contains users, virtual hosts, permissions, limits, policies, exchanges, queues,
        bindings and messages, transient ones as well. Messages that clients hold are in it as if their
        connections had ended: ready again, and redelivered. It contains neither connections,
        consumers, exclusive queues and open transactions nor alarms, faults, responders and
        history.

        In another thread than the broker's, the broker first executes the commands that clients have
        sent; in its event loop, ``await broker.settle()`` does that.

        Example::

            seed = broker.snapshot()
            ...
            broker.restore(seed)
        """
        return self._call(lambda: BrokerSnapshot(self._node))

    def restore(self, snapshot: BrokerSnapshot) -> None:
        """Store what is in a snapshot, and nothing else; close all connections as `restart` does.

        The snapshot can be of another broker of the same release. Messages have as much of their time
        to live left as in the snapshot; an unused queue with ``x-expires`` has all of it. Alarms,
        faults, responders, the clock and the history stay: events of kind ``restored`` begin the
        lives of the messages. A broker that is down stays down.

        Args:
            snapshot: What `snapshot` has returned.

        Raises:
            RuntimeError: The broker was stopped.
            TypeError: `snapshot` is not a BrokerSnapshot.
            ValueError: The snapshot is of another release, or of a broker with a plugin that this one
                lacks.
        """
        if not isinstance(snapshot, BrokerSnapshot):
            raise TypeError(f"snapshot is {snapshot!r}; expected what broker.snapshot() returned")
        self._change(lambda: self._restore(snapshot))

    def _restore(self, snapshot: BrokerSnapshot) -> None:
        snapshot._check(self._node)
        was_up = self._server.is_up  # neither before the start nor after shut_down()
        if was_up:
            self._server.go_down(politely=True)
        snapshot._restore_to(self._node)
        if was_up:
            self._start()
        elif not self._node.is_down:
            self._responders_go_on()
