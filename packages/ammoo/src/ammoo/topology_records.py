"""The records of a connection's entities: exchanges, queues, bindings and consumers, for recovery.

Bindings and consumers refer to the record of their queue, and the name is read when a request is
sent. A queue that the server renames is therefore renamed in one place. `topology` keeps the records.
"""

from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

from ammoo_wire import (
    BasicConsumeParameters,
    ExchangeDeclareParameters,
    FieldTable,
    QueueDeclareParameters,
)

__all__ = [
    "BindingRecord",
    "ConsumerRecord",
    "Entity",
    "ExchangeRecord",
    "Forgotten",
    "Plan",
    "QueueRecord",
]


class ExchangeRecord:
    """An exchange that was declared, or only bound.

    Attributes:
        name: Its name.
        parameters: The parameters of exchange.declare; None if this connection did not declare it.
        bindings_from: The recorded bindings in which it is the source.
        bindings_to: The recorded bindings in which it is the destination.
    """

    __slots__ = ("bindings_from", "bindings_to", "name", "parameters")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.parameters: ExchangeDeclareParameters | None = None
        self.bindings_from: dict[BindingRecord, None] = {}
        self.bindings_to: dict[BindingRecord, None] = {}

    def __repr__(self) -> str:
        return f"<exchange {self.name!r}>"

    @property
    def is_declared(self) -> bool:
        """Whether this connection has declared it, so that recovery declares it again."""
        return self.parameters is not None

    @property
    def is_used(self) -> bool:
        """Whether another record refers to this one."""
        return self.is_declared or bool(self.bindings_from or self.bindings_to)


class QueueRecord:
    """A queue that was declared, or only bound or consumed from.

    Attributes:
        name: Its present name.
        parameters: The parameters of queue.declare; None if this connection did not declare it.
        is_server_named: Whether the server gives it a new name each time.
        former_names: Its former names.
        bindings: The recorded bindings of the queue.
        consumers: The recorded consumers of the queue.
    """

    __slots__ = ("bindings", "consumers", "former_names", "is_server_named", "name", "parameters")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self.parameters: QueueDeclareParameters | None = None
        self.is_server_named: bool = False
        self.former_names: list[str] = []
        self.bindings: dict[BindingRecord, None] = {}
        self.consumers: dict[ConsumerRecord, None] = {}

    def __repr__(self) -> str:
        return f"<queue {self.name!r}>"

    @property
    def is_declared(self) -> bool:
        """Whether this connection has declared it, so that recovery declares it again."""
        return self.parameters is not None

    @property
    def is_used(self) -> bool:
        """Whether another record refers to this one."""
        return self.is_declared or bool(self.bindings or self.consumers)


class BindingRecord:
    """A binding of a queue or an exchange to a source exchange.

    Attributes:
        source: The exchange that routes.
        destination: The queue or exchange that receives.
        routing_key: The routing key, as the caller gave it.
        arguments: The arguments.
        key: What distinguishes it from all other bindings.
    """

    __slots__ = ("arguments", "destination", "key", "routing_key", "source")

    def __init__(
        self,
        source: ExchangeRecord,
        destination: "QueueRecord | ExchangeRecord",
        routing_key: str,
        arguments: FieldTable,
        key: Hashable,
    ) -> None:
        self.key: Hashable = key
        self.source: ExchangeRecord = source
        self.destination: QueueRecord | ExchangeRecord = destination
        self.routing_key: str = routing_key
        self.arguments: FieldTable = arguments

    def __repr__(self) -> str:
        return (
            f"<binding of {self.destination!r} to {self.source!r}"
            f" with routing key {self.routing_key!r}>"
        )


class ConsumerRecord:
    """A consumer that was started.

    Attributes:
        consumer: The caller's consumer.
        channel: The caller's channel.
        queue: The queue that it consumes from.
        request: The parameters of basic.consume, without the queue's name and without a tag.
        prefetch: The prefetch limits (size and count) with which it was started.
        has_ended: Whether it has ended.
    """

    __slots__ = ("channel", "consumer", "has_ended", "prefetch", "queue", "request")

    def __init__(
        self,
        consumer: Any,
        channel: Any,
        queue: QueueRecord,
        request: BasicConsumeParameters,
        prefetch: tuple[int, int],
    ) -> None:
        self.consumer: Any = consumer
        self.channel: Any = channel
        self.queue: QueueRecord = queue
        self.request: BasicConsumeParameters = request
        self.prefetch: tuple[int, int] = prefetch
        self.has_ended: bool = False

    def __repr__(self) -> str:
        return f"<consumer of {self.queue!r}>"


Entity = ExchangeRecord | QueueRecord | BindingRecord | ConsumerRecord


class Forgotten(NamedTuple):
    """Records that were forgotten together, in the order in which they can be put back."""

    exchanges: list[ExchangeRecord]
    queues: list[QueueRecord]
    bindings: list[BindingRecord]
    consumers: list[ConsumerRecord]


class Plan(NamedTuple):
    """The entities to declare again, in stages; an entity needs only those of earlier stages."""

    exchanges: list[ExchangeRecord]
    server_named_queues: list[QueueRecord]
    queues: list[QueueRecord]
    exchange_bindings: list[BindingRecord]
    queue_bindings: list[BindingRecord]

    @property
    def entities(self) -> Iterator[Entity]:
        """All entities, in order."""
        for stage in self:
            yield from stage
