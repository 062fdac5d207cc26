"""Whether a broker is idle: nothing will happen until its clock moves or a client acts.

A broker is idle when it has answered all that it has read, and waits for no client: no octets wait to
be written, no connection is opening or closing, no confirm is outstanding, and no consumer holds an
unsettled message. This module does not know whether clients are sending: `Server.activity` grows
then.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..connections.channel import Channel
    from ..connections.connection import Connection
    from .server import Server

__all__ = ["busy_with"]


def busy_with(server: Server, *, while_unacknowledged: bool = False) -> str | None:
    """Return why a broker is not idle, as text; None if it is idle.

    Call it in the broker's thread.

    Args:
        server: The broker's server.
        while_unacknowledged: Whether the broker can be idle while a consumer holds a message.
    """
    if server.is_accepting:
        return "a client is connecting"
    for client in server.clients:
        connection = client.connection
        reason = _output_of(connection, client.unwritten_size())
        if reason is None and not while_unacknowledged:
            reason = next(_held_by(connection), None)
        if reason is not None:
            return reason
    return None


def _output_of(connection: Connection, unwritten_size: int) -> str | None:
    name = connection.peer.connection_name
    if not connection.is_open:
        return f"connection {name} is opening or closing"
    if connection.has_data_to_send or unwritten_size:
        return f"connection {name} has not read all that was sent to it"
    if any(not _is_settled(channel) for channel in connection.channels.values()):
        return f"connection {name} waits for a confirm"
    return None


def _is_settled(channel: Channel) -> bool:
    confirms = channel.confirms
    return confirms is None or (confirms.is_settled and confirms.withheld == confirms.dropped)


def _held_by(connection: Connection) -> Iterator[str]:
    """Yield a text for each consumer that holds messages, with their number.

    Deliveries that a fault keeps do not count: they wait for the test or the clock.
    """
    for channel in connection.all_channels():
        held: dict[str, int] = {}
        for delivery in channel.all_unacked().values():
            if delivery.consumer is not None and delivery.queued not in channel.withheld:
                held[delivery.consumer.tag] = held.get(delivery.consumer.tag, 0) + 1
        for tag, count in held.items():
            messages = "1 message" if count == 1 else f"{count} messages"
            yield f"consumer {tag!r} holds {messages}"
