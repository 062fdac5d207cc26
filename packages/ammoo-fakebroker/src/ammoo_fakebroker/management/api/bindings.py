"""Bindings: listing, creating and deleting them.

Among the bindings of the same two ends, the key of a binding is its routing key, percent-encoded; with
arguments a hash follows. RabbitMQ uses an Erlang hash, which other programs cannot compute. Clients
therefore have to take the key of a binding with arguments from the broker's answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote, quote_plus, unquote
from zlib import crc32

from ammoo_wire import (
    ExchangeBindParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueUnbindParameters,
)

from ..call import Call, created, done, json_response
from ..json_bodies import read_table, read_text
from ..lists import list_response
from ..refusals import access_refused, not_found
from ..route import Route, Routes
from .exchanges import DEFAULT_EXCHANGE, exchange_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ...exchanges.exchange import Binding, Destination
    from ...node.virtual_host import VirtualHost
    from ..http import Response

__all__ = ["ROUTES"]


# -- looking -----------------------------------------------------------------------------------


def list_bindings(call: Call) -> Response:
    """List the bindings of one virtual host, or of all."""
    items = [item for virtualhost in call.own_virtualhosts() for item in binding_items(virtualhost)]
    return list_response(items, call.request.query)


def list_bindings_of_queue(call: Call) -> Response:
    """List the bindings that lead to a queue; without such a queue, only its default binding."""
    virtualhost = call.virtualhost()
    name = call.names["queue"]
    queue = virtualhost.queues.get(name)
    incoming = () if queue is None else tuple(queue.incoming)
    items = [_default_item(virtualhost, name), *_items(virtualhost, incoming)]
    return list_response(items, call.request.query)


def list_bindings_from(call: Call) -> Response:
    """List the bindings that have an exchange as their source; without such an exchange, none."""
    virtualhost = call.virtualhost()
    name = exchange_name(call.names["exchange"])
    exchange = virtualhost.exchanges.get(name)
    if not name:
        items = [_default_item(virtualhost, each) for each in virtualhost.queues]
    else:
        items = list(_items(virtualhost, () if exchange is None else exchange.bindings.values()))
    return list_response(items, call.request.query)


def list_bindings_to(call: Call) -> Response:
    """List the bindings that lead to an exchange; without such an exchange, none."""
    virtualhost = call.virtualhost()
    exchange = virtualhost.exchanges.get(exchange_name(call.names["exchange"]))
    incoming = () if exchange is None else exchange.incoming
    return list_response(_items(virtualhost, incoming), call.request.query)


def list_bindings_between(call: Call) -> Response:
    """List the bindings between an exchange and a queue, or another exchange."""
    virtualhost = call.virtualhost()
    return list_response(_items_between(call, virtualhost), call.request.query)


def show_binding(call: Call) -> Response:
    """Show one binding."""
    item, _ = _find(call, call.virtualhost())
    return json_response(item)


def binding_items(virtualhost: VirtualHost) -> Iterator[dict[str, Any]]:
    """Return the API's objects for all bindings, including those of the default exchange."""
    for name in virtualhost.queues:
        yield _default_item(virtualhost, name)
    for exchange in virtualhost.exchanges.values():
        yield from _items(virtualhost, exchange.bindings.values())


def _items(virtualhost: VirtualHost, bindings: Iterable[Binding]) -> Iterator[dict[str, Any]]:
    for binding in bindings:
        yield _binding_item(virtualhost, binding)


def _binding_item(virtualhost: VirtualHost, binding: Binding) -> dict[str, Any]:
    return {
        "source": binding.source.name,
        "vhost": virtualhost.name,
        "destination": binding.destination.name,
        "destination_type": "queue" if binding.destination.queue_type else "exchange",
        "routing_key": binding.routing_key,
        "arguments": binding.arguments,
        "properties_key": _properties_key(binding.routing_key, binding.key.arguments),
    }


def _default_item(virtualhost: VirtualHost, queue_name: str) -> dict[str, Any]:
    return {
        "source": "",
        "vhost": virtualhost.name,
        "destination": queue_name,
        "destination_type": "queue",
        "routing_key": queue_name,
        "arguments": {},
        "properties_key": _properties_key(queue_name, b""),
    }


def _properties_key(routing_key: str, arguments: bytes) -> str:
    """Return the key of a binding; ``~`` stands for an empty routing key without arguments."""
    quoted = _quote(routing_key)
    if len(arguments) > 4:  # more than the length of an empty table
        return f"{quoted}~{crc32(arguments):08x}"
    return quoted or "~"


