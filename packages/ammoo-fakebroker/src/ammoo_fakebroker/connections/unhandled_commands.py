"""Commands that no handler of an open channel executes.

They are for channel 0 or for a channel that is not open, or a server does not support the method. The
answer depends on the channel table (`channel_table.py`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    OversizedContent,
    ProtocolError,
    QueueBindParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
    method_of,
)

from ..rabbitmq import errors

if TYPE_CHECKING:
    from .channel_table import ChannelTable
    from .ports import ChannelConnection

__all__ = ["execute_unhandled"]

_METHODS_ON_THE_LAST_QUEUE = frozenset(
    (
        BasicConsumeParameters,
        BasicGetParameters,
        QueueBindParameters,
        QueueDeleteParameters,
        QueuePurgeParameters,
        QueueUnbindParameters,
    )
)
"""Methods whose first field, if empty, stands for the queue that the channel declared last."""


def execute_unhandled(
    connection: ChannelConnection, channels: ChannelTable, number: int, parameters: tuple[Any, ...]
) -> None:
    """Execute a command that no handler of an open channel executes.

    Raises:
        ProtocolError: The command is not allowed here.
    """
    kind = type(parameters)
    if number == 0:
        _execute_on_channel_zero(connection, channels, parameters)
    elif kind is ChannelOpenParameters:
        _open_channel(connection, channels, number)
    elif kind is ChannelCloseOkParameters and channels.is_closing(number):
        channels.finish_closing(number)
    elif channels.is_closing(number):
        _drop(connection, number, parameters)
    elif number not in channels.open:
        _refuse_without_channel(channels, number, parameters)
    elif kind is OversizedContent:
        raise errors.message_too_large(parameters[1], parameters[2])
    else:
        raise errors.unimplemented_method()


def _execute_on_channel_zero(
    connection: ChannelConnection, channels: ChannelTable, parameters: tuple[Any, ...]
) -> None:
    """Execute a method on channel 0."""
    if type(parameters) is not ConnectionUpdateSecretParameters:
        raise errors.unexpected_on_channel_zero()
    connection.send(0, ConnectionUpdateSecretOkParameters())
    if connection.node.profile.new_secrets_cancel_consumers:
        _cancel_forbidden_consumers(connection, channels)


def _cancel_forbidden_consumers(connection: ChannelConnection, channels: ChannelTable) -> None:
    """Cancel the consumers whose queues the user may no longer read."""
    user, virtualhost = connection.user, connection.virtualhost.name
    for channel in list(channels.open.values()):
        for consumer in list(channel.consumers.values()):
            if not user.may("read", consumer.queue.name, virtualhost):
                channel.notify_cancelled(consumer)
                consumer.queue.remove_consumer(consumer)


def _open_channel(connection: ChannelConnection, channels: ChannelTable, number: int) -> None:
    channel_max, count = connection.channel_max, len(channels)
    is_new = number not in channels.open and not channels.is_closing(number)
    if is_new and 0 < channel_max <= count:
        connection.close(errors.too_many_channels(count, channel_max))
    elif is_new and connection.node.has_reached_max_channels(connection.user):
        connection.close(_refusal_of_channel(connection))
    else:
        channels.open_new(number)


def _refusal_of_channel(connection: ChannelConnection) -> ProtocolError:
    user, node = connection.user, connection.node
    name = node.cluster_name if node.profile.channel_limit_names_the_node else user.name
    limit = str(user.limits.max_channels)
    if node.profile.channel_limit_in_parentheses:
        limit = f"({limit})"
    return errors.too_many_channels_of_user(name, limit)


def _drop(connection: ChannelConnection, number: int, parameters: tuple[Any, ...]) -> None:
    """Ignore a command for a channel that is closing; answer a close.

    The wire drops such commands in later reads; these came in the read that closed the channel.
    """
    if type(parameters) is ChannelCloseParameters:
        connection.send(number, ChannelCloseOkParameters())


def _refuse_without_channel(
    channels: ChannelTable, number: int, parameters: tuple[Any, ...]
) -> None:
    """Refuse a method on a channel that was never opened.

    RabbitMQ looks up the queue that an empty name stands for before it checks the channel.
    """
    if type(parameters) not in _METHODS_ON_THE_LAST_QUEUE or parameters[0]:
        raise errors.channel_not_open()
    error = errors.no_queue_declared_on_channel()
    error.class_id, error.method_id = method_of(parameters).id
    channels.refuse_unopened(number, error)
