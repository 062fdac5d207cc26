"""What a test does to a broker over HTTP: move its clock, lose its connections, empty it."""

from __future__ import annotations

from http import HTTPStatus
from typing import TYPE_CHECKING

from ..management.http import Response
from ..management.json_bodies import json_object, json_response
from ..management.refusals import Refusal, bad_request

if TYPE_CHECKING:
    from ..node.virtual_host import VirtualHost
    from .call import ControlCall

__all__ = ["advance", "block", "close", "cut", "reset", "unblock"]


def advance(call: ControlCall) -> Response:
    """Move the broker's clock by ``seconds``; the broker needs a clock that is moved by hand."""
    seconds = json_object(call.request, "seconds")["seconds"]
    try:
        call.broker.advance(seconds)
    except RuntimeError as error:
        raise Refusal(HTTPStatus.CONFLICT, "real_time", str(error)) from None
    except (TypeError, ValueError) as error:
        raise bad_request(str(error)) from None
    return Response(HTTPStatus.NO_CONTENT)


async def cut(call: ControlCall) -> Response:
    """Close all sockets without a connection.close, as a failing network does."""
    count = _count_connections(call)
    await _cut(call)
    return json_response({"connections": count})


async def _cut(call: ControlCall) -> None:
    """Cut the connections, and wait until the broker has none, so that the next look is right."""
    call.broker.cut_connections()
    await call.broker.wait_until_async(lambda _: not call.node.connections)


def close(call: ControlCall) -> Response:
    """Close all connections as an operator does (320); ``reason`` is what clients are told."""
    count = _count_connections(call)
    call.broker.close_connections(
        str(json_object(call.request).get("reason", "closed by the test"))
    )
    return json_response({"connections": count})


def _count_connections(call: ControlCall) -> int:
    return sum(connection.is_open for connection in call.node.connections)


def block(call: ControlCall) -> Response:
    """Raise an alarm: connections that publish are blocked; ``reason`` is what clients are told."""
    call.broker.block(str(json_object(call.request).get("reason", "low on memory")))
    return Response(HTTPStatus.NO_CONTENT)


def unblock(call: ControlCall) -> Response:
    """Clear all alarms, or the one of a ``reason``."""
    call.broker.unblock(json_object(call.request).get("reason"))
    return Response(HTTPStatus.NO_CONTENT)


async def reset(call: ControlCall) -> Response:
    """Begin anew: remove faults and alarms, cut connections, delete queues and exchanges.

    Virtual hosts, users and policies stay. The answer has the mark of now, for the history.
    """
    call.broker.faults.clear()
    call.broker.unblock()
    await _cut(call)
    for virtualhost in call.node.virtualhosts.values():
        _empty(virtualhost)
    return json_response({"mark": call.broker.mark()})


def _empty(virtualhost: VirtualHost) -> None:
    """Delete the queues and the exchanges of a virtual host, but those that it begins with."""
    for queue in list(virtualhost.queues.values()):
        virtualhost.delete_queue(queue)
    for name, exchange in list(virtualhost.exchanges.items()):
        if name and not name.startswith("amq."):
            virtualhost.delete_exchange(exchange)
        else:
            for binding in list(exchange.bindings.values()):
                destination, key = binding.destination, binding.routing_key
                virtualhost.unbind(exchange, destination, key, binding.arguments)
