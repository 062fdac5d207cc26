"""`Hooks`: the user's functions that the client calls when something happens to a message.

Programs use them for metrics and traces. A connection without hooks does not check for them: its
channels are of another class.
"""

from asyncio import AbstractEventLoop
from collections.abc import Callable
from typing import Any

from ..messages import DeliverMessage, ReturnMessage

__all__ = ["Hooks", "call_hook"]


class Hooks:
    """The functions that the client calls when something happens; each does nothing by default.

    Override those that you need in a subclass, and pass an object of it to `connect`::

        class Counting(ammoo.Hooks):
            octets = 0

            def published(self, channel_id, sequence_number, exchange_name, routing_key, size):
                self.octets += size

        async with ammoo.connect("amqp://localhost/", hooks=Counting()) as connection:
            ...

    The methods are called in the event loop while the connection reads and writes, so they must
    be short, and may await nothing. An exception that a method raises goes to the loop's exception
    handler.

    Sequence numbers and delivery tags are those of the channel, as the server counts them: they
    begin anew when a channel is opened again.
    """

    def published(
        self,
        channel_id: int,
        sequence_number: int | None,
        exchange_name: str,
        routing_key: str,
        size: int,
    ) -> None:
        """Called when a message is queued for the socket.

        Args:
            channel_id: The channel's number.
            sequence_number: The number that its confirm will have; None without confirm mode.
            exchange_name: The exchange.
            routing_key: The routing key.
            size: The size of the body in octets.
        """

    def confirmed(
        self, channel_id: int, sequence_number: int, *, multiple: bool, is_nack: bool
    ) -> None:
        """Called when the server has confirmed messages, or refused them.

        Args:
            channel_id: The channel's number.
            sequence_number: The number of the message.
            multiple: Whether this is the outcome of all messages up to this one that had none yet.
            is_nack: Whether the server refused the messages.
        """

    def returned(self, channel_id: int, message: ReturnMessage) -> None:
        """Called when the server returns a message that it could not route, before its confirm.

        Args:
            channel_id: The channel's number.
            message: The returned message.
        """

    def delivered(self, channel_id: int, message: DeliverMessage) -> None:
        """Called when a message has arrived for a consumer; the program may read it much later.

        Args:
            channel_id: The channel's number.
            message: The message.
        """

    def settled(self, channel_id: int, delivery_tag: int, *, multiple: bool, outcome: str) -> None:
        """Called when a delivery is settled.

        Args:
            channel_id: The channel's number.
            delivery_tag: The delivery.
            multiple: Whether all deliveries up to this one are settled.
            outcome: ``"ack"``, ``"requeue"``, or ``"reject"``: dropped or dead-lettered.
        """

    def failed(self, channel_id: int, delivery_tag: int, error: Exception) -> None:
        """Called when a handler or a ``process()`` block has failed, before its message is settled.

        Args:
            channel_id: The channel's number.
            delivery_tag: The message's.
            error: The exception of the handler or block.
        """

    def unanswered(self, channel_id: int, delivery_tag: int, reply_to: str) -> None:
        """Called when a request gets no reply: its reply-to is empty, or is no valid address.

        Args:
            channel_id: The channel's number.
            delivery_tag: The request's.
            reply_to: The request's property; empty if it has none.
        """

    def stale(self, channel_id: int, delivery_tag: int) -> None:
        """Called when a delivery could not be settled, because its channel was lost.

        Args:
            channel_id: The channel's number.
            delivery_tag: The delivery's.
        """

    def blocked(self, reason: str | None) -> None:
        """Called when the server blocks the connection, and when it unblocks it.

        Args:
            reason: The server's reason; None when it unblocks the connection.
        """

    def lost(self, error: Exception) -> None:
        """Called when the connection has ended, or is lost and will be recovered.

        Args:
            error: Why the connection has ended.
        """

    def recovered(self, address: str, outage: float, attempts: int) -> None:
        """Called when the connection is open again.

        Args:
            address: The server's address, as a URL without user and password.
            outage: How long the connection was down, in seconds.
            attempts: How many rounds through all hosts it took.
        """


def call_hook(
    loop: AbstractEventLoop, hook: Callable[..., None], *args: Any, **kwargs: Any
) -> None:
    """Call a function of the user's; an exception that it raises must not end the connection."""
    try:
        hook(*args, **kwargs)
    except Exception as error:  # noqa: BLE001  it is reported to the loop
        message = f"exception in {hook!r}"
        loop.call_exception_handler({"message": message, "exception": error})
