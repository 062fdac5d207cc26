"""Connections and channels: listing them, and closing connections."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from ...connections.connection import Connection
from ...rabbitmq import errors
from ..call import Call, Role, done, json_response
from ..lists import list_response, with_columns
from ..rates import DATA_RATES
from ..refusals import Refusal, not_authorised, not_found
from ..route import Route, Routes
from ..statistics.counts import CHANNEL_GROUPS
from .consumers import consumer_item
from .totals import idle_since, message_stats

if TYPE_CHECKING:
    from ...connections.channel import Channel
    from ...node.node import Node
    from ..http import Response

__all__ = ["ROUTES", "open_connections", "open_in"]

_REASON = "Closed via management plugin"


def open_connections(call: Call) -> list[Connection]:
    """Return the open connections that the path selects and the user may see."""
    found = open_in(call.node)
    if not Role.MONITORING.includes(call.user):
        found = [each for each in found if each.user is call.user]
    if "vhost" in call.names:
        virtualhost = call.virtualhost()
        found = [each for each in found if each.virtualhost is virtualhost]
    if "user" in call.names:
        _check_user(call)
        found = [each for each in found if each.user.name == call.names["user"]]
    return found


def _check_user(call: Call) -> None:
    """Check that the user may see the connections of the user in the path, or close them.

    Raises:
        Refusal: 401, they are another user's.
    """
    closes = call.request.method == "DELETE"
    role = Role.ADMINISTRATOR if closes else Role.MONITORING
    if call.names["user"] != call.user.name and not role.includes(call.user):
        raise not_authorised("User not authorised to access object")


def open_in(node: Node) -> list[Connection]:
    """Return the open connections to a node."""
    return [each for each in node.connections if isinstance(each, Connection) and each.is_open]


# -- connections -------------------------------------------------------------------------------


def list_connections(call: Call) -> Response:
    """List the connections of all users, of one user, or of a virtual host."""
    items = [connection_item(call, each) for each in open_connections(call)]
    return list_response(items, call.request.query)


def show_connection(call: Call) -> Response:
    """Show a connection."""
    item = connection_item(call, _connection(call))
    return json_response(with_columns([item], call.request.query)[0])


def close_connection(call: Call) -> Response:
    """Close a connection; the header X-Reason is the reply text."""
    _close(call, _connection(call))
    return done()


def close_connections_of_user(call: Call) -> Response:
    """Close all connections of a user."""
    for connection in open_connections(call):
        _close(call, connection)
    return done()


def _close(call: Call, connection: Connection) -> None:
    reason = call.request.headers.get("x-reason", _REASON)
    connection.close(errors.closed_by_operator(reason))


def _connection(call: Call) -> Connection:
    """Return the connection that the path names.

    Raises:
        Refusal: 404, there is no such connection; 401, it belongs to another user.
    """
    wanted = call.names["connection"]
    named = [each for each in open_in(call.node) if each.peer.connection_name == wanted]
    if not named:
        raise not_found()
    if named[0].user is not call.user and not Role.MONITORING.includes(call.user):
        raise Refusal(HTTPStatus.UNAUTHORIZED, "not_authorised", "Not_Authorized")
    return named[0]


def connection_item(call: Call, connection: Connection) -> dict[str, Any]:
    """Return the API's object for a connection."""
    host, _, port = connection.peer.broker_address.rpartition(":")
    item = {
        "auth_mechanism": connection.mechanism_name,
        "channel_max": connection.channel_max,
        "channels": len(connection.channels),
        "client_properties": connection.client_properties,
        "connected_at": int(connection.connected_at * 1000),
        "frame_max": connection.frame_max,
        "host": host,
        "name": connection.peer.connection_name,
        "node": call.node.cluster_name,
        "peer_host": connection.peer.host,
        "peer_port": connection.peer.port,
        "port": int(port),
        "protocol": "AMQP 0-9-1",
        "ssl": call.host.uses_tls,
        "state": "blocked" if connection.is_blocked else "running",
        "timeout": connection.heartbeat,
        "type": "network",
        "user": connection.user.name,
        "user_who_performed_action": connection.user.name,
        "vhost": connection.virtualhost.name,
        **_traffic(call, connection),
    }
    if "connection_name" in connection.client_properties:
        item["user_provided_name"] = connection.client_properties["connection_name"]
    return item


def _traffic(call: Call, connection: Connection) -> dict[str, Any]:
    """Return how much the connection has received and sent."""
    traffic = connection.traffic
    assert traffic is not None, "where there is a management API, connections count octets"
    octets = {"recv_oct": traffic.received_octets, "send_oct": traffic.sent_octets}
    times = {"recv_cnt": traffic.reads, "send_cnt": traffic.writes, "send_pend": 0}
    return times | call.rates.with_details(octets, DATA_RATES)


# -- channels ----------------------------------------------------------------------------------


def list_channels(call: Call) -> Response:
    """List the channels of all connections, of one, or of a virtual host."""
    chosen = [_connection(call)] if "connection" in call.names else open_connections(call)
    items = [
        channel_item(call, connection, channel)
        for connection in chosen
        for channel in connection.channels.values()
    ]
    return list_response(items, call.request.query)


def show_channel(call: Call) -> Response:
    """Show a channel with its consumers."""
    for connection in open_connections(call):
        for channel in connection.channels.values():
            item = channel_item(call, connection, channel)
            if item["name"] == call.names["channel"]:
                consumers = channel.consumers.values()
                item["consumer_details"] = [consumer_item(call.node, each) for each in consumers]
                item |= {"deliveries": [], "publishes": []}
                return json_response(with_columns([item], call.request.query)[0])
    raise not_found()


def channel_item(call: Call, connection: Connection, channel: Channel) -> dict[str, Any]:
    """Return the API's object for a channel."""
    peer, transaction = connection.peer, channel.transaction
    counts = call.statistics.of_channel(channel)
    return {
        "acks_uncommitted": 0 if transaction is None else len(transaction.settled),
        "confirm": channel.confirms is not None,
        "connection_details": {
            "name": peer.connection_name,
            "peer_host": peer.host,
            "peer_port": peer.port,
        },
        "consumer_count": len(channel.consumers),
        "messages_unacknowledged": len(channel.unacked),
        "messages_uncommitted": 0 if transaction is None else transaction.publish_count,
        "messages_unconfirmed": 0,
        "name": f"{peer.connection_name} ({channel.number})",
        "node": call.node.cluster_name,
        "number": channel.number,
        "prefetch_count": channel.prefetch_count,
        "state": "running",
        "transactional": transaction is not None,
        "user": connection.user.name,
        "user_who_performed_action": connection.user.name,
        "vhost": connection.virtualhost.name,
        **idle_since(counts),
        **message_stats(counts, CHANNEL_GROUPS, call.rates),
    }


ROUTES: Routes = {
    "connections": Route({"GET": list_connections}),
    "connections/:connection": Route({"GET": show_connection, "DELETE": close_connection}),
    "connections/:connection/channels": Route({"GET": list_channels}),
    "connections/username/:user": Route(
        {"GET": list_connections, "DELETE": close_connections_of_user}
    ),
    "vhosts/:vhost/connections": Route({"GET": list_connections}),
    "vhosts/:vhost/channels": Route({"GET": list_channels}),
    "channels": Route({"GET": list_channels}),
    "channels/:channel": Route({"GET": show_channel}),
}
