"""A virtual host: its exchanges, queues and bindings.

It keeps the three consistent: deleting a queue deletes its bindings, and deleting the last binding of
an auto-delete exchange deletes the exchange. `routing.py` finds the queues that a message reaches. A
virtual host knows no permissions, no replies and no error texts.
"""

from __future__ import annotations

import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from ..clocks.clock import Clock
from ..exchanges.delays import NotedDelays
from ..exchanges.direct import DirectExchange
from ..exchanges.exchange import Binding, Destination, Exchange
from ..exchanges.types import available_types, create_exchange
from ..history.delays import record_delays
from ..messages.message import Message
from ..messages.properties import PropertyReader
from ..queues.dead_lettering import DeadLetters
from ..queues.queue import Queue
from ..queues.types import queue_class
from ..rabbitmq.arguments import (
    STREAM,
    QueueSettings,
    queue_settings,
    queue_type_of,
)
from ..rabbitmq.profiles import Profile
from .policies import AppliedPolicies, Policies
from .routing import Routing

if TYPE_CHECKING:
    from ..history.ports import EventRecorder
    from ..queues.consumers import Consumer

__all__ = ["VirtualHost", "VirtualHostLimits", "generate_name"]

_PREDECLARED = {
    "amq.direct": "direct",
    "amq.fanout": "fanout",
    "amq.topic": "topic",
    "amq.headers": "headers",
    "amq.match": "headers",
}


def generate_name(prefix: str) -> str:
    """Generate a unique name as RabbitMQ does: the prefix and 22 characters of base64."""
    return prefix + urlsafe_b64encode(secrets.token_bytes(16))[:22].decode()


class VirtualHostLimits(NamedTuple):
    """The limits of a virtual host; None and negative numbers mean no limit.

    See https://www.rabbitmq.com/docs/vhosts#limits
    """

    max_connections: int | None = None
    max_queues: int | None = None


