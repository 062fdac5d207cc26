"""Exchanges: listing, declaring and deleting them, and publishing to them."""

from __future__ import annotations

import binascii
from base64 import b64decode
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ProtocolError,
)

from ...exchanges.delayed_message import DelayedMessageExchange
from ..call import Call, boolean, changed, done, json_response
from ..json_bodies import read_table, read_text
from ..lists import list_response, with_columns
from ..refusals import Refusal, access_refused, bad_request, not_found, refusal_of_channel
from ..route import Route, Routes
from ..statistics.counts import EXCHANGE_GROUPS
from .message_properties import from_json
from .totals import message_stats

if TYPE_CHECKING:
    from ...exchanges.exchange import Exchange
    from ...node.virtual_host import VirtualHost
    from ..http import Response

__all__ = ["DEFAULT_EXCHANGE", "ROUTES", "exchange_in", "exchange_name"]

DEFAULT_EXCHANGE = "amq.default"
"""The name of the default exchange in paths; in answers it is empty."""


def list_exchanges(call: Call) -> Response:
    """List the exchanges of one virtual host, or of all."""
    items = [
        exchange_item(call, virtualhost, exchange)
        for virtualhost in call.own_virtualhosts()
        for exchange in virtualhost.exchanges.values()
    ]
    return list_response(items, call.request.query)


def show_exchange(call: Call) -> Response:
    """Show an exchange."""
    virtualhost = call.virtualhost()
    exchange = exchange_in(virtualhost, call.names["exchange"])
    item = exchange_item(call, virtualhost, exchange)
    item |= {"incoming": [], "outgoing": []}
    return json_response(with_columns([item], call.request.query)[0])


def exchange_name(segment: str) -> str:
    """Return the name of the exchange that a segment of a path stands for."""
    return "" if segment == DEFAULT_EXCHANGE else segment


def exchange_in(virtualhost: VirtualHost, name: str) -> Exchange:
    """Return the exchange that a path names.

    Raises:
        Refusal: 404, there is no such exchange.
    """
    exchange = virtualhost.exchanges.get(exchange_name(name))
    if exchange is None:
        raise not_found()
    return exchange


def exchange_item(call: Call, virtualhost: VirtualHost, exchange: Exchange) -> dict[str, Any]:
    """Return the API's object for an exchange."""
    is_own = exchange.name.startswith("amq.") or not exchange.name
    item = {
        "arguments": exchange.arguments,
        "auto_delete": exchange.auto_delete,
        "durable": exchange.durable,
        "internal": exchange.internal,
        "name": exchange.name,
        "type": exchange.type,
        "user_who_performed_action": "rmq-internal" if is_own else "guest",
        "vhost": virtualhost.name,
    }
    counts = call.statistics.of_virtualhost(virtualhost.name).exchanges.get(exchange.name)
    if counts is not None:
        item |= message_stats(counts, EXCHANGE_GROUPS, call.rates)
    if isinstance(exchange, DelayedMessageExchange):
        item["messages_delayed"] = exchange.delayed_count
    policy = virtualhost.policies.of_exchange(exchange.name)
    if policy is not None:
        named = virtualhost.policies.by_name(by_operator=False).items()
        item["policy"] = next(name for name, each in named if each is policy)
    return item


def declare_exchange(call: Call) -> Response:
    """Declare an exchange; it is a direct one unless the body has another type."""
    virtualhost = call.virtualhost()
    name = call.names["exchange"]
    if name == DEFAULT_EXCHANGE:
        raise access_refused()
    body = call.body()
    is_new = name not in virtualhost.exchanges
    declare = ExchangeDeclareParameters(
        name,
        exchange_type=read_text(body, "type", "direct"),
        durable=boolean(body, "durable"),
        auto_delete=boolean(body, "auto_delete"),
        internal=boolean(body, "internal"),
        arguments=read_table(body, "arguments"),
    )
    call.execute(virtualhost, declare)
    return changed(is_new=is_new)


def delete_exchange(call: Call) -> Response:
    """Delete an exchange."""
    virtualhost = call.virtualhost()
    name = call.names["exchange"]
    exchange_in(virtualhost, name)
    if name == DEFAULT_EXCHANGE:
        raise access_refused()
    delete = ExchangeDeleteParameters(name, if_unused=call.is_asked_for("if-unused"))
    call.execute(virtualhost, delete)
    return done()


# -- publishing --------------------------------------------------------------------------------


def publish(call: Call) -> Response:
    """Publish a message, and answer whether it was routed to a queue."""
    virtualhost = call.virtualhost()
    name = call.names["exchange"]
    if call.release.looks_for_targets and exchange_name(name) not in virtualhost.exchanges:
        raise Refusal(404, "not_found", "exchange_not_found")
    body = call.body("routing_key", "properties", "payload", "payload_encoding")
    properties = from_json(body["properties"])
    payload = _payload(body["payload"], body["payload_encoding"])
    with call.direct_channel(virtualhost) as channel:
        try:
            routed = channel.publish(
                exchange_name(name), read_text(body, "routing_key"), properties, payload
            )
        except ProtocolError as error:
            raise refusal_of_channel(error) from None
    return json_response({"routed": routed})


def _payload(payload: Any, encoding: Any) -> bytes:
    if not isinstance(payload, str):
        raise bad_request("payload_not_string")
    if encoding == "string":
        return payload.encode()
    if encoding != "base64":
        raise bad_request(["unsupported_encoding", encoding])
    try:
        return b64decode(payload, validate=True)
    except (ValueError, binascii.Error):
        raise bad_request(["not_base64", payload]) from None


ROUTES: Routes = {
    "exchanges": Route({"GET": list_exchanges}),
    "exchanges/:vhost": Route({"GET": list_exchanges}),
    "exchanges/:vhost/:exchange": Route(
        {"GET": show_exchange, "PUT": declare_exchange, "DELETE": delete_exchange}
    ),
    "exchanges/:vhost/:exchange/publish": Route({"POST": publish}),
}
