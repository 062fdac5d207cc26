"""Whether the user of a channel has the permission that a method needs.

See https://www.rabbitmq.com/docs/access-control#authorisation
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from ..exchanges.topic import TopicExchange
from ..rabbitmq import errors
from ..rabbitmq.errors import exchange_in, queue_in, topic_in

if TYPE_CHECKING:
    from ammoo_wire import ProtocolError

    from .channel import Channel

__all__ = [
    "check_exchange",
    "check_exchange_is_known",
    "check_queue",
    "check_queue_is_known",
    "check_topic",
]

_Describe = Callable[[str, str], str]


def check_exchange(channel: Channel, verb: str, exchange_name: str) -> None:
    """Check a permission on an exchange; the default exchange is called ``amq.default``.

    Args:
        channel: The channel whose user is checked.
        verb: configure, write or read.
        exchange_name: The name of the exchange, which need not exist.

    Raises:
        ProtocolError: 403, the user does not have the permission.
    """
    _check(channel, verb, exchange_name or "amq.default", exchange_in)


def check_queue(channel: Channel, verb: str, queue_name: str) -> None:
    """Check a permission on a queue; see `check_exchange`."""
    _check(channel, verb, queue_name, queue_in)


def check_exchange_is_known(channel: Channel, exchange_name: str) -> None:
    """Check that a user has any permission on an exchange, in releases that check this.

    Raises:
        ProtocolError: 403, the user may not configure, write or read it.
    """
    if _needs_configure_permission(channel, exchange_name):
        check_exchange(channel, "configure", exchange_name)


def check_queue_is_known(channel: Channel, queue_name: str) -> None:
    """Check that a user has any permission on a queue; see `check_exchange_is_known`."""
    if _needs_configure_permission(channel, queue_name):
        check_queue(channel, "configure", queue_name)


def check_topic(channel: Channel, verb: str, exchange_name: str, *routing_keys: str) -> None:
    """Check a permission on routing keys, if the exchange is a topic exchange.

    Args:
        channel: The channel whose user is checked.
        verb: write or read.
        exchange_name: The name of the exchange, which need not exist.
        routing_keys: The routing keys of a message or a binding.

    Raises:
        ProtocolError: 403, the user does not have the permission.
    """
    user, virtualhost = channel.connection.user, channel.virtualhost
    exchange = virtualhost.exchanges.get(exchange_name)
    if not user.topic_permissions or exchange is None or exchange.type != TopicExchange.type:
        return
    for routing_key in routing_keys:
        if not user.may_use_topic(verb, routing_key, exchange_name, virtualhost.name):
            topic = topic_in(virtualhost.name, exchange_name, routing_key)
            raise _refusal(channel, verb, topic)


def _needs_configure_permission(channel: Channel, name: str) -> bool:
    connection = channel.connection
    virtualhost = connection.virtualhost
    return virtualhost.profile.passive_declares_need_permission and not any(
        connection.user.may(verb, name, virtualhost.name) for verb in ("write", "read")
    )


def _check(channel: Channel, verb: str, name: str, in_: _Describe) -> None:
    connection = channel.connection
    virtualhost = connection.virtualhost
    if not connection.user.may(verb, name, virtualhost.name):
        raise _refusal(channel, verb, in_(virtualhost.name, name))


def _refusal(channel: Channel, verb: str, resource: str) -> ProtocolError:
    expired_at = channel.connection.user.expired_at
    if expired_at is not None:
        now = int(channel.virtualhost.clock.timestamp())
        name = channel.connection.user.name
        return errors.access_refused_after_expiry(resource, name, expired_at, now)
    return errors.access_refused(
        resource,
        channel.connection.user.name,
        permission=verb if channel.virtualhost.profile.refusals_name_the_permission else "",
    )
