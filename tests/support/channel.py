"""A channel of the behaviour suite's peer: short words for what tests do most.

It knows methods and messages; it knows nothing of frames and sockets, which are `Peer`'s.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicNackParameters,
    BasicPublishParameters,
    BasicQosParameters,
    BasicRejectParameters,
    BasicReturnParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowOkParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    ConnectionCloseParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    method_of,
    methods,
)
from tests.support.frames import Message, ServerClosedChannel

if TYPE_CHECKING:
    from tests.support.peer import Peer

FILLING_CHANNEL = 90
ASKING_CHANNEL = 91

T = TypeVar("T")


class Channel:
    """A channel of a `Peer`: short words for what tests do most.

    Attributes:
        peer: The connection.
        number: The channel's number.
    """

    def __init__(self, peer: Peer, number: int) -> None:
        self.peer = peer
        self.number = number

    def send(self, parameters: Any) -> None:
        self.peer.send(self.number, parameters)

    def receive(self) -> Any:
        """Give what arrived next: parameters, or a `Message`."""
        return self.peer.receive(self.number)

    def expect(self, expected: type[T]) -> T:
        return self.peer.expect(self.number, expected)

    def call(self, parameters: Any) -> Any:
        """Send a method and wait for its reply; what comes before the reply stays to be received.

        Raises:
            ServerClosedChannel: The server closed the channel instead.
            ServerClosedConnection: The server closed the connection instead.
        """
        self.send(parameters)
        return self.peer.await_type(self.number, *_replies(parameters))

    def arrived(self) -> list[Any]:
        """Give all that the server sent up to now and that was not received yet.

        The server answers channel.flow by itself and in its turn, so this is also a barrier: it
        has looked at everything that was sent before.
        """
        flow_ok = self.call(ChannelFlowParameters(True))
        assert isinstance(flow_ok, ChannelFlowOkParameters)
        inbox = self.peer._inbox(self.number)
        everything = list(inbox)
        inbox.clear()
        return everything

    def refusal(self, parameters: Any = None) -> ChannelCloseParameters:
        """Send a method that makes the server close the channel; answer that and give it."""
        if parameters is not None:
            self.send(parameters)
        close: ChannelCloseParameters = self.peer.await_type(self.number, ChannelCloseParameters)
        self.send(ChannelCloseOkParameters())
        return close

    def attempt(self, parameters: Any) -> bool:
        """Call a method and give whether it passed; a channel closed for it is opened again."""
        try:
            self.call(parameters)
        except ServerClosedChannel:
            self.refusal()
            self.reopen()
            return False
        return True

    def fatal(self, parameters: Any = None) -> ConnectionCloseParameters:
        """Send a method that makes the server close the connection; answer that and give it."""
        if parameters is not None:
            self.send(parameters)
        return self.peer.expect_connection_close()

    def close(self) -> None:
        self.call(ChannelCloseParameters(200, "done"))

    def reopen(self) -> None:
        self.call(ChannelOpenParameters())

    # --- queues and exchanges -----------------------------------------------------------------

    def declare_queue(
        self,
        queue_name: str = "",
        *,
        passive: bool = False,
        durable: bool = False,
        exclusive: bool = False,
        auto_delete: bool = False,
        **arguments: Any,
    ) -> str:
        """Declare a queue and give its name. ``x_max_length=5`` is the argument x-max-length."""
        declare_ok: QueueDeclareOkParameters = self.call(
            QueueDeclareParameters(
                queue_name,
                passive=passive,
                durable=durable,
                exclusive=exclusive,
                auto_delete=auto_delete,
                arguments=as_arguments(arguments),
            )
        )
        return declare_ok.queue_name

    def counts(self, queue_name: str) -> tuple[int, int]:
        """Give a queue's ready messages and consumers.

        RabbitMQ's queues answer this before what is waiting in front of it: publishes that were
        not confirmed yet and settlements may or may not be counted.
        """
        declare_ok: QueueDeclareOkParameters = self.call(
            QueueDeclareParameters(queue_name, passive=True)
        )
        return declare_ok.message_count, declare_ok.consumer_count

    def message_count(self, queue_name: str) -> int:
        return self.counts(queue_name)[0]

    def has_queue(self, queue_name: str) -> bool:
        """Whether there is a queue of this name, and open to this connection."""
        return self._passes(QueueDeclareParameters(queue_name, passive=True))

    def has_exchange(self, exchange_name: str) -> bool:
        """Whether there is an exchange of this name."""
        return self._passes(ExchangeDeclareParameters(exchange_name, passive=True))

    def _passes(self, parameters: Any) -> bool:
        """Try a method on a channel of its own, because that may be closed for it."""
        asking = self.peer.channel(ASKING_CHANNEL)
        asking.send(parameters)
        if isinstance(asking.receive(), ChannelCloseParameters):
            asking.send(ChannelCloseOkParameters())
            return False
        asking.close()
        return True

    def delete_queue(self, queue_name: str) -> None:
        self.call(QueueDeleteParameters(queue_name))

    def delete_exchange(self, exchange_name: str) -> None:
        self.call(ExchangeDeleteParameters(exchange_name))

    def declare_exchange(
        self,
        exchange_name: str,
        exchange_type: str = "direct",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        **arguments: Any,
    ) -> str:
        self.call(
            ExchangeDeclareParameters(
                exchange_name,
                exchange_type,
                durable=durable,
                auto_delete=auto_delete,
                internal=internal,
                arguments=as_arguments(arguments),
            )
        )
        return exchange_name

    def bind(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.call(
            QueueBindParameters(queue_name, exchange_name, routing_key, arguments=arguments or {})
        )

    def bind_each(
        self, queue_names: Iterable[str], exchange_name: str, routing_key: str = ""
    ) -> None:
        """Bind each of several queues with the same routing key."""
        for queue_name in queue_names:
            self.bind(queue_name, exchange_name, routing_key)

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str = "",
        arguments: dict[str, Any] | None = None,
    ) -> None:
        self.call(ExchangeBindParameters(destination, source, routing_key, False, arguments or {}))

    # --- messages -----------------------------------------------------------------------------

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        body: bytes = b"",
        *,
        mandatory: bool = False,
        immediate: bool = False,
        **properties: Any,
    ) -> None:
        self.peer.send_content(
            self.number,
            BasicPublishParameters(exchange_name, routing_key, mandatory, immediate),
            BasicHeaderProperties(**properties),
            body,
        )

    def publish_each(
        self, exchange_name: str, routing_key: str, *bodies: bytes, **options: Any
    ) -> None:
        """Publish a message with each body; the options are those of `publish`."""
        for body in bodies:
            self.publish(exchange_name, routing_key, body, **options)

    def publish_under_each(self, exchange_name: str, routing_keys: Iterable[str]) -> None:
        """Publish a message under each routing key, which is its body as well."""
        for routing_key in routing_keys:
            self.publish(exchange_name, routing_key, routing_key.encode())

    def get(self, queue_name: str, *, no_ack: bool = False) -> Message | None:
        """Fetch a message; None if none is ready."""
        reply = self.call(BasicGetParameters(queue_name, no_ack))
        return reply if isinstance(reply, Message) else None

    def get_message(self, queue_name: str, *, no_ack: bool = True) -> Message:
        """Fetch a message that must be ready."""
        message = self.get(queue_name, no_ack=no_ack)
        assert message is not None, f"queue {queue_name!r} is empty"
        assert isinstance(message.parameters, BasicGetOkParameters)
        return message

    def get_unacked(self, queue_name: str, count: int) -> list[Message]:
        """Fetch so many messages, which must be ready, and leave them unacknowledged."""
        return [self.get_message(queue_name, no_ack=False) for _ in range(count)]

    def purge(self, queue_name: str) -> int:
        """Empty a queue, and return how many messages it says it had."""
        purge_ok: QueuePurgeOkParameters = self.call(QueuePurgeParameters(queue_name))
        return purge_ok.message_count

    def await_count(self, queue_name: str, expected: int) -> None:
        """Wait until a queue has so many ready messages; for what RabbitMQ does by itself."""
        while (count := self.message_count(queue_name)) != expected:
            self.peer.pause(f"for {expected} messages in queue {queue_name!r}, there are {count}")

    def await_consumer_count(self, queue_name: str, expected: int) -> None:
        """Wait until a queue counts so many consumers.

        A quorum queue counts a fetch as well, until it has done what its settlement asks for.
        """
        while (count := self.counts(queue_name)[1]) != expected:
            self.peer.pause(f"for {expected} consumers of queue {queue_name!r}, there are {count}")

    def await_message(self, queue_name: str, *, no_ack: bool = True) -> Message:
        """Fetch a message that is on its way to the queue; for what RabbitMQ does by itself."""
        while True:
            message = self.get(queue_name, no_ack=no_ack)
            if message is not None:
                return message
            self.peer.pause(f"for a message in queue {queue_name!r}")

    def get_bodies(self, queue_name: str) -> list[bytes]:
        """Empty a queue."""
        bodies = []
        while (message := self.get(queue_name, no_ack=True)) is not None:
            bodies.append(message.body)
        return bodies

    def consume(
        self,
        queue_name: str,
        consumer_tag: str = "",
        *,
        no_local: bool = False,
        no_ack: bool = False,
        exclusive: bool = False,
        **arguments: Any,
    ) -> str:
        """Start a consumer and give its tag."""
        consume_ok = self.call(
            BasicConsumeParameters(
                queue_name,
                consumer_tag,
                no_local,
                no_ack,
                exclusive,
                False,
                as_arguments(arguments),
            )
        )
        tag: str = consume_ok.consumer_tag
        return tag

    def cancel(self, consumer_tag: str) -> None:
        cancel_ok = self.call(BasicCancelParameters(consumer_tag))
        assert BasicCancelOkParameters(consumer_tag) == cancel_ok

    def delivery(self) -> Message:
        """Give what arrived next, which must be a delivery."""
        message = self.expect(Message)
        assert isinstance(message.parameters, BasicDeliverParameters), message
        return message

    def returned(self) -> Message:
        """Give what arrived next, which must be a basic.return."""
        message = self.expect(Message)
        assert isinstance(message.parameters, BasicReturnParameters), message
        return message

    def deliveries(self, count: int) -> list[bytes]:
        """Give the bodies of the next deliveries; nothing else may arrive between them."""
        return [self.delivery().body for _ in range(count)]

    def ack(self, delivery_tag: int, *, multiple: bool = False) -> None:
        self.send(BasicAckParameters(delivery_tag, multiple))

    def nack(self, delivery_tag: int, *, multiple: bool = False, requeue: bool = True) -> None:
        self.send(BasicNackParameters(delivery_tag, multiple, requeue))

    def reject(self, delivery_tag: int, *, requeue: bool) -> None:
        self.send(BasicRejectParameters(delivery_tag, requeue))

    def qos(self, prefetch_count: int, *, global_: bool = False) -> None:
        self.call(BasicQosParameters(0, prefetch_count, global_))

    def select_confirm(self) -> None:
        self.call(ConfirmSelectParameters())

    def settlements(self, count: int) -> list[tuple[str, int]]:
        """Give how the next `count` publishes were confirmed, multiple ones taken apart.

        Returns:
            ("ack" or "nack", publish sequence number) in the order of their numbers.
        """
        settled: dict[int, str] = {}
        lowest = 1
        while len(settled) < count:
            verdict = self.peer.await_type(self.number, BasicAckParameters, BasicNackParameters)
            word = "ack" if isinstance(verdict, BasicAckParameters) else "nack"
            first = lowest if verdict.multiple else verdict.delivery_tag
            for tag in range(first, verdict.delivery_tag + 1):
                settled.setdefault(tag, word)
        return [(settled[tag], tag) for tag in sorted(settled)]

    def fill(self, queue_name: str, *bodies: bytes, **properties: Any) -> None:
        """Publish to a queue, and wait until it has the messages, whichever channel looks next.

        They come behind what this channel was told before. In RabbitMQ each channel is a process:
        another one may publish before this one has settled.
        """
        self.call(ChannelFlowParameters(True))
        filling = self.peer.channel(FILLING_CHANNEL)
        filling.select_confirm()
        for body in bodies:
            filling.publish("", queue_name, body, **properties)
        settled = filling.settlements(len(bodies))
        assert all(word == "ack" for word, _ in settled), settled
        filling.close()

    def await_refusal(self, queue_name: str) -> None:
        """Publish to a queue, taking out again what it takes, until it refuses a message."""
        filling = self.peer.channel(FILLING_CHANNEL)
        filling.select_confirm()
        for number in itertools.count(1):
            filling.publish("", queue_name)
            settled = self.peer.await_type(FILLING_CHANNEL, BasicAckParameters, BasicNackParameters)
            if isinstance(settled, BasicNackParameters):
                break
            filling.get_bodies(queue_name)
            self.peer.pause(f"until queue {queue_name!r} refuses a message; it took {number}")
        filling.close()

    def confirmed_publish(self, *arguments: Any, **keywords: Any) -> None:
        """Publish on a channel in confirm mode and wait until the queues have the message."""
        self.publish(*arguments, **keywords)
        self.peer.await_type(self.number, BasicAckParameters, BasicNackParameters)


def as_arguments(keywords: dict[str, Any]) -> dict[str, Any]:
    """Make ``{"x-max-length": 5}`` of ``{"x_max_length": 5}``."""
    return {name.replace("_", "-"): value for name, value in keywords.items()}


def _replies(parameters: Any) -> tuple[type[Any], ...]:
    return tuple(_BY_NAME[name] for name in method_of(parameters).replies)


_BY_NAME = {method.name: method.parameters for method in methods()}
