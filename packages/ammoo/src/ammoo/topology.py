"""The record of a connection's exchanges, queues, bindings and consumers, for recovery.

An entity is recorded when the server has confirmed it. The record belongs to the connection, not to
a channel, because one channel may delete an entity that another one has declared. If an entity is
deleted, the record forgets it, and all entities that the server deletes with it: the bindings of a
queue or exchange, an auto-delete queue with its last consumer, an auto-delete exchange with the
last binding from it.

`topology_records` has the records of the single entities. This module knows parameters of methods; it
sends nothing.
"""

from collections.abc import Hashable, Mapping
from typing import Any

from ammoo_wire import (
    BasicConsumeParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueUnbindParameters,
)

from .topology_records import (
    BindingRecord,
    ConsumerRecord,
    Entity,
    ExchangeRecord,
    Forgotten,
    Plan,
    QueueRecord,
)

__all__ = ["Topology"]

DEAD_LETTER_KEY = "x-dead-letter-routing-key"


class Topology:
    """The record of one connection."""

    def __init__(self) -> None:
        self._exchanges: dict[str, ExchangeRecord] = {}
        self._queues: dict[str, QueueRecord] = {}  # by their present names
        self._former: dict[str, QueueRecord] = {}  # by their former names
        self._bindings: dict[Any, BindingRecord] = {}
        self._consumers: dict[Any, ConsumerRecord] = {}
        self._deletions: dict[int, Forgotten] = {}  # those that the server has not answered

    # --- exchanges ---

    def exchange_declared(self, parameters: ExchangeDeclareParameters) -> None:
        """Record exchange.declare; ignore the server's own exchanges."""
        if parameters.passive or not parameters.exchange_name:
            return
        if parameters.exchange_name.startswith("amq."):
            return
        record = self._exchange(parameters.exchange_name)
        record.parameters = parameters._replace(arguments=dict(parameters.arguments))

    def forget_exchange(self, name: str) -> Forgotten:
        """Forget a deleted exchange, and all entities that the server deletes with it."""
        forgotten = Forgotten([], [], [], [])
        record = self._exchanges.get(name)
        if record is not None:
            self._forget_exchange(record, forgotten)
        return forgotten

    # --- queues ---

    def queue_declared(self, parameters: QueueDeclareParameters, name: str) -> QueueRecord | None:
        """Record queue.declare.

        Args:
            parameters: The parameters that were sent.
            name: The queue's name in the server's answer.

        Returns:
            The record; None if nothing is recorded.
        """
        if parameters.passive:
            return None
        record = self._queue(name)
        # If the program declares a server-named queue by its name, the server still names it at a
        # recovery: a name that begins with "amq." cannot be declared when the queue is gone.
        record.is_server_named = not parameters.queue_name or record.is_server_named
        record.parameters = parameters._replace(
            queue_name="" if record.is_server_named else name,
            arguments=dict(parameters.arguments),
        )
        return record

    def queue_renamed(self, record: QueueRecord, name: str) -> str:
        """Record the new name of a queue that the server names.

        Returns:
            The former name.
        """
        former = record.name
        if former != name:
            if self._queues.get(former) is record:
                del self._queues[former]
            self._former[former] = record
            record.former_names.append(former)
            record.name = name
            self._queues[name] = record
        return former

    def forget_queue(self, name: str) -> Forgotten:
        """Forget a deleted queue, with its bindings and consumers."""
        forgotten = Forgotten([], [], [], [])
        record = self._queues.get(self.current_name(name))
        if record is not None:
            self._forget_queue(record, forgotten)
        return forgotten

    def current_name(self, name: str) -> str:
        """Return the present name of a queue, whose former name the caller may use."""
        if name in self._queues:
            return name
        record = self._former.get(name)
        return name if record is None else record.name

    def is_recorded(self, queue_name: str) -> bool:
        """Return whether this connection has declared a queue."""
        record = self._queues.get(self.current_name(queue_name))
        return record is not None and record.is_declared

    def holds(self, entity: Entity) -> bool:
        """Return whether an entity is still recorded: it was not deleted, unbound or cancelled."""
        if isinstance(entity, ConsumerRecord):
            return self._consumers.get(entity.consumer) is entity
        if isinstance(entity, BindingRecord):
            return self._bindings.get(entity.key) is entity
        if isinstance(entity, QueueRecord):
            return entity.is_declared and self._queues.get(entity.name) is entity
        return entity.is_declared and self._exchanges.get(entity.name) is entity

    def is_being_deleted(self, entity: Entity) -> bool:
        """Return whether an entity is forgotten, but the server has not answered its deletion yet."""
        return any(entity in records for each in self._deletions.values() for records in each)

    # --- bindings ---

    def bound(self, parameters: QueueBindParameters | ExchangeBindParameters) -> None:
        """Record queue.bind or exchange.bind."""
        source_name, destination = self._ends(parameters)
        if not source_name:  # every queue is bound to the default exchange
            self._drop_if_unused(destination)
            return
        source = self._exchange(source_name)
        arguments = dict(parameters.arguments)
        key = self._binding_key(source, destination, parameters.routing_key, arguments)
        if key not in self._bindings:
            self._insert(BindingRecord(source, destination, parameters.routing_key, arguments, key))

    def forget_binding(
        self, parameters: QueueUnbindParameters | ExchangeUnbindParameters
    ) -> Forgotten:
        """Forget a binding that was removed; its arguments are part of its identity."""
        forgotten = Forgotten([], [], [], [])
        source_name, destination = self._ends(parameters)
        source = self._exchanges.get(source_name)
        if source is not None:
            key = self._binding_key(
                source, destination, parameters.routing_key, parameters.arguments
            )
            record = self._bindings.get(key)
            if record is not None:
                self._forget_binding(record, forgotten)
        self._drop_if_unused(destination)
        return forgotten

    # --- consumers ---

    def consumer_started(
        self,
        consumer: Any,
        channel: Any,
        request: BasicConsumeParameters,
        prefetch: tuple[int, int] = (0, 0),
    ) -> ConsumerRecord:
        """Record basic.consume; the request has the queue's name and no tag."""
        queue = self._queue(self.current_name(request.queue_name))
        record = ConsumerRecord(consumer, channel, queue, request, prefetch)
        self._consumers[consumer] = record
        queue.consumers[record] = None
        return record

    def forget_consumer(self, consumer: Any) -> Forgotten:
        """Forget a consumer that has ended, and an auto-delete queue with its last one."""
        forgotten = Forgotten([], [], [], [])
        record = self._consumers.get(consumer)
        if record is not None:
            record.has_ended = True
            self._forget_consumer(record, forgotten)
        return forgotten

    def drop_consumer(self, consumer: Any) -> None:
        """Forget a consumer that was not restored; its queue stays recorded."""
        record = self._consumers.pop(consumer, None)
        if record is not None:
            record.has_ended = True
            record.queue.consumers.pop(record, None)
            self._drop_if_unused(record.queue)

    def forget_channel(self, channel: Any) -> None:
        """Forget the consumers of a channel that is closed; its entities stay."""
        for record in self.consumers_on(channel):
            self.forget_consumer(record.consumer)

    def consumer_record(self, consumer: Any) -> ConsumerRecord | None:
        """Return the record of a consumer, if there is one."""
        return self._consumers.get(consumer)

    def consumers_on(self, channel: Any) -> list[ConsumerRecord]:
        """Return the consumers of a channel in the order in which they were started."""
        return [record for record in self._consumers.values() if record.channel is channel]

    def consumers_by_channel(self) -> dict[Any, list[ConsumerRecord]]:
        """Return all consumers, in the order in which they were started."""
        by_channel: dict[Any, list[ConsumerRecord]] = {}
        for record in self._consumers.values():
            by_channel.setdefault(record.channel, []).append(record)
        return by_channel

    # --- deletions ---

    def begin_deletion(self, forgotten: Forgotten) -> None:
        """Record that the server was asked to delete forgotten entities."""
        self._deletions[id(forgotten)] = forgotten

    def end_deletion(self, forgotten: Forgotten) -> None:
        """Record that the server has answered, or that no task waits for the answer."""
        del self._deletions[id(forgotten)]

    def put_back(self, forgotten: Forgotten) -> None:
        """Record forgotten entities again, because the server has refused to delete them."""
        for exchange in forgotten.exchanges:
            self._exchanges.setdefault(exchange.name, exchange)
        for queue in forgotten.queues:
            self._queues.setdefault(queue.name, queue)
            for name in queue.former_names:
                self._former.setdefault(name, queue)
        for binding in forgotten.bindings:
            self._put_binding_back(binding)
        for record in forgotten.consumers:
            if not record.has_ended:
                self._consumers.setdefault(record.consumer, record)
                record.queue.consumers[record] = None

    # --- for a recovery ---

    def plan(self) -> Plan:
        """Return the entities to declare again, in order."""
        declared = [record for record in self._queues.values() if record.is_declared]
        bindings = list(self._bindings.values())
        return Plan(
            [record for record in self._exchanges.values() if record.is_declared],
            [record for record in declared if record.is_server_named],
            [record for record in declared if not record.is_server_named],
            [b for b in bindings if isinstance(b.destination, ExchangeRecord)],
            [b for b in bindings if isinstance(b.destination, QueueRecord)],
        )

    def request_for(
        self, record: ExchangeRecord | QueueRecord | BindingRecord
    ) -> (
        ExchangeDeclareParameters
        | QueueDeclareParameters
        | QueueBindParameters
        | ExchangeBindParameters
    ):
        """Return the request that declares an entity again, with present names."""
        if isinstance(record, BindingRecord):
            return self._bind_request(record)
        parameters = record.parameters
        assert parameters is not None, record
        if isinstance(parameters, QueueDeclareParameters):
            key = parameters.arguments.get(DEAD_LETTER_KEY)
            if isinstance(key, str) and key in self._former:
                arguments = {**parameters.arguments, DEAD_LETTER_KEY: self.current_name(key)}
                return parameters._replace(arguments=arguments)
        return parameters

    def __len__(self) -> int:
        """Return how many entities are recorded."""
        return sum(1 for _ in self.plan().entities) + len(self._consumers)

    # --- implementation ---

    def _bind_request(self, record: BindingRecord) -> QueueBindParameters | ExchangeBindParameters:
        key = self.current_name(record.routing_key)
        bind = (
            QueueBindParameters
            if isinstance(record.destination, QueueRecord)
            else ExchangeBindParameters
        )
        return bind(record.destination.name, record.source.name, key, False, record.arguments)

    def _exchange(self, name: str) -> ExchangeRecord:
        record = self._exchanges.get(name)
        if record is None:
            record = self._exchanges[name] = ExchangeRecord(name)
        return record

    def _queue(self, name: str) -> QueueRecord:
        record = self._queues.get(name)
        if record is None:
            record = self._queues[name] = QueueRecord(name)
        return record

    def _ends(self, parameters: Any) -> tuple[str, QueueRecord | ExchangeRecord]:
        """Return the source's name and the destination of a binding or unbinding."""
        if isinstance(parameters, ExchangeBindParameters | ExchangeUnbindParameters):
            return parameters.source, self._exchange(parameters.destination)
        return parameters.exchange_name, self._queue(self.current_name(parameters.queue_name))

    def _binding_key(
        self,
        source: ExchangeRecord,
        destination: QueueRecord | ExchangeRecord,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> Hashable:
        # With the queue's first name, because the server may rename the queue.
        named = self._former.get(routing_key) or self._queues.get(routing_key)
        key = routing_key
        if named is not None and named.former_names:
            key = named.former_names[0]
        return (source, destination, key, _canonical(arguments))

    def _insert(self, record: BindingRecord) -> None:
        self._bindings[record.key] = record
        record.source.bindings_from[record] = None
        if isinstance(record.destination, QueueRecord):
            record.destination.bindings[record] = None
        else:
            record.destination.bindings_to[record] = None

    def _put_binding_back(self, record: BindingRecord) -> None:
        ends = (record.source, record.destination)
        known = (
            self._exchanges.setdefault(record.source.name, record.source),
            self._queues.setdefault(record.destination.name, record.destination)
            if isinstance(record.destination, QueueRecord)
            else self._exchanges.setdefault(record.destination.name, record.destination),
        )
        if known == ends:  # otherwise they were declared anew meanwhile
            self._insert(record)

    def _forget_exchange(self, record: ExchangeRecord, forgotten: Forgotten) -> None:
        if self._exchanges.get(record.name) is not record:
            return  # a cycle of auto-delete exchanges reaches it again
        del self._exchanges[record.name]
        forgotten.exchanges.append(record)
        for binding in [*record.bindings_from, *record.bindings_to]:
            self._forget_binding(binding, forgotten)

    def _forget_queue(self, record: QueueRecord, forgotten: Forgotten) -> None:
        if self._queues.get(record.name) is not record:
            return
        del self._queues[record.name]
        for name in record.former_names:
            self._former.pop(name, None)
        forgotten.queues.append(record)
        for binding in list(record.bindings):
            self._forget_binding(binding, forgotten)
        for consumer in list(record.consumers):
            self._forget_consumer(consumer, forgotten)

    def _forget_binding(self, record: BindingRecord, forgotten: Forgotten) -> None:
        if self._bindings.pop(record.key, None) is None:
            return  # a cascade reaches it from both of its ends
        forgotten.bindings.append(record)
        source, destination = record.source, record.destination
        source.bindings_from.pop(record, None)
        if isinstance(destination, QueueRecord):
            destination.bindings.pop(record, None)
        else:
            destination.bindings_to.pop(record, None)
        parameters = source.parameters
        if parameters is not None and parameters.auto_delete and not source.bindings_from:
            self._forget_exchange(source, forgotten)
        self._drop_if_unused(source)
        self._drop_if_unused(destination)

    def _forget_consumer(self, record: ConsumerRecord, forgotten: Forgotten) -> None:
        if self._consumers.get(record.consumer) is record:
            del self._consumers[record.consumer]
        forgotten.consumers.append(record)
        queue = record.queue
        queue.consumers.pop(record, None)
        parameters = queue.parameters
        if parameters is not None and parameters.auto_delete and not queue.consumers:
            self._forget_queue(queue, forgotten)
        self._drop_if_unused(queue)

    def _drop_if_unused(self, record: QueueRecord | ExchangeRecord) -> None:
        """Drop a record that no other refers to, and that this connection did not declare."""
        if record.is_used:
            return
        if isinstance(record, QueueRecord):
            if self._queues.get(record.name) is record:
                del self._queues[record.name]
        elif self._exchanges.get(record.name) is record:
            del self._exchanges[record.name]


def _canonical(value: Any) -> Hashable:
    """Return a hashable value that is equal for equal arguments in any order."""
    if isinstance(value, Mapping):
        return tuple(sorted((name, _canonical(each)) for name, each in value.items()))
    if isinstance(value, list | tuple):
        return ("list", *map(_canonical, value))
    return (type(value).__name__, repr(value))
