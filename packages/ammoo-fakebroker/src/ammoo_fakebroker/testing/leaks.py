"""Leaks: open connections, unsettled messages and the like that a test leaves in a broker.

What the broker has closed is none: a client that behaves well may be about to answer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from difflib import get_close_matches
from typing import TYPE_CHECKING, Final

from ..call_checks import check_texts
from ..history.texts import describe

if TYPE_CHECKING:
    from ..broker import FakeBroker
    from ..connections.channel import Channel
    from ..connections.connection import Connection
    from ..node.node import Node

__all__ = ["KINDS", "find_leaks", "kinds_of"]

_SHOWN: Final = 5


def kinds_of(kinds: Collection[str] | str) -> tuple[str, ...]:
    """Return the names of kinds of leaks if they are valid.

    Args:
        kinds: The names, or a text in which spaces separate them.

    Raises:
        TypeError: They are not strings.
        ValueError: There is no such kind; the text names a similar one.
    """
    if isinstance(kinds, str):
        kinds = kinds.split()
    check_texts("leaks", kinds)
    for kind in kinds:
        if kind not in KINDS:
            close = get_close_matches(kind, KINDS, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"expected some of {_listed(KINDS)}"
            raise ValueError(f"fakebroker_leaks has {kind!r}; {hint}")
    return tuple(kinds)


def find_leaks(broker: FakeBroker, kinds: Collection[str], *, advice: str = "") -> list[str]:
    """Return a text for each kind of leak that a broker has.

    Args:
        broker: The broker.
        kinds: The kinds of leaks to look for.
        advice: A sentence about open connections, which says how the test closes them.
    """

    def find() -> list[str]:
        return [
            f"{leak} {advice}".rstrip() if kind == "connections" else leak
            for kind in kinds
            if (leak := KINDS[kind](broker, broker._node))
        ]

    return broker._call(find)


def _listed(names: Collection[str], count: int | None = None) -> str:
    shown = list(names)[:_SHOWN]
    more = (len(names) if count is None else count) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")


def _counted(count: int, one: str, many: str) -> str:
    return f"1 {one}" if count == 1 else f"{count} {many}"


def _clients(broker: FakeBroker) -> list[Connection]:
    return [client.connection for client in broker._server.clients]


def _connections(broker: FakeBroker, node: Node) -> str:
    opened = _opening_times(broker)
    names = [
        f"{each.identity.name!r} ({each.peer.host}:{each.peer.port}, {_describe(each, opened)})"
        for each in _clients(broker)
        if each.is_open or each.is_opening
    ]
    are = _counted(len(names), "connection is", "connections are")
    return f"{are} still open: {_listed(names)}." if names else ""


def _describe(connection: Connection, opened: dict[str, float]) -> str:
    """Return how far a connection has come, and how many channels it has."""
    if connection.is_opening:
        return "which the client has not opened"
    channels = _counted(len(connection.channels), "channel", "channels")
    when = opened.get(connection.identity.peer_name)
    return channels if when is None else f"opened at {when:.2f} s, {channels}"


def _opening_times(broker: FakeBroker) -> dict[str, float]:
    """Return the times at which connections were opened, by RabbitMQ's names for them."""
    recorder = broker._node.history
    if recorder is None:
        return {}
    events = recorder.events(0, ("connection_opened",))
    return {event.peer_name: event.time for event in events if event.peer_name is not None}


def _channels(broker: FakeBroker, node: Node) -> str:
    names = [
        f"channel {channel.number} of {each.identity.name!r}{_describe_channel(channel)}"
        for each in _clients(broker)
        for channel in each.channels.values()
    ]
    are = _counted(len(names), "channel is", "channels are")
    return f"{are} still open: {_listed(names)}." if names else ""


def _describe_channel(channel: Channel) -> str:
    """Return what is left to do on a channel, in brackets."""
    transaction = channel.transaction
    if transaction is None or not (transaction.publish_count or transaction.settled):
        return ""
    publishes = _counted(transaction.publish_count, "publish", "publishes")
    settled = _counted(len(transaction.settled), "settlement", "settlements")
    return f" ({publishes} and {settled} wait for tx.commit)"


def _unacknowledged(broker: FakeBroker, node: Node) -> str:
    held = [
        f"{bytes(unacked.queued.message.body[:50])!r} of queue {unacked.queue.name!r} is with"
        f" {connection.identity.name!r}, channel {channel.number}"
        f"{' (settled, but not committed)' if tag in _uncommitted(channel) else ''}"
        for connection in _clients(broker)
        for channel in connection.channels.values()
        for tag, unacked in channel.all_unacked().items()
    ]
    are = _counted(len(held), "delivery is", "deliveries are")
    return f"{are} not settled: {_listed(held)}." if held else ""


def _uncommitted(channel: Channel) -> Collection[int]:
    return () if channel.transaction is None else channel.transaction.settled


def _unroutable(broker: FakeBroker, node: Node) -> str:
    if node.history is None:
        return ""
    events = list(node.history.events(0, ("unroutable",)))
    if not events and node.history.first > 1:
        return (
            "whether a message reached no queue is not known: the history holds only the last of"
            f" {node.history.total:,} events; give FakeBroker(history=…) a larger number."
        )
    if not events:
        return ""
    reached = _counted(len(events), "message", "messages")
    return f"{reached} reached no queue: {_listed([describe(each) for each in events])}."


def _unused_faults(broker: FakeBroker, node: Node) -> str:
    unused = [fault.describe() for fault in broker.faults.active if fault._is_missed]
    never = _counted(len(unused), "fault", "faults")
    return f"{never} never struck: {_listed(unused)}." if unused else ""


KINDS: Final[dict[str, Callable[[FakeBroker, Node], str]]] = {
    "connections": _connections,
    "channels": _channels,
    "unacknowledged": _unacknowledged,
    "unroutable": _unroutable,
    "unused_faults": _unused_faults,
}
"""The kinds of leaks, and the function that finds each."""
