"""Settling deliveries: what is sent for them, and when.

Acknowledgements of one turn of the event loop become a single basic.ack with
``multiple``, if and only if they are for exactly the oldest unacked deliveries:
it says the same in fewer octets, and RabbitMQ needs a third less time for it. An
acknowledgement out of order is sent as the caller gave it.

Unread messages go back into their queues in the same way, by basic.nack: RabbitMQ 4.3
counts basic.reject towards a quorum queue's delivery limit. A classic queue of RabbitMQ needs
more time for each message the more there are (14,500 one by one: 33 s). Therefore, if there are
many, they wait until all older deliveries are settled; then one basic.nack requeues them.

`UnackedDeliveries` knows which deliveries these are.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from ammoo_wire import (
    BasicAckParameters,
    BasicGetOkParameters,
    BasicNackParameters,
    BasicRejectParameters,
    method_of,
)

from ..exceptions.message import UnknownDelivery
from .ports import ChannelHead
from .replies import Reply
from .unacked import UnackedDeliveries

__all__ = ["MOST_REQUEUED_SINGLY", "Acknowledgements"]

MOST_REQUEUED_SINGLY: Final = 1000
"""How many deliveries are requeued one by one while older ones are unacked: RabbitMQ needs 0.1 s."""

# Compiled when first needed, not on import (0.2 ms each).
_ACK: Final = method_of(BasicAckParameters)
_NACK: Final = method_of(BasicNackParameters)
_REJECT: Final = method_of(BasicRejectParameters)


class Acknowledgements:
    """Sends basic.ack, basic.nack and basic.reject for the deliveries of one channel.

    Each method that settles returns an awaitable that limits how fast the caller sends, or None.

    Args:
        channel: The channel.

    Attributes:
        unacked: The deliveries that are not settled.
    """

    __slots__ = ("_channel", "_merges", "_requeue_is_due", "_transport", "unacked")

    def __init__(self, channel: ChannelHead) -> None:
        self.unacked: UnackedDeliveries = UnackedDeliveries(self._requeue_soon)
        self._channel = channel
        self._transport = channel.transport
        self._merges = True
        self._requeue_is_due = False

    def ack(self, delivery_tag: int, multiple: bool) -> Awaitable[None] | None:
        """Send basic.ack, perhaps merged with others of this turn; see `UnackedDeliveries`."""
        unacked, transport = self.unacked, self._transport
        if not transport.flush_is_due:
            transport.require_loop()
        if (
            multiple
            or self._channel.closing_exc is not None
            or not self._merges
            or not unacked.extend_run(delivery_tag)
        ):
            if multiple:
                self._settle_up_to(delivery_tag, _ACK.encode)
            else:
                self._settle(delivery_tag, _ACK.encode(delivery_tag, False))
        elif unacked.run == 1:
            transport.before_flush.append(self.write_merged)
            if not transport.flush_is_due:
                transport.flush_soon()
        return self._channel.drain() if transport.is_paused else None

    def nack(self, delivery_tag: int, multiple: bool, requeue: bool) -> Awaitable[None] | None:
        """Send basic.nack."""
        if multiple:
            self._settle_up_to(delivery_tag, lambda *tag: _NACK.encode(*tag, requeue))
        else:
            self._settle(delivery_tag, _NACK.encode(delivery_tag, False, requeue))
        return self._channel.drain() if self._transport.is_paused else None

    def reject(self, delivery_tag: int, requeue: bool) -> Awaitable[None] | None:
        """Send basic.reject."""
        self._settle(delivery_tag, _REJECT.encode(delivery_tag, requeue))
        return self._channel.drain() if self._transport.is_paused else None

    def requeue(self, delivery_tags: Iterable[int]) -> None:
        """Put messages that no task will read back into their queue; not if the channel is closed."""
        if self._channel.closing_exc is None:
            self.unacked.requeue(delivery_tags)
            self._requeue_soon()

    def requeue_reply(self, reply: Reply) -> None:
        """Put the message of a basic.get-ok that no caller awaits back into its queue."""
        if type(reply.parameters) is BasicGetOkParameters:
            self.requeue((reply.parameters.delivery_tag,))

    def add_reply(self, reply: Reply) -> None:
        """Record the message of a basic.get-ok as unacked."""
        if type(reply.parameters) is BasicGetOkParameters:
            self.unacked.add(reply.parameters.delivery_tag)

    def begin_transaction(self) -> None:
        """Send each acknowledgement as the caller gave it: a rollback may undo some of them."""
        self._merges = False
        self.write_requeued()
        self.unacked.begin_transaction()

    def write_merged(self) -> None:
        """Send the merged acknowledgements, if there are any."""
        unacked, channel = self.unacked, self._channel
        if unacked.run and channel.closing_exc is None:
            payload = _ACK.encode(unacked.last_of_run, unacked.run > 1)
            channel.sender.send_method(channel.number, payload)
        unacked.run = 0
        if self._requeue_is_due:
            self.write_requeued()

    def _settle(self, delivery_tag: int, payload: bytes) -> None:
        """Send a command that settles a delivery, after the merged acknowledgements."""
        self._prepare(delivery_tag)
        self._write_pending()  # before the delivery leaves the order: a requeue may be for more
        self.unacked.settle(delivery_tag)
        self._send(payload)

    def _settle_up_to(self, delivery_tag: int, encode: Callable[[int, bool], bytes]) -> None:
        """Send the commands that settle all deliveries up to one, and requeue unread ones of them.

        Args:
            delivery_tag: The tag of the last of them; 0 for all.
            encode: Makes the command of a delivery tag and `multiple`.
        """
        payload = encode(delivery_tag, True)  # first: it raises if an argument cannot be sent
        if delivery_tag or self._channel.closing_exc is not None:
            self._prepare(delivery_tag)
        self._transport.require_loop()
        self._write_pending()
        if self.unacked.has_requeued:
            self.write_requeued()
        if not self.unacked.has_requeued:
            self.unacked.settle_up_to(delivery_tag)
            self._send(payload)
            return
        for last, size, is_requeue in self.unacked.settle_up_to(delivery_tag):
            multiple = size > 1
            self._send(_NACK.encode(last, multiple, True) if is_requeue else encode(last, multiple))

    def _prepare(self, delivery_tag: int) -> None:
        """Make sure that a delivery can be settled.

        Raises:
            ChannelClosed, ConnectionClosed: The channel is closed.
            UnknownDelivery: The server would close the channel.
        """
        channel = self._channel
        if not self._transport.flush_is_due:
            self._transport.require_loop()
        if channel.closing_exc is not None:
            channel.raise_unless_settleable(delivery_tag)
        if delivery_tag not in self.unacked:
            raise UnknownDelivery(delivery_tag + channel.tag_offset, channel.number)

    def _write_pending(self) -> None:
        """Send the merged acknowledgements, and the requeues that are due at the end of the turn."""
        if self.unacked.run:
            self.write_merged()
        elif self._requeue_is_due:
            self.write_requeued()

    def _send(self, payload: bytes) -> None:
        """Send a command that settles."""
        self._channel.sender.send_method(self._channel.number, payload)
        if not self._transport.flush_is_due:
            self._transport.flush_soon()

    # --- requeueing ---

    def _requeue_soon(self) -> None:
        """Schedule `write_requeued` for the end of this turn of the loop."""
        if not self._requeue_is_due:
            self._requeue_is_due = True
            self._transport.before_flush.append(self.write_requeued)
            if not self._transport.flush_is_due:
                self._transport.flush_soon()

    def write_requeued(self) -> None:
        """Requeue the marked deliveries, unless they are many and an older one is unacked."""
        self._requeue_is_due = False
        channel, unacked = self._channel, self.unacked
        if channel.closing_exc is not None:
            return
        if unacked.run:
            self.write_merged()  # these are older
        if not channel.host.server_capabilities.get("basic.nack"):
            for delivery_tag in unacked.take_requeued(most=None):
                self._send(_REJECT.encode(delivery_tag, True))
            return
        run = unacked.take_requeue_run()
        if run is not None:
            self._send(_NACK.encode(run.last, run.size > 1, True))
        for delivery_tag in unacked.take_requeued(MOST_REQUEUED_SINGLY):
            self._send(_NACK.encode(delivery_tag, False, True))
