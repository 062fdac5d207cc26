"""Queues: listing, declaring, deleting and purging them, and getting messages from them."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    ProtocolError,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    ReplyCode,
)

from ...rabbitmq import errors
from ...rabbitmq.arguments import STREAM
from ..call import Call, Role, boolean, changed, done, integer, json_response
from ..json_bodies import read_table
from ..lists import list_response, with_columns
from ..refusals import Refusal, bad_request, not_authorised, not_found, refusal_of_channel
from ..releases import SINCE_4_0
from ..route import Route, Routes
from ..statistics.counts import QUEUE_GROUPS
from .consumers import consumer_item
from .message_properties import to_json
from .queue_figures import Held, consumer_figures, held_by_clients, message_figures
from .totals import idle_since, message_stats, queue_totals

if TYPE_CHECKING:
    from ...connections.direct_channel import DirectChannel, GotMessage
    from ...node.node import Node
    from ...node.policies import Policies, Policy
    from ...node.virtual_host import VirtualHost
    from ...queues.queue import Queue
    from ..http import Response

__all__ = ["ROUTES"]

_LONGEST_NAME = 255
_ACK_MODES = (
    "ack_requeue_true",
    "ack_requeue_false",
    "reject_requeue_true",
    "reject_requeue_false",
)


# -- looking -----------------------------------------------------------------------------------


def list_queues(call: Call) -> Response:
    """List the queues of one virtual host, or of all."""
    held = held_by_clients(call.node)
    items = [
        queue_item(call, virtualhost, queue, held)
        for virtualhost in call.own_virtualhosts()
        for queue in virtualhost.queues.values()
    ]
    return list_response(items, call.request.query)


def show_queue(call: Call) -> Response:
    """Show a queue with its consumers."""
    virtualhost = call.virtualhost()
    queue = _queue(call, virtualhost)
    item = queue_item(call, virtualhost, queue, held_by_clients(call.node))
    item["consumer_details"] = [consumer_item(call.node, each) for each in queue.consumers]
    item |= {"deliveries": [], "incoming": []}
    return json_response(with_columns([item], call.request.query)[0])


def _queue(call: Call, virtualhost: VirtualHost) -> Queue:
    queue = virtualhost.queues.get(call.names["queue"])
    if queue is None:
        raise not_found()
    return queue


def queue_item(call: Call, virtualhost: VirtualHost, queue: Queue, held: Held) -> dict[str, Any]:
    """Return the API's object for a queue.

    Args:
        call: The request.
        virtualhost: The virtual host of the queue.
        queue: The queue.
        held: The messages that clients have, by queue.
    """
    return {
        "arguments": queue.arguments,
        "auto_delete": queue.auto_delete,
        "durable": queue.durable,
        "exclusive": queue.owner is not None,
        "memory": queue.memory_size(),
        "name": queue.name,
        "node": call.node.cluster_name,
        "state": "running",
        "type": queue.queue_type,
        "vhost": virtualhost.name,
        "consumers": len(queue.consumers),
        **queue_totals([queue], call.rates),
        **_activity(call, virtualhost, queue),
        **message_figures(queue, held.get(queue, ()), call.release),
        **consumer_figures(queue),
        **_policies(virtualhost.policies, queue),
        **_replicas(call, queue),
        **_owner(queue),
    }


def _activity(call: Call, virtualhost: VirtualHost, queue: Queue) -> dict[str, Any]:
    """Return what was counted of a queue; only classic queues know since when they are idle."""
    counts = call.statistics.of_virtualhost(virtualhost.name).queues.get(queue.name)
    if counts is None:
        return {}
    stats = message_stats(counts, QUEUE_GROUPS, call.rates)
    return stats | ({} if queue.is_replicated else idle_since(counts))


def _policies(policies: Policies, queue: Queue) -> dict[str, Any]:
    applied = policies.of_queue(queue.name, queue.queue_type)
    return {
        "effective_policy_definition": policies.effective_definition(queue.name, queue.queue_type),
        "operator_policy": _policy_name(policies, applied.operator_policy, by_operator=True),
        "policy": _policy_name(policies, applied.policy, by_operator=False),
    }


def _policy_name(policies: Policies, policy: Policy | None, *, by_operator: bool) -> str | None:
    named = policies.by_name(by_operator=by_operator).items()
    return next((name for name, each in named if each is policy), None)


def _replicas(call: Call, queue: Queue) -> dict[str, Any]:
    if not queue.is_replicated:
        return {"exclusive_consumer_tag": _exclusive_consumer_tag(queue)}
    name = call.node.cluster_name
    replicas = {"leader": name, "members": [name], "online": [name]}
    if queue.queue_type == STREAM or not call.release.shows_delivery_limits:
        return replicas
    limit = queue.settings.delivery_limit
    return {**replicas, "delivery_limit": "unlimited" if limit is None else limit}


def _exclusive_consumer_tag(queue: Queue) -> str | None:
    return next((consumer.tag for consumer in queue.consumers if consumer.exclusive), None)


def _owner(queue: Queue) -> dict[str, Any]:
    peer = getattr(queue.owner, "peer", None)
    if peer is None:
        return {}
    return {
        "owner_pid_details": {
            "name": peer.connection_name,
            "peer_host": peer.host,
            "peer_port": peer.port,
        }
    }


# -- changing ----------------------------------------------------------------------------------


def declare_queue(call: Call) -> Response:
    """Declare a queue."""
    virtualhost = call.virtualhost()
    body = call.body()
    name = call.names["queue"]
    _check_name(name)
    _check_node(call.node, body)
    is_new = name not in virtualhost.queues
    declare = QueueDeclareParameters(
        name,
        durable=boolean(body, "durable"),
        auto_delete=boolean(body, "auto_delete"),
        arguments=read_table(body, "arguments"),
    )
    call.execute(virtualhost, declare)
    return changed(is_new=is_new)


def _check_name(name: str) -> None:
    size = len(name.encode())
    if size > _LONGEST_NAME:
        raise bad_request(f"queue should be less than {_LONGEST_NAME} bytes, actually was {size}\n")


def _check_node(node: Node, body: dict[str, Any]) -> None:
    wanted = body.get("node") or node.cluster_name
    if wanted != node.cluster_name:
        raise bad_request(f"Node {wanted} is not a cluster member")


def delete_queue(call: Call) -> Response:
    """Delete a queue."""
    virtualhost = call.virtualhost()
    delete = QueueDeleteParameters(
        _queue(call, virtualhost).name,
        if_unused=call.is_asked_for("if-unused"),
        if_empty=call.is_asked_for("if-empty"),
    )
    call.execute(virtualhost, delete)
    return done()


def purge_queue(call: Call) -> Response:
    """Drop the ready messages of a queue."""
    virtualhost = call.virtualhost()
    call.execute(virtualhost, QueuePurgeParameters(_queue(call, virtualhost).name))
    return done()


def act_on_queue(call: Call) -> Response:
    """Refuse an action on a queue: RabbitMQ has actions for mirrored queues only."""
    _queue(call, call.virtualhost())
    raise bad_request(["unknown", call.body("action")["action"]])


# -- getting messages --------------------------------------------------------------------------


def get_messages(call: Call) -> Response:
    """Get messages from a queue, and put them back or settle them as the body says."""
    virtualhost = call.virtualhost()
    body = call.body("ackmode", "count", "encoding")
    if call.names["queue"] not in virtualhost.queues:
        raise _no_queue(call, virtualhost)
    _check_get(body)
    with call.direct_channel(virtualhost) as channel:
        try:
            got = _get(channel, call.names["queue"], body)
        except ProtocolError as error:
            if error.reply_code == ReplyCode.ACCESS_REFUSED:
                raise not_authorised(error.reply_text) from None
            raise refusal_of_channel(error) from None
    return json_response([_message_item(each, body) for each in got])


def _no_queue(call: Call, virtualhost: VirtualHost) -> Refusal:
    if call.release.looks_for_targets:
        return Refusal(404, "not_found", "queue_not_found")
    error = errors.no_queue(virtualhost.name, call.names["queue"])
    return Refusal(404, "not_found", error.reply_text)


def _check_get(body: dict[str, Any]) -> None:
    if body["ackmode"] not in _ACK_MODES:
        known = ", ".join(_ACK_MODES)
        raise bad_request(f"Invalid ackmode value: {body['ackmode']}. Valid values are: {known}")
    if body["encoding"] not in ("auto", "base64"):
        raise bad_request("Unsupported encoding. Please use auto or base64.")
    integer(body["count"])
    if "truncate" in body:
        integer(body["truncate"])


def _get(channel: DirectChannel, queue_name: str, body: dict[str, Any]) -> list[GotMessage]:
    """Get messages one by one; keep those to requeue until all are got."""
    no_ack = body["ackmode"] == "ack_requeue_false"
    got: list[GotMessage] = []
    for _ in range(integer(body["count"])):
        message = channel.get(queue_name, no_ack=no_ack)
        if message is None:
            break
        got.append(message)
    if body["ackmode"].startswith("reject"):
        for message in got:
            requeue = body["ackmode"] == "reject_requeue_true"
            channel.reject(message.parameters.delivery_tag, requeue=requeue)
    return got  # closing the channel requeues the others


def _message_item(message: GotMessage, body: dict[str, Any]) -> dict[str, Any]:
    parameters = message.parameters
    payload, encoding = _encoded(bytes(message.body), body)
    return {
        "payload_bytes": len(message.body),
        "redelivered": parameters.redelivered,
        "exchange": parameters.exchange_name,
        "routing_key": parameters.routing_key,
        "message_count": parameters.message_count,
        "properties": to_json(message.properties),
        "payload": payload,
        "payload_encoding": encoding,
    }


def _encoded(octets: bytes, body: dict[str, Any]) -> tuple[str, str]:
    if "truncate" in body:
        octets = octets[: integer(body["truncate"])]
    if body["encoding"] == "auto":
        try:
            return octets.decode(), "string"
        except UnicodeDecodeError:
            pass
    return b64encode(octets).decode(), "base64"


ROUTES: Routes = {
    "queues": Route({"GET": list_queues}),
    "queues/detailed": Route({"GET": list_queues}, releases=SINCE_4_0),
    "queues/:vhost": Route({"GET": list_queues}),
    "queues/:vhost/:queue": Route(
        {"GET": show_queue, "PUT": declare_queue, "DELETE": delete_queue}
    ),
    "queues/:vhost/:queue/contents": Route({"DELETE": purge_queue}),
    "queues/:vhost/:queue/get": Route({"POST": get_messages}),
    "queues/:vhost/:queue/actions": Route({"POST": act_on_queue}, Role.ADMINISTRATOR),
}
