"""Class exchange: declaring, deleting and binding exchanges."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    ExchangeBindOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteOkParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindOkParameters,
    ExchangeUnbindParameters,
)

from ...exchanges.types import EXCHANGE_TYPES
from ...rabbitmq import errors
from ...rabbitmq.arguments import (
    assert_argument_equivalent,
    assert_field_equivalent,
    validate_exchange_name,
)
from ...rabbitmq.erlang_terms import print_atom
from ...rabbitmq.errors import exchange_in
from ..permissions import check_exchange, check_exchange_is_known, check_topic
from .lookup import check_not_default_exchange, existing_exchange, strip_line_breaks

if TYPE_CHECKING:
    from ...exchanges.exchange import Exchange
    from ...node.virtual_host import VirtualHost
    from ..channel import Channel

__all__ = ["HANDLERS"]


def declare(channel: Channel, parameters: ExchangeDeclareParameters) -> None:
    """Create an exchange, or check that it exists as described (section 1.6.2.1)."""
    if parameters.passive:
        name = strip_line_breaks(parameters.exchange_name)
        check_not_default_exchange(name)
        check_exchange_is_known(channel, name)
        existing_exchange(channel, name)
    else:
        _declare(channel, parameters)
    if not parameters.no_wait:
        channel.send(ExchangeDeclareOkParameters())


def _declare(channel: Channel, parameters: ExchangeDeclareParameters) -> None:
    virtualhost = channel.virtualhost
    exchange_type = _find_type(virtualhost, parameters.exchange_type)
    name = strip_line_breaks(parameters.exchange_name)
    check_not_default_exchange(name)
    check_exchange(channel, "configure", name)
    exchange = virtualhost.exchanges.get(name)
    if exchange is not None:
        _assert_equivalent(exchange, parameters, exchange_in(virtualhost.name, name))
        channel.record(
            "exchange_declared", exchange_name=name, exchange_type=exchange.type, existed=True
        )
        return
    if name.startswith("amq."):
        raise errors.reserved_name("exchange", name)
    validate_exchange_name(
        parameters.arguments, "alternate-exchange", exchange_in(virtualhost.name, name)
    )
    alternate = parameters.arguments.get("alternate-exchange")
    if alternate is not None:
        check_exchange(channel, "read", name)
        check_exchange(channel, "write", alternate)
    exchange_type.validate_arguments(parameters.arguments, partial(_find_type, virtualhost))
    virtualhost.create_exchange(
        name,
        parameters.exchange_type,
        durable=parameters.durable,
        auto_delete=parameters.auto_delete,
        internal=parameters.internal,
        arguments=parameters.arguments,
    )


def _find_type(virtualhost: VirtualHost, name: str) -> type[Exchange]:
    """Return a type of exchanges.

    Raises:
        ProtocolError: 406 or 503, the release has no such type, or its plugin is not enabled.
    """
    profile = virtualhost.profile
    if name not in virtualhost.exchange_types:
        raise errors.unknown_exchange_type(
            name,
            known_word=name in profile.invalid_exchange_types,
            closes_connection=profile.unknown_exchange_type_closes_connection,
        )
    return EXCHANGE_TYPES[name]


def _assert_equivalent(
    exchange: Exchange, parameters: ExchangeDeclareParameters, resource: str
) -> None:
    for field, received, current in (
        ("type", print_atom(parameters.exchange_type), print_atom(exchange.type)),
        ("durable", parameters.durable, exchange.durable),
        ("auto_delete", parameters.auto_delete, exchange.auto_delete),
        ("internal", parameters.internal, exchange.internal),
    ):
        assert_field_equivalent(field, resource, received, current)
    assert_argument_equivalent(
        "alternate-exchange", parameters.arguments, exchange.arguments, resource
    )


def delete(channel: Channel, parameters: ExchangeDeleteParameters) -> None:
    """Delete an exchange (section 1.6.2.3); deleting one that does not exist is no error."""
    virtualhost = channel.virtualhost
    name = strip_line_breaks(parameters.exchange_name)
    check_not_default_exchange(name)
    if name.startswith("amq."):
        raise errors.system_exchange_not_deletable(virtualhost.name, name)
    check_exchange(channel, "configure", name)
    exchange = virtualhost.exchanges.get(name)
    if exchange is not None:
        if parameters.if_unused and exchange.bindings:
            raise errors.exchange_in_use(virtualhost.name, name)
        virtualhost.delete_exchange(exchange)
    if not parameters.no_wait:
        channel.send(ExchangeDeleteOkParameters())


def bind(channel: Channel, parameters: ExchangeBindParameters) -> None:
    """Bind an exchange to another: https://www.rabbitmq.com/docs/e2e"""
    source_name, destination_name = _checked_names(channel, parameters)
    source = existing_exchange(channel, source_name)
    destination = existing_exchange(channel, destination_name)
    source.validate_binding(destination, parameters.routing_key, parameters.arguments)
    channel.virtualhost.bind(source, destination, parameters.routing_key, parameters.arguments)
    if not parameters.no_wait:
        channel.send(ExchangeBindOkParameters())


def unbind(channel: Channel, parameters: ExchangeUnbindParameters) -> None:
    """Remove a binding between exchanges; removing one that does not exist is no error."""
    source_name, destination_name = _checked_names(channel, parameters)
    exchanges = channel.virtualhost.exchanges
    source, destination = exchanges.get(source_name), exchanges.get(destination_name)
    if source is not None and destination is not None:
        channel.virtualhost.unbind(
            source, destination, parameters.routing_key, parameters.arguments
        )
    if not parameters.no_wait:
        channel.send(ExchangeUnbindOkParameters())


def _checked_names(
    channel: Channel, parameters: ExchangeBindParameters | ExchangeUnbindParameters
) -> tuple[str, str]:
    """Return the names of source and destination, after checking the user's permissions."""
    source = strip_line_breaks(parameters.source)
    destination = strip_line_breaks(parameters.destination)
    check_exchange(channel, "write", destination)
    check_not_default_exchange(destination)
    check_not_default_exchange(source)
    check_exchange(channel, "read", source)
    check_topic(channel, "read", source, parameters.routing_key)
    return source, destination


HANDLERS: dict[type, Callable[..., Any]] = {
    ExchangeDeclareParameters: declare,
    ExchangeDeleteParameters: delete,
    ExchangeBindParameters: bind,
    ExchangeUnbindParameters: unbind,
}
