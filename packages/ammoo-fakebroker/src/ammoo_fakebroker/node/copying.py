"""Copies of a node: snapshots of what a broker stores, and their restoration.

A snapshot is another node, on a clock that stands still. `copy_into` fills it from a broker's node, and
fills a broker's node from it. A snapshot has no clients: messages that clients hold return to their
queues, as at the end of a connection, and exclusive queues are left out.
"""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from typing import TYPE_CHECKING

from ..clocks.clock import Timeline
from ..messages.copying import Copying
from .node import Node

if TYPE_CHECKING:
    from ..history.ports import EventRecorder
    from ..queues.delivery import Unacked
    from ..queues.queue import Queue
    from .virtual_host import VirtualHost

__all__ = ["copy_into", "frozen_copy"]


def frozen_copy(node: Node) -> Node:
    """Return a node that stores what another node stores, on a clock that stands still."""
    timestamp = node.clock.timestamp() - node.clock.time()
    copy = Node(node.profile, Timeline(node.clock.time(), timestamp), plugins=node.plugins)
    copy_into(copy, node)
    return copy


def copy_into(target: Node, source: Node) -> None:
    """Make a node store what another one of the same release stores, and nothing else.

    Args:
        target: The node to change; it has no clients.
        source: The node to copy; it stays as it is.
    """
    history = target.history
    copying = Copying(source.clock, target.clock, None if history is None else history.number)
    target.users.copy_from(source.users)
    target.global_parameters = deepcopy(source.global_parameters)
    for name in [name for name in target.virtualhosts if name not in source.virtualhosts]:
        target.virtualhosts[name].forget_everything()
        target.delete_virtualhost(name)
    for name, virtualhost in source.virtualhosts.items():
        copy = target.add_virtualhost(name)
        _copy_definitions(copy, virtualhost)
        _copy_messages(copy, virtualhost, copying)
        for unacked in _held_by_clients(source, virtualhost):
            _take_back(copy, unacked, copying)


# -- definitions -----------------------------------------------------------------------------------


def _copy_definitions(target: VirtualHost, source: VirtualHost) -> None:
    """Declare the exchanges, queues and bindings of another virtual host, in the same order."""
    target.forget_everything()
    target.description, target.tags = source.description, source.tags
    target.is_protected = source.is_protected
    target.limits, target.default_queue_type = source.limits, source.default_queue_type
    target.change_policies(lambda policies: policies.copy_from(source.policies))
    for name, exchange in source.exchanges.items():
        if name not in target.exchanges:
            target.create_exchange(
                name,
                exchange.type,
                durable=exchange.durable,
                auto_delete=exchange.auto_delete,
                internal=exchange.internal,
                arguments=deepcopy(exchange.arguments),
            )
    for queue in _shared_queues(source):
        target.create_queue(
            queue.name,
            durable=queue.durable,
            auto_delete=queue.auto_delete,
            arguments=deepcopy(queue.arguments),
        )
    _copy_bindings(target, source)


def _shared_queues(virtualhost: VirtualHost) -> list[Queue]:
    """Return the queues that are not exclusive."""
    return [queue for queue in virtualhost.queues.values() if queue.owner is None]


def _copy_bindings(target: VirtualHost, source: VirtualHost) -> None:
    for name, exchange in source.exchanges.items():
        for binding in exchange.bindings.values():
            bound = binding.destination
            places = target.queues if bound.queue_type else target.exchanges
            if bound.name in places:
                arguments = deepcopy(binding.arguments)
                target.bind(
                    target.exchanges[name], places[bound.name], binding.routing_key, arguments
                )


# -- messages --------------------------------------------------------------------------------------


def _copy_messages(target: VirtualHost, source: VirtualHost, copying: Copying) -> None:
    for name, exchange in source.exchanges.items():
        target.exchanges[name].copy_messages(exchange, copying)
    for queue in _shared_queues(source):
        target.queues[queue.name].copy_messages(queue, copying)
    if target.recorder is not None:
        _record_copies(target, target.recorder)


def _record_copies(virtualhost: VirtualHost, recorder: EventRecorder) -> None:
    """Record the messages that wait in exchanges and queues: their lives begin here."""
    for exchange in virtualhost.exchanges.values():
        for message in exchange.delayed_messages():
            recorder.record(
                "restored",
                message=message,
                exchange_name=exchange.name,
                virtualhost=virtualhost.name,
            )
    for queue in virtualhost.queues.values():
        for message in queue.all_messages():
            queue.record("restored", message)


def _held_by_clients(node: Node, virtualhost: VirtualHost) -> Iterator[dict[int, Unacked]]:
    """Yield the unsettled deliveries of each channel, by delivery tag."""
    for connection in node.connections:
        for channel in connection.all_channels():
            yield {
                tag: unacked
                for tag, unacked in channel.all_unacked().items()
                if virtualhost.queues.get(unacked.queue.name) is unacked.queue
                and unacked.queue.owner is None
                and unacked.queue.is_held(unacked.queued)
            }


def _take_back(target: VirtualHost, unacked: dict[int, Unacked], copying: Copying) -> None:
    """Return the deliveries of a channel to their queues, as at the end of the channel."""
    with target.dead_letters.deferred():
        for name in dict.fromkeys(delivery.queue.name for delivery in unacked.values()):
            queue = target.queues[name]
            copies = {
                tag: delivery._replace(queue=queue, queued=copying.queued(delivery.queued))
                for tag, delivery in unacked.items()
                if delivery.queue.name == name
            }
            queue.detach_channel((), copies)