class VirtualHost:
    """One virtual host.

    Attributes:
        name: Its name.
        profile, clock: The broker's.
        exchanges, queues: By name. The default exchange has the empty name and no bindings: it
            routes to the queues by their names.
        routing: Finds the queues that a message reaches.
        exchange_types: The names of the types that exchanges can have.
        dead_letters: Publishes messages that died in a queue.
        properties: Parses the properties of published messages.
        default_queue_type: The type of queues that are declared without a type; None for classic.
        description, tags: What operators have written about it; they have no effect.
        is_protected: Whether operators may not delete it.
        limits: The limits of connections and queues.
        policies: The policies of queues and exchanges; `change_policies` changes them.
        recorder: What records events: the history, statistics or both; None for neither.
    """

    def __init__(
        self,
        name: str,
        profile: Profile,
        clock: Clock,
        *,
        default_queue_type: str | None = None,
        consumer_timeout: Callable[[], int | None] = lambda: None,
        recorder: EventRecorder | None = None,
        plugins: Collection[str] = (),
    ) -> None:
        self.name = name
        self.profile = profile
        self.clock = clock
        self.exchanges: dict[str, Exchange] = {"": DirectExchange("", durable=True)}
        self.exchange_types: frozenset[str] = available_types(profile, plugins)
        self.queues: dict[str, Queue] = {}
        self.routing: Routing = Routing(self.exchanges, self.queues)
        self.dead_letters: DeadLetters = DeadLetters(self)
        self.delays: NotedDelays = NotedDelays(are_recorded=recorder is not None)
        self.properties: PropertyReader = PropertyReader(profile)
        self.default_queue_type = default_queue_type
        self.description = ""
        self.tags: tuple[str, ...] = ()
        self.is_protected: bool = False
        self._consumer_timeout = consumer_timeout
        self.limits: VirtualHostLimits = VirtualHostLimits()
        self.policies: Policies = Policies(profile)
        self._exclusive_queues: dict[object, dict[Queue, None]] = {}
        self.recorder: EventRecorder | None = recorder
        for exchange_name, exchange_type in _PREDECLARED.items():
            self.create_exchange(exchange_name, exchange_type, durable=True)
        self.create_exchange("amq.rabbitmq.trace", "topic", durable=True, internal=True)

    def __repr__(self) -> str:
        return f"<VirtualHost {self.name!r}>"

    @property
    def consumer_timeout(self) -> int | None:
        """How long a delivery may stay unsettled, in milliseconds; None for any time."""
        return self._consumer_timeout()

    def _record(self, kind: str, **details: Any) -> None:
        """Record a change in the history, made by the client whose command is being executed."""
        if self.recorder is not None:
            self.recorder.record_change(kind, virtualhost=self.name, **details)

    # -- exchanges -----------------------------------------------------------------------------

    def create_exchange(
        self,
        name: str,
        exchange_type: str,
        *,
        durable: bool = False,
        auto_delete: bool = False,
        internal: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Exchange:
        """Create an exchange; the name must be unused and the type known."""
        exchange = create_exchange(
            exchange_type,
            name,
            self.profile,
            durable=durable,
            auto_delete=auto_delete,
            internal=internal,
            arguments=arguments,
        )
        exchange.alternate_exchange = self.policies.alternate_exchange(name, exchange.arguments)
        exchange.attach(self)
        self.exchanges[name] = exchange
        self.routing.forget()
        if not name.startswith("amq."):  # those are part of each virtual host
            self._record("exchange_declared", exchange_name=name, exchange_type=exchange_type)
        return exchange

    def delete_exchange(self, exchange: Exchange) -> None:
        """Delete an exchange and all bindings from it and to it."""
        if self.exchanges.pop(exchange.name, None) is None:
            return
        self._record("exchange_deleted", exchange_name=exchange.name)
        for binding in list(exchange.bindings.values()):
            self._drop(binding)
        self._delete_incoming(exchange)
        self.routing.forget()

    # -- queues --------------------------------------------------------------------------------

    def create_queue(
        self,
        name: str,
        *,
        durable: bool = False,
        owner: object | None = None,
        auto_delete: bool = False,
        arguments: Mapping[str, Any] | None = None,
    ) -> Queue:
        """Create a queue; the name must be unused and the arguments valid."""
        settings = self._settings_of(name, arguments or {})
        queue = queue_class(settings.queue_type, self.profile)(
            name,
            self,
            durable=durable,
            owner=owner,
            auto_delete=auto_delete,
            arguments=arguments,
            settings=settings,
        )
        self.queues[name] = queue
        self._record("queue_declared", queue_name=name, queue_type=queue.queue_type)
        if owner is not None:
            self._exclusive_queues.setdefault(owner, {})[queue] = None
        self.routing.forget()
        return queue

    def delete_queue(self, queue: Queue) -> list[Consumer]:
        """Delete a queue, its messages and its bindings, and notify its consumers.

        Returns:
            The consumers that it had.
        """
        consumers = self.remove_queue(queue)
        for consumer in consumers:
            consumer.channel.notify_cancelled(consumer)
        return consumers

    def delete_exclusive_queues(self, owner: object) -> None:
        """Delete the exclusive queues of a connection, because it is closed."""
        for queue in list(self._exclusive_queues.get(owner, ())):
            self.delete_queue(queue)
        self._exclusive_queues.pop(owner, None)

    def remove_queue(self, queue: Queue) -> list[Consumer]:
        """Delete a queue without notifying its consumers, and return them."""
        if self.queues.get(queue.name) is not queue:
            return []
        del self.queues[queue.name]
        self._record("queue_deleted", queue_name=queue.name, message_count=queue.message_count)
        consumers = list(queue.consumers)
        queue.close()
        for consumer in consumers:
            queue.consumers.remove(consumer)
        if queue.owner is not None:
            del self._exclusive_queues[queue.owner][queue]
        self._delete_incoming(queue)
        self.routing.forget()
        return consumers

    def _settings_of(self, name: str, arguments: Mapping[str, Any]) -> QueueSettings:
        """Return the settings of a queue: its arguments, merged with its policies."""
        effective = self.policies.queue_arguments(name, queue_type_of(arguments), arguments)
        return queue_settings(effective, self.profile)

    # -- policies ------------------------------------------------------------------------------

    def change_policies(self, change: Callable[[Policies], object]) -> None:
        """Change the policies, and apply them to all queues and exchanges at once.

        If another policy applies to a queue than before, the queue applies its settings again, even if
        they are the same.
        """
        before = {queue: self._applying_to(queue) for queue in self.queues.values()}
        change(self.policies)
        for name, exchange in self.exchanges.items():
            exchange.alternate_exchange = self.policies.alternate_exchange(name, exchange.arguments)
        self.routing.forget()
        with self.dead_letters.deferred():
            for queue, applied in before.items():
                if self._applying_to(queue) != applied:
                    queue.change_settings(self._settings_of(queue.name, queue.arguments))

    def _applying_to(self, queue: Queue) -> AppliedPolicies:
        return self.policies.of_queue(queue.name, queue.queue_type)

    # -- bindings ------------------------------------------------------------------------------

    def bind(
        self,
        source: Exchange,
        destination: Destination,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> None:
        """Bind a destination to a source; an existing binding stays as it is."""
        binding = Binding(source, destination, routing_key, arguments)
        if binding.key not in source.bindings:
            source.add_binding(binding)
            destination.incoming[binding] = None
            self.routing.forget()
            self._record("bound", **_names_of(binding))

    def unbind(
        self,
        source: Exchange,
        destination: Destination,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> None:
        """Remove the binding with exactly this routing key and these arguments, if there is one."""
        key = Binding(source, destination, routing_key, arguments).key
        binding = source.bindings.get(key)
        if binding is not None:
            self._delete_binding(binding)

    def has_binding(
        self,
        source: Exchange,
        destination: Destination,
        routing_key: str,
        arguments: Mapping[str, Any],
    ) -> bool:
        """Return whether there is a binding with exactly this routing key and these arguments."""
        return Binding(source, destination, routing_key, arguments).key in source.bindings

    def _delete_incoming(self, destination: Destination) -> None:
        for binding in list(destination.incoming):
            self._delete_binding(binding)

    def _delete_binding(self, binding: Binding) -> None:
        """Remove a binding; an auto-delete exchange is deleted with its last one."""
        self._drop(binding)
        self._record("unbound", **_names_of(binding))
        source = binding.source
        if source.auto_delete and not source.bindings:
            self.delete_exchange(source)

    def _drop(self, binding: Binding) -> None:
        binding.source.remove_binding(binding)
        binding.destination.incoming.pop(binding, None)
        self.routing.forget()

    def stop_timers(self) -> None:
        """Cancel the timers of all queues and exchanges: the broker stops."""
        for queue in self.queues.values():
            queue.stop_timers()
        for exchange in self.exchanges.values():
            exchange.stop_timers()

    # -- restarts ------------------------------------------------------------------------------

    def forget_transient(self) -> None:
        """Delete what does not survive a restart; no client is connected."""
        for queue in list(self.queues.values()):
            if queue.durable:
                queue.forget_transient()
            else:
                self._forget_queue(queue)
        if not self.profile.transient_exchanges_survive_restart:
            for exchange in list(self.exchanges.values()):
                if not exchange.durable:
                    self._forget_exchange(exchange)

    def forget_everything(self) -> None:
        """Delete all queues, and all exchanges that clients have declared."""
        for queue in list(self.queues.values()):
            self._forget_queue(queue)
        for exchange in list(self.exchanges.values()):
            if exchange.name and not exchange.name.startswith("amq."):
                exchange.stop_timers()  # else a new exchange of this name gets what it delays
                self._forget_exchange(exchange)
        for exchange in self.exchanges.values():
            for binding in list(exchange.bindings.values()):
                self._drop(binding)

    def _forget_queue(self, queue: Queue) -> None:
        if not self.profile.restart_runs_auto_delete:
            for binding in list(queue.incoming):
                self._drop(binding)
        self.remove_queue(queue)

    def _forget_exchange(self, exchange: Exchange) -> None:
        if not self.profile.restart_runs_auto_delete:
            for binding in list(exchange.incoming):
                self._drop(binding)
        self.delete_exchange(exchange)

    # -- routing -------------------------------------------------------------------------------

    def route(self, exchange: Exchange, message: Message) -> Collection[Queue]:
        """Find the queues that a message reaches from an exchange, each once."""
        return self.routing.route(exchange, message)

    def publish_delayed(self, exchange_name: str, message: Message) -> None:
        """Route a message that an exchange has delayed, and put it into the queues that it reaches."""
        exchange = self.exchanges.get(exchange_name)
        if exchange is None:
            self._record_delayed("dropped", exchange_name, message, reason="it was deleted")
            return
        queues = [
            queue
            for queue in self.route(exchange, message)
            if queue.queue_type != STREAM or self.profile.streams_get_delayed_messages
        ]
        if queues:
            names = tuple([queue.name for queue in queues])
            self._record_delayed("routed", exchange_name, message, queue_names=names)
        if not self._record_further_delays(message) and not queues:
            self._record_delayed("unroutable", exchange_name, message)
        with self.dead_letters.deferred():
            for queue in queues:
                queue.publish(message)

    def _record_delayed(
        self, kind: str, exchange_name: str, message: Message, **details: Any
    ) -> None:
        """Record what has become of a message that an exchange has delayed."""
        if self.recorder is not None:
            self.recorder.record(
                kind,
                message=message,
                exchange_name=exchange_name,
                virtualhost=self.name,
                **details,
            )

    def _record_further_delays(self, message: Message) -> bool:
        """Record the delays of a message by other exchanges; return whether there are any."""
        return self.recorder is not None and record_delays(
            self.recorder, self.delays.take(message), message, virtualhost=self.name
        )


def _names_of(binding: Binding) -> dict[str, str]:
    """Return the names in a binding, as the history records them."""
    destination = binding.destination
    return {
        "exchange_name": binding.source.name,
        "routing_key": binding.routing_key,
        "queue_name" if destination.queue_type else "destination": destination.name,
    }
