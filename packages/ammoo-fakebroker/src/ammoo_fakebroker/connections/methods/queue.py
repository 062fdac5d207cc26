"""Class queue: declaring, binding, purging and deleting queues."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueueDeleteOkParameters,
    QueueDeleteParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    QueueUnbindOkParameters,
    QueueUnbindParameters,
)

from ...auth.users import is_reached
from ...node.virtual_host import generate_name
from ...queues.types import QUEUE_TYPES
from ...rabbitmq import errors
from ...rabbitmq.arguments import (
    CLASSIC,
    assert_field_equivalent,
    assert_queue_arguments_equivalent,
    queue_type_of,
    validate_exchange_name,
    validate_queue_arguments,
    validate_queue_properties,
    validate_stream_sizes,
)
from ...rabbitmq.errors import queue_in
from ..permissions import check_exchange, check_queue, check_queue_is_known, check_topic
from .direct_reply_to import (
    PSEUDO_QUEUE,
    check_not_volatile,
    declare_pseudo_queue,
    is_volatile_queue,
)
from .lookup import (
    accessible_queue,
    check_exclusive_access,
    check_not_default_exchange,
    existing_exchange,
    existing_queue,
    named_queue,
    strip_line_breaks,
)

if TYPE_CHECKING:
    from ...queues.delivery import Unacked
    from ...queues.queue import Queue
    from ..channel import Channel

__all__ = ["HANDLERS"]


# -- declaring ---------------------------------------------------------------------------------


def declare(channel: Channel, parameters: QueueDeclareParameters) -> None:
    """Create a queue, or check that it exists with these properties (section 1.7.2.1).

    The answer counts ready messages and consumers.
    """
    name = strip_line_breaks(parameters.queue_name)
    if name.startswith(PSEUDO_QUEUE):
        name, message_count, consumer_count = declare_pseudo_queue(channel, name), 0, 1
    else:
        queue = _find(channel, name) if parameters.passive else _declare(channel, name, parameters)
        queue.restart_idle_timer()
        name, message_count = queue.name, queue.message_count
        consumer_count = queue.count_consumers(_all_unacked(channel))
    channel.last_queue_name = name
    if not parameters.no_wait:
        channel.send(QueueDeclareOkParameters(name, message_count, consumer_count))


def _all_unacked(channel: Channel) -> Iterator[Unacked]:
    """Yield all unacknowledged deliveries of the node."""
    for connection in channel.connection.node.connections:
        for other in connection.channels.values():
            yield from other.all_unacked().values()


def _find(channel: Channel, name: str) -> Queue:
    """Find a queue; some releases require a permission on it, whichever."""
    check_queue_is_known(channel, name)
    return accessible_queue(channel, name)


def _declare(channel: Channel, name: str, parameters: QueueDeclareParameters) -> Queue:
    virtualhost = channel.virtualhost
    arguments = _with_queue_type(channel, parameters)
    if not name:
        name = _generated_name(arguments)
    elif name.startswith("amq."):
        raise errors.reserved_name("queue", name)
    check_queue(channel, "configure", name)
    queue = virtualhost.queues.get(name)
    if queue is not None:
        _assert_equivalent(channel, queue, parameters, arguments)
        channel.record("queue_declared", queue_name=name, queue_type=queue.queue_type, existed=True)
        return queue
    _validate_new(channel, name, parameters, arguments)
    return virtualhost.create_queue(
        name,
        durable=_is_durable(parameters),
        owner=channel.connection if parameters.exclusive else None,
        auto_delete=parameters.auto_delete,
        arguments=arguments,
    )


def _generated_name(arguments: Mapping[str, Any]) -> str:
    """Generate a queue name, if the type of queue supports that.

    RabbitMQ does this before it checks arguments, and up to 4.0 crashes on an unknown queue type.
    """
    queue_type = arguments.get("x-queue-type")
    if isinstance(queue_type, str) and queue_type:
        known = QUEUE_TYPES.get(queue_type)
        if known is None:
            raise errors.unknown_queue_type(queue_type)
        if not known.supports_server_named:
            raise errors.server_named_not_for_type(queue_type)
    return generate_name("amq.gen-")


def _is_durable(parameters: QueueDeclareParameters) -> bool:
    """Return whether the queue is durable; to RabbitMQ, an exclusive queue never is."""
    return parameters.durable and not parameters.exclusive


def _with_queue_type(channel: Channel, parameters: QueueDeclareParameters) -> Mapping[str, Any]:
    """Return a declaration's arguments; RabbitMQ adds the queue type and sorts them.

    A queue that cannot be of the virtual host's default type is a classic one.
    """
    arguments = parameters.arguments
    if "x-queue-type" in arguments:
        return arguments
    queue_type = channel.virtualhost.default_queue_type
    if queue_type is not None and QUEUE_TYPES[queue_type].is_replicated:
        queue_type = queue_type if _is_replicable(parameters) else None
    if queue_type is None and channel.virtualhost.profile.queue_type_is_always_an_argument:
        queue_type = CLASSIC
    if queue_type is None:
        return arguments
    return dict(sorted({**arguments, "x-queue-type": queue_type}.items()))


def _is_replicable(parameters: QueueDeclareParameters) -> bool:
    """Return whether the queue could be a quorum queue or a stream."""
    return parameters.durable and not parameters.exclusive and not parameters.auto_delete


def _check_queue_limit(channel: Channel, name: str) -> None:
    virtualhost = channel.virtualhost
    limit = virtualhost.limits.max_queues
    if limit is not None and is_reached(limit, len(virtualhost.queues)):
        raise errors.too_many_queues(virtualhost.name, name, limit)


def _validate_new(
    channel: Channel, name: str, parameters: QueueDeclareParameters, arguments: Mapping[str, Any]
) -> None:
    """Check a declaration that creates a queue."""
    virtualhost = channel.virtualhost
    resource = queue_in(virtualhost.name, name)
    if virtualhost.profile.checks_queue_limit_first:
        _check_queue_limit(channel, name)
    validate_exchange_name(arguments, "x-dead-letter-exchange", resource)
    if "x-dead-letter-exchange" in arguments:
        check_queue(channel, "read", name)
        check_exchange(channel, "write", arguments["x-dead-letter-exchange"])
    validate_queue_arguments(arguments, resource, virtualhost.profile)
    _check_queue_limit(channel, name)
    queue_type = queue_type_of(arguments)
    validate_queue_properties(
        queue_type,
        resource,
        durable=_is_durable(parameters),
        exclusive=parameters.exclusive,
        auto_delete=parameters.auto_delete,
    )
    validate_stream_sizes(queue_type, arguments, virtualhost.profile)
    if "x-queue-master-locator" in arguments and virtualhost.profile.refuses_master_locators:
        raise errors.deprecated_master_locator()


def _assert_equivalent(
    channel: Channel,
    queue: Queue,
    parameters: QueueDeclareParameters,
    arguments: Mapping[str, Any],
) -> None:
    """Check that a queue has the declared properties; exclusive access is checked first."""
    owner = channel.connection if parameters.exclusive else None
    if queue.owner is not owner:
        raise errors.queue_locked(channel.virtualhost.name, queue.name)
    resource = queue_in(channel.virtualhost.name, queue.name)
    assert_field_equivalent("durable", resource, _is_durable(parameters), queue.durable)
    assert_field_equivalent("auto_delete", resource, parameters.auto_delete, queue.auto_delete)
    assert_queue_arguments_equivalent(
        arguments, queue.arguments, resource, channel.virtualhost.profile
    )


# -- binding -----------------------------------------------------------------------------------


def bind(channel: Channel, parameters: QueueBindParameters) -> None:
    """Bind a queue to an exchange (section 1.7.2.3)."""
    queue_name, exchange_name, routing_key = _checked_names(channel, parameters)
    exchange = existing_exchange(channel, exchange_name)
    queue = existing_queue(channel, queue_name)
    exchange.validate_binding(queue, routing_key, parameters.arguments)
    check_exclusive_access(channel, queue)
    channel.virtualhost.bind(exchange, queue, routing_key, parameters.arguments)
    if not parameters.no_wait:
        channel.send(QueueBindOkParameters())


def unbind(channel: Channel, parameters: QueueUnbindParameters) -> None:
    """Remove a binding (section 1.7.2.5); removing one that does not exist is no error."""
    queue_name, exchange_name, routing_key = _checked_names(channel, parameters)
    virtualhost = channel.virtualhost
    queue = virtualhost.queues.get(queue_name)
    exchange = virtualhost.exchanges.get(exchange_name)
    if queue is not None and exchange is not None:
        if virtualhost.has_binding(exchange, queue, routing_key, parameters.arguments):
            check_exclusive_access(channel, queue)
        virtualhost.unbind(exchange, queue, routing_key, parameters.arguments)
    channel.send(QueueUnbindOkParameters())


def _checked_names(
    channel: Channel, parameters: QueueBindParameters | QueueUnbindParameters
) -> tuple[str, str, str]:
    """Return queue, exchange and routing key, after checking the user's permissions.

    If queue name and routing key are empty, both become the name of the queue declared last.
    """
    queue_name = strip_line_breaks(named_queue(channel, parameters.queue_name))
    routing_key = parameters.routing_key
    if not parameters.queue_name and not routing_key:
        routing_key = queue_name
    exchange_name = strip_line_breaks(parameters.exchange_name)
    check_not_volatile(channel, queue_name)
    check_queue(channel, "write", queue_name)
    check_not_default_exchange(exchange_name)
    check_exchange(channel, "read", exchange_name)
    check_topic(channel, "read", exchange_name, routing_key)
    return queue_name, exchange_name, routing_key


# -- emptying and deleting ---------------------------------------------------------------------


def purge(channel: Channel, parameters: QueuePurgeParameters) -> None:
    """Drop the ready messages of a queue (section 1.7.2.7)."""
    name = named_queue(channel, parameters.queue_name)
    check_queue(channel, "read", name)
    count = 0 if is_volatile_queue(channel, name) else accessible_queue(channel, name).purge()
    channel.record("purged", queue_name=name, message_count=count)
    if not parameters.no_wait:
        channel.send(QueuePurgeOkParameters(count))


def delete(channel: Channel, parameters: QueueDeleteParameters) -> None:
    """Delete a queue (section 1.7.2.9); deleting one that does not exist is no error.

    Its consumers are notified after the answer.
    """
    virtualhost = channel.virtualhost
    name = strip_line_breaks(named_queue(channel, parameters.queue_name))
    check_queue(channel, "configure", name)
    queue = virtualhost.queues.get(name)
    if queue is None:
        if not parameters.no_wait:
            channel.send(QueueDeleteOkParameters(0))
        return
    check_exclusive_access(channel, queue)
    count = queue.check_deletion(if_unused=parameters.if_unused, if_empty=parameters.if_empty)
    consumers = virtualhost.remove_queue(queue)
    if not parameters.no_wait:
        channel.send(QueueDeleteOkParameters(count))
    for consumer in consumers:
        consumer.channel.notify_cancelled(consumer)


HANDLERS: dict[type, Callable[..., Any]] = {
    QueueDeclareParameters: declare,
    QueueBindParameters: bind,
    QueueUnbindParameters: unbind,
    QueuePurgeParameters: purge,
    QueueDeleteParameters: delete,
}
