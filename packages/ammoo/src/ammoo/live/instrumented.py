"""A channel with hooks: a `LiveChannel` that also calls the user's functions.

Only connections with hooks use these classes, and look their commands up in
`INSTRUMENTED_RECEIVERS`.
"""

from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Final

from ammoo_wire import (
    BasicDeliverParameters,
    BasicNackParameters,
    BasicReturnParameters,
)

from ..exceptions.publishing import StaleDelivery
from ..instrumentation.hooks import Hooks, call_hook
from ..messages import DeliverMessage, ReturnMessage
from .acknowledgements import Acknowledgements
from .channel import RECEIVERS, LiveChannel
from .ports import ChannelHead, ChannelHost
from .publishing import Publishing

__all__ = ["INSTRUMENTED_RECEIVERS", "InstrumentedChannel"]


class InstrumentedPublishing(Publishing):
    """Calls the hooks for messages that are published, confirmed or returned.

    Args:
        channel: The channel.
        acknowledgements: The channel's acknowledgements.
        hooks: The user's functions.
    """

    __slots__ = ("_hooks",)

    def __init__(
        self, channel: ChannelHead, acknowledgements: Acknowledgements, hooks: Hooks
    ) -> None:
        super().__init__(channel, acknowledgements)
        self._hooks = hooks

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        properties: bytes,
        body: bytes | bytearray,
        *more: Any,
    ) -> Awaitable[None] | None:
        """Send a message; see `Publishing.publish`."""
        is_sent_now = self.is_publishable
        outcome = super().publish(exchange_name, routing_key, properties, body, *more)
        if is_sent_now:
            number = None if self.confirms is None else self.confirms.next_number - 1
            call_hook(
                self._host.loop,
                self._hooks.published,
                self._channel.number,
                number,
                exchange_name,
                routing_key,
                len(body),
            )
        return outcome

    def receive_confirm(self, parameters: Any) -> None:
        """Process a basic.ack or basic.nack."""
        super().receive_confirm(parameters)
        call_hook(
            self._host.loop,
            self._hooks.confirmed,
            self._channel.number,
            parameters.delivery_tag,
            multiple=parameters.multiple,
            is_nack=type(parameters) is BasicNackParameters,
        )

    def receive_return(
        self, parameters: BasicReturnParameters, properties: bytes, body: bytearray
    ) -> None:
        """Process a returned message."""
        message = ReturnMessage.of(self._channel, parameters, properties, body)
        call_hook(self._host.loop, self._hooks.returned, self._channel.number, message)
        super().receive_return(parameters, properties, body)


class InstrumentedChannel(LiveChannel):
    """Calls the hooks for deliveries.

    Args:
        host: The connection.
        number: The channel's number.
        body_encoding: The encoding of text bodies where neither a message nor an argument names one.
        hooks: The user's functions.
    """

    def __init__(self, host: ChannelHost, number: int, body_encoding: str, hooks: Hooks) -> None:
        super().__init__(host, number, body_encoding)
        self._hooks = hooks
        self.publishing: Publishing = InstrumentedPublishing(self, self.acknowledgements, hooks)
        self.ack: Callable[[int, bool], Awaitable[None] | None] = self._ack
        self.nack: Callable[[int, bool, bool], Awaitable[None] | None] = self._nack
        self.reject: Callable[[int, bool], Awaitable[None] | None] = self._reject
        self.requeue: Callable[[Iterable[int]], None] = self._requeue

    def mute(self) -> None:
        """Call no hook from now on; see `LiveChannel.mute`."""
        self._hooks = Hooks()

    def report_failure(self, delivery_tag: int, error: Exception) -> None:
        """Report that a delivery could not be processed."""
        call_hook(self.host.loop, self._hooks.failed, self.number, delivery_tag, error)

    def report_unanswered(self, delivery_tag: int, reply_to: str) -> None:
        """Report that a request gets no reply."""
        call_hook(self.host.loop, self._hooks.unanswered, self.number, delivery_tag, reply_to)

    def _ack(self, delivery_tag: int, multiple: bool) -> Awaitable[None] | None:
        drain = self._settle(delivery_tag, self.acknowledgements.ack, multiple)
        self._settled(delivery_tag, multiple, "ack")
        return drain

    def _nack(self, delivery_tag: int, multiple: bool, requeue: bool) -> Awaitable[None] | None:
        drain = self._settle(delivery_tag, self.acknowledgements.nack, multiple, requeue)
        self._settled(delivery_tag, multiple, "requeue" if requeue else "reject")
        return drain

    def _reject(self, delivery_tag: int, requeue: bool) -> Awaitable[None] | None:
        drain = self._settle(delivery_tag, self.acknowledgements.reject, requeue)
        self._settled(delivery_tag, False, "requeue" if requeue else "reject")
        return drain

    def _requeue(self, delivery_tags: Iterable[int]) -> None:
        tags = [tag for tag in delivery_tags if tag in self.acknowledgements.unacked]
        self.acknowledgements.requeue(tags)
        for tag in tags:
            self._settled(tag, False, "requeue")

    def _settle(
        self, delivery_tag: int, settle: Callable[..., Awaitable[None] | None], *args: bool
    ) -> Awaitable[None] | None:
        try:
            return settle(delivery_tag, *args)
        except StaleDelivery:
            call_hook(self.host.loop, self._hooks.stale, self.number, delivery_tag)
            raise

    def _settled(self, delivery_tag: int, multiple: bool, outcome: str) -> None:
        call_hook(
            self.host.loop,
            self._hooks.settled,
            self.number,
            delivery_tag,
            multiple=multiple,
            outcome=outcome,
        )

    def _receive_deliver(
        self, parameters: BasicDeliverParameters, properties: bytes, body: bytearray
    ) -> None:
        message = DeliverMessage.of(self, parameters, properties, body)
        call_hook(self.host.loop, self._hooks.delivered, self.number, message)
        super()._receive_deliver(parameters, properties, body)


def _receive_deliver(channel: LiveChannel, parameters: Any, properties: Any, body: Any) -> None:
    channel._receive_deliver(parameters, properties, body)  # the subclass's, and not the base's


INSTRUMENTED_RECEIVERS: Final[dict[type[Any], Callable[[LiveChannel, Any, Any, Any], None]]] = {
    **RECEIVERS,
    BasicDeliverParameters: _receive_deliver,
}
"""The function that processes each type of command of the server, on a connection with hooks."""