def _quote(text: str) -> str:
    """Encode a routing key as RabbitMQ does: a space as a plus, and a tilde, too."""
    return quote_plus(text, safe=".-_").replace("~", "%7E")


# -- both ends ---------------------------------------------------------------------------------


def _destination(call: Call, virtualhost: VirtualHost) -> Destination | None:
    """Return the queue or the exchange at the end of the path's bindings."""
    if "queue" in call.names:
        return virtualhost.queues.get(call.names["queue"])
    return virtualhost.exchanges.get(exchange_name(call.names["destination"]))


def _items_between(call: Call, virtualhost: VirtualHost) -> list[dict[str, Any]]:
    source_name = exchange_name(call.names["exchange"])
    destination = _destination(call, virtualhost)
    if not source_name:
        is_queue = destination is not None and bool(destination.queue_type)
        return [_default_item(virtualhost, call.names["queue"])] if is_queue else []
    return [_binding_item(virtualhost, each) for each in _between(call, virtualhost)]


def _between(call: Call, virtualhost: VirtualHost) -> list[Binding]:
    source = virtualhost.exchanges.get(call.names["exchange"])
    destination = _destination(call, virtualhost)
    bindings = [] if source is None else source.bindings.values()
    return [binding for binding in bindings if binding.destination is destination]


def _find(call: Call, virtualhost: VirtualHost) -> tuple[dict[str, Any], Binding | None]:
    """Find the binding that the path names; a binding of the default exchange has only an item."""
    # RabbitMQ accepts the key encoded in either way, or not at all.
    key = call.names["key"]
    wanted = {key, _quote(key), _quote(unquote(key))}
    for binding in _between(call, virtualhost):
        item = _binding_item(virtualhost, binding)
        if item["properties_key"] in wanted:
            return item, binding
    for item in _items_between(call, virtualhost):
        if item["properties_key"] in wanted:
            return item, None
    raise not_found()


# -- changing ----------------------------------------------------------------------------------


def create_binding(call: Call) -> Response:
    """Bind a queue or an exchange to an exchange; the answer names the binding's place."""
    virtualhost = call.virtualhost()
    if call.names["exchange"] == DEFAULT_EXCHANGE:
        raise access_refused()
    body = call.body()
    routing_key, arguments = read_text(body, "routing_key"), read_table(body, "arguments")
    source, end = call.names["exchange"], call.request.path[-1]
    bind: QueueBindParameters | ExchangeBindParameters
    if "queue" in call.names:
        bind = QueueBindParameters(end, source, routing_key, arguments=arguments)
    else:
        bind = ExchangeBindParameters(end, source, routing_key, arguments=arguments)
    call.execute(virtualhost, bind)
    created_key = next(
        item["properties_key"]
        for item in _items_between(call, virtualhost)
        if (item["routing_key"], item["arguments"]) == (routing_key, arguments)
    )
    return created(f"{quote(end, safe='')}/{quote(created_key, safe='~')}")


def delete_binding(call: Call) -> Response:
    """Delete a binding."""
    virtualhost = call.virtualhost()
    _, binding = _find(call, virtualhost)
    if binding is None:
        raise access_refused()
    names = binding.destination.name, binding.source.name, binding.routing_key
    if binding.destination.queue_type:
        call.execute(virtualhost, QueueUnbindParameters(*names, binding.arguments))
    else:
        call.execute(virtualhost, ExchangeUnbindParameters(*names, arguments=binding.arguments))
    return done()


_BETWEEN = Route({"GET": list_bindings_between, "POST": create_binding})
_ONE = Route({"GET": show_binding, "DELETE": delete_binding})

ROUTES: Routes = {
    "bindings": Route({"GET": list_bindings}),
    "bindings/:vhost": Route({"GET": list_bindings}),
    "bindings/:vhost/e/:exchange/q/:queue": _BETWEEN,
    "bindings/:vhost/e/:exchange/q/:queue/:key": _ONE,
    "bindings/:vhost/e/:exchange/e/:destination": _BETWEEN,
    "bindings/:vhost/e/:exchange/e/:destination/:key": _ONE,
    "queues/:vhost/:queue/bindings": Route({"GET": list_bindings_of_queue}),
    "exchanges/:vhost/:exchange/bindings/source": Route({"GET": list_bindings_from}),
    "exchanges/:vhost/:exchange/bindings/destination": Route({"GET": list_bindings_to}),
}
