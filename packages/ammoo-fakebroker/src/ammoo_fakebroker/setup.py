"""Setting a broker up without a client: declaring, publishing and deleting by the test itself.

The methods execute a client's commands on a channel inside of the broker (`setup_channel.py`).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from ammoo_wire import (
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
)

from .call_checks import checks_arguments
from .connections.channel import Channel
from .described_messages import encode_body
from .exchanges.plugins import plugin_of
from .node.node import DEFAULT_VIRTUALHOST, Node
from .setup_channel import SetUpChannel, describe_queues

if TYPE_CHECKING:
    from .queues.consumers import Consumer

__all__ = ["SetUp"]

_Result = TypeVar("_Result")


@checks_arguments
class SetUp(ABC):
    """The methods with which a test declares, publishes and deletes without a client.

    Attributes:
        _node: The broker's node.
    """

    _node: Node

    @abstractmethod
    def _change(self, function: Callable[[], _Result]) -> _Result:
        """Change the broker in its thread, and return the result; raise if it was stopped."""

    def _execute(self, virtualhost: str, parameters: tuple[Any, ...]) -> Any:
        return self._change(lambda: SetUpChannel(self._node, virtualhost).call(parameters))

    # -- declaring -----------------------------------------------------------------------------

    def declare_queue(
        self,
        queue_name: str = "",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> str:
        """Declare a queue, as a client would.

        Example::

            broker.declare_queue("orders", durable=True, arguments={"x-max-length": 10})

        Args:
            queue_name: The name of the queue; empty for a generated one.
            durable: Whether it survives `restart`.
            auto_delete: Whether it is deleted when its last consumer is gone.
            arguments: Its arguments, such as ``{"x-max-length": 10}``.
            virtualhost: The name of its virtual host.

        Returns:
            The name of the queue.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        declared: str = self._execute(
            virtualhost,
            QueueDeclareParameters(
                queue_name,
                durable=durable,
                auto_delete=auto_delete,
                arguments=dict(arguments or {}),
            ),
        ).queue_name
        return declared

    def declare_exchange(
        self,
        exchange_name: str,
        exchange_type: str = "direct",
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Declare an exchange, as a client would.

        Example::

            broker.declare_exchange("orders", "topic")
            broker.bind_queue("invoices", "orders", "order.#")

        Args:
            exchange_name: The name of the exchange.
            exchange_type: Its type, such as ``"topic"``.
            durable: Whether it survives `restart`.
            auto_delete: Whether it is deleted with its last binding.
            internal: Whether only exchanges can publish to it.
            arguments: Its arguments, such as ``{"alternate-exchange": "others"}``.
            virtualhost: The name of its virtual host.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        parameters = ExchangeDeclareParameters(
            exchange_name,
            exchange_type,
            durable=durable,
            auto_delete=auto_delete,
            internal=internal,
            arguments=dict(arguments or {}),
        )
        try:
            self._execute(virtualhost, parameters)
        except ValueError as error:
            plugin = plugin_of(exchange_type)
            if plugin is not None and plugin not in self._node.plugins:
                error.add_note(f"FakeBroker(plugins=[{plugin!r}]) has exchanges of this type")
            raise

    def bind_queue(
        self,
        queue_name: str,
        exchange_name: str,
        routing_key: str = "",
        *,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Bind a queue to an exchange, as a client would.

        Args:
            queue_name: The name of the queue.
            exchange_name: The name of the exchange.
            routing_key: The binding key.
            arguments: The arguments of the binding, for a headers exchange.
            virtualhost: The name of their virtual host.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        self._execute(
            virtualhost,
            QueueBindParameters(
                queue_name, exchange_name, routing_key, arguments=dict(arguments or {})
            ),
        )

    def bind_exchange(
        self,
        destination: str,
        source: str,
        routing_key: str = "",
        *,
        arguments: Mapping[str, Any] | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> None:
        """Bind an exchange to another, as a client would.

        Args:
            destination: The exchange that receives the messages.
            source: The exchange that routes them.
            routing_key, arguments, virtualhost: As for `bind_queue`.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        self._execute(
            virtualhost,
            ExchangeBindParameters(
                destination, source, routing_key, arguments=dict(arguments or {})
            ),
        )

    # -- messages ------------------------------------------------------------------------------

    def publish(
        self,
        exchange_name: str,
        routing_key: str,
        body: bytes | str | None = None,
        *,
        json: Any = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        **properties: Any,
    ) -> tuple[str, ...]:
        """Publish a message, as a client would; a message that reaches no queue is an error.

        Example::

            broker.publish("orders", "created", json={"id": 7}, message_id="1")

        Args:
            exchange_name: The exchange; empty for the default exchange.
            routing_key: The routing key.
            body: The body; text is encoded in UTF-8.
            json: A value to encode as JSON, in place of `body`.
            virtualhost: The name of the virtual host.
            properties: The properties by their names, such as ``headers`` or ``reply_to``.

        Returns:
            The names of the queues that it was routed to; none if an exchange delays it.

        Raises:
            LookupError: There is no such virtual host.
            TypeError: There is no such property, or both `body` and `json` are given.
            ValueError: The message reaches no queue, or the broker refuses it.
        """
        encoded, octets = encode_body(body, json, properties)
        return self._change(
            lambda: SetUpChannel(self._node, virtualhost).publish(
                exchange_name, routing_key, encoded, octets
            )
        )

    def put(
        self,
        queue_name: str,
        body: bytes | str | None = None,
        *,
        json: Any = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
        **properties: Any,
    ) -> None:
        """Put a message into a queue, by the default exchange.

        Example::

            broker.put("orders", json={"id": 7}, message_id="1")

        Args:
            queue_name: The name of the queue.
            body, json, virtualhost, properties: As for `publish`.

        Raises:
            LookupError: There is no such virtual host.
            TypeError: There is no such property, or both `body` and `json` are given.
            ValueError: There is no such queue, or the broker refuses the message.
        """
        self.publish("", queue_name, body, json=json, virtualhost=virtualhost, **properties)

    def purge_queue(self, queue_name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> int:
        """Drop the messages that are ready in a queue, and return how many there were.

        Args:
            queue_name: The name of the queue.
            virtualhost: The name of its virtual host.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: There is no such queue, or the broker refuses it.
        """
        answer = self._execute(virtualhost, QueuePurgeParameters(queue_name))
        count: int = answer.message_count
        return count

    def requeue(self, queue_name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST) -> int:
        """Requeue the messages of a queue that clients hold; the queue delivers them again.

        The clients do not notice, and the broker ignores their later acknowledgements. A client sees
        the same when RabbitMQ loses its connection while it handles messages.

        Args:
            queue_name: The name of the queue.
            virtualhost: The name of its virtual host.

        Returns:
            How many messages were requeued.

        Raises:
            LookupError: There is no such queue, or no such virtual host.
        """
        return self._change(lambda: self._requeue(queue_name, virtualhost))

    def _requeue(self, queue_name: str, virtualhost: str) -> int:
        host = self._node.virtualhost(virtualhost)
        queue = host.queues.get(queue_name)
        if queue is None:
            raise LookupError(
                f"no queue {queue_name!r} in virtual host {virtualhost!r}; {describe_queues(host)}"
            )
        return sum(channel.requeue_from(queue) for channel in self._channels())

    def _channels(self) -> list[Channel]:
        return [
            channel
            for connection in self._node.connections
            for channel in connection.all_channels()
            if isinstance(channel, Channel)
        ]

    # -- deleting ------------------------------------------------------------------------------

    def delete_queue(
        self,
        queue_name: str,
        *,
        if_unused: bool = False,
        if_empty: bool = False,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> int:
        """Delete a queue, and cancel its consumers. A queue that does not exist is no error.

        Args:
            queue_name: The name of the queue.
            if_unused: Whether to delete it only if it has no consumers.
            if_empty: Whether to delete it only if it has no messages that are ready.
            virtualhost: The name of its virtual host.

        Returns:
            How many messages were deleted.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        answer = self._execute(virtualhost, QueueDeleteParameters(queue_name, if_unused, if_empty))
        count: int = answer.message_count
        return count

    def delete_exchange(
        self, exchange_name: str, *, virtualhost: str = DEFAULT_VIRTUALHOST
    ) -> None:
        """Delete an exchange and its bindings. An exchange that does not exist is no error.

        Args:
            exchange_name: The name of the exchange.
            virtualhost: The name of its virtual host.

        Raises:
            LookupError: There is no such virtual host.
            ValueError: The broker refuses it; the text is RabbitMQ's.
        """
        self._execute(virtualhost, ExchangeDeleteParameters(exchange_name))

    def cancel_consumer(
        self,
        consumer_tag: str | None = None,
        *,
        queue_name: str | None = None,
        virtualhost: str = DEFAULT_VIRTUALHOST,
    ) -> tuple[str, ...]:
        """Cancel consumers, and send basic.cancel to their clients.

        RabbitMQ does this when a queue is deleted, or when its leader fails. The messages that a
        consumer holds stay unacknowledged.

        Example::

            broker.cancel_consumer(queue_name="orders")

        Args:
            consumer_tag: The tag of the consumer; None for all consumers of a queue.
            queue_name: The name of the queue; None for the consumers of this tag on any queue.
            virtualhost: The name of the virtual host.

        Returns:
            The tags of the consumers that were cancelled.

        Raises:
            LookupError: There is no such consumer, or no such virtual host.
            TypeError: Neither a tag nor a queue is given.
        """
        if consumer_tag is None and queue_name is None:
            raise TypeError("neither consumer_tag nor queue_name is given; expected one or both")
        return self._change(lambda: self._cancel(consumer_tag, queue_name, virtualhost))

    def _cancel(
        self, consumer_tag: str | None, queue_name: str | None, virtualhost: str
    ) -> tuple[str, ...]:
        host = self._node.virtualhost(virtualhost)
        consumers = [each for queue in host.queues.values() for each in queue.consumers]
        found = [
            consumer
            for consumer in consumers
            if consumer_tag in (None, consumer.tag) and queue_name in (None, consumer.queue.name)
        ]
        if not found:
            raise LookupError(_describe_consumers(consumer_tag, queue_name, consumers))
        for consumer in found:
            consumer.channel.notify_cancelled(consumer)
            consumer.queue.remove_consumer(consumer)
        return tuple(consumer.tag for consumer in found)


def _describe_consumers(
    consumer_tag: str | None, queue_name: str | None, consumers: list[Consumer]
) -> str:
    wanted = "" if consumer_tag is None else f" {consumer_tag!r}"
    where = "" if queue_name is None else f" of queue {queue_name!r}"
    known = ", ".join(f"{each.tag!r} of {each.queue.name!r}" for each in consumers)
    others = f"its consumers are {known}" if known else "no queue has a consumer"
    return f"the broker has no consumer{wanted}{where}; {others}"
