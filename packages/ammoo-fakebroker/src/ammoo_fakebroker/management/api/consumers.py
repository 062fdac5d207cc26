"""Consumers, as the API shows them: in a list of their own, and with their queue or channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ...connections.channel import Channel
from ...connections.connection import Connection
from ...queues.consumers import SingleActiveConsumer
from ..lists import list_response
from ..route import Route, Routes

if TYPE_CHECKING:
    from ...node.node import Node
    from ...queues.consumers import Consumer
    from ..call import Call
    from ..http import Response

__all__ = ["ROUTES", "channel_details", "consumer_item"]

_WAITING = "waiting"


def list_consumers(call: Call) -> Response:
    """List the consumers of one virtual host, or of all."""
    items = [
        consumer_item(call.node, consumer)
        for virtualhost in call.own_virtualhosts()
        for queue in virtualhost.queues.values()
        for consumer in queue.consumers
    ]
    return list_response(items, call.request.query)


def consumer_item(node: Node, consumer: Consumer) -> dict[str, Any]:
    """Return the API's object for a consumer."""
    timeout = consumer.queue.settings.consumer_timeout or consumer.queue.host.consumer_timeout
    shows_timeout = node.profile.api_shows_drains_and_timeouts and timeout is not None
    status = _activity_status(consumer)
    return {
        "arguments": consumer.arguments,
        "ack_required": not consumer.no_ack,
        "active": status != _WAITING,
        "activity_status": status,
        "channel_details": channel_details(node, consumer.channel),
        "consumer_tag": consumer.tag,
        **({"consumer_timeout": timeout} if shows_timeout else {}),
        "exclusive": consumer.exclusive,
        "prefetch_count": consumer.limiter.limit,
        "queue": {"name": consumer.queue.name, "vhost": consumer.queue.host.name},
    }


def _activity_status(consumer: Consumer) -> str:
    """Return whether a consumer gets messages, or waits for a single active one to end."""
    others = consumer.queue.consumers
    if not isinstance(others, SingleActiveConsumer):
        return "up"
    return "single_active" if others.active is consumer else _WAITING


def channel_details(node: Node, channel: object) -> dict[str, Any]:
    """Return the API's short object for a channel, which is part of other objects."""
    if not isinstance(channel, Channel) or not isinstance(channel.connection, Connection):
        return {}
    peer = channel.connection.peer
    return {
        "connection_name": peer.connection_name,
        "name": f"{peer.connection_name} ({channel.number})",
        "node": node.cluster_name,
        "number": channel.number,
        "peer_host": peer.host,
        "peer_port": peer.port,
        "user": channel.connection.user.name,
    }


ROUTES: Routes = {
    "consumers": Route({"GET": list_consumers}),
    "consumers/:vhost": Route({"GET": list_consumers}),
}
