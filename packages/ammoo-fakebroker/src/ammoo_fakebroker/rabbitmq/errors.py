"""RabbitMQ's errors: every reply code and reply text.

Each function is named after what happened, and returns the `ProtocolError` to raise. Its arguments are
words and numbers, never objects of the broker. So the texts can be read, compared with those of a real
node and corrected in one place. The reply code decides whether an error closes the channel or the
connection (`ReplyCode.is_hard`).

The connection adds the ids of the method that caused the error (`connections/connection.py`); an error
without a method keeps `(0, 0)`.
"""

from __future__ import annotations

from ammoo_wire import InternalError, ProtocolError, ReplyCode

from .erlang_terms import print_binary

__all__: list[str] = []

_PRINTED_COLUMNS = 78
_QUEUE_DECLARE = (50, 10)
"""The ids of queue.declare: the connection adds no ids to an internal error."""


def queue_in(virtualhost: str, queue_name: str) -> str:
    """Name a queue as RabbitMQ's texts do."""
    return f"queue '{queue_name}' in vhost '{virtualhost}'"


def exchange_in(virtualhost: str, exchange_name: str) -> str:
    """Name an exchange as RabbitMQ's texts do."""
    return f"exchange '{exchange_name}' in vhost '{virtualhost}'"


def topic_in(virtualhost: str, exchange_name: str, routing_key: str) -> str:
    """Name a routing key of a topic exchange as RabbitMQ's texts do."""
    return f"topic '{routing_key}' in {exchange_in(virtualhost, exchange_name)}"


# -- opening and the connection ----------------------------------------------------------------


def login_refused_text(mechanism: str) -> str:
    """Return the reply text of a refused login; the wire adds the code 403."""
    return (
        f"Login was refused using authentication mechanism {mechanism}. "
        "For details see the broker logfile."
    )


def virtualhost_not_found(virtualhost: str) -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_ALLOWED, f"vhost {virtualhost} not found")


def virtualhost_refused(virtualhost: str, username: str) -> ProtocolError:
    text = f"access to vhost '{virtualhost}' refused for user '{username}'"
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def too_many_connections_to_virtualhost(
    virtualhost: str, username: str, limit: int
) -> ProtocolError:
    refusal = f"access to vhost '{virtualhost}' refused for user '{username}'"
    text = f"{refusal}: connection limit ({limit}) is reached"
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def too_many_connections_of_user(username: str, limit: int) -> ProtocolError:
    refusal = f"connection refused for user '{username}'"
    text = f"{refusal}: user connection limit ({limit}) is reached"
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def too_many_channels_of_user(name: str, limit: str) -> ProtocolError:
    """Return the error for too many channels; `name` is the user's, in one release the node's."""
    text = (
        f"number of channels opened for user '{name}' "
        f"has reached the maximum allowed user limit of {limit}"
    )
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def too_many_channels(count: int, channel_max: int) -> ProtocolError:
    text = (
        f"number of channels opened ({count}) "
        f"has reached the negotiated channel_max ({channel_max})"
    )
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def channel_not_open() -> ProtocolError:
    return ProtocolError(ReplyCode.CHANNEL_ERROR, "expected 'channel.open'")


def channel_already_open() -> ProtocolError:
    return ProtocolError(ReplyCode.CHANNEL_ERROR, "second 'channel.open' seen")


def unexpected_on_channel_zero() -> ProtocolError:
    return ProtocolError(ReplyCode.CHANNEL_ERROR, "unexpected method in connection state running")


def unimplemented_method() -> ProtocolError:
    return ProtocolError(ReplyCode.COMMAND_INVALID, "unimplemented method")


def closed_by_operator(reason: str) -> ProtocolError:
    return ProtocolError(ReplyCode.CONNECTION_FORCED, reason)


def shutting_down() -> ProtocolError:
    text = "broker forced connection closure with reason 'shutdown'"
    return ProtocolError(ReplyCode.CONNECTION_FORCED, text)


def virtualhost_deleted(virtualhost: str, fate: str) -> ProtocolError:
    return ProtocolError(ReplyCode.CONNECTION_FORCED, f"vhost '{virtualhost}' is {fate}")


def user_deleted(user: str) -> ProtocolError:
    return ProtocolError(ReplyCode.CONNECTION_FORCED, f"user '{user}' is deleted")


def credential_expired() -> ProtocolError:
    return ProtocolError(ReplyCode.CONNECTION_FORCED, "credential expired")


def internal_error() -> ProtocolError:
    """Return the error for a crash of a process of RabbitMQ; the client gets no reason."""
    return InternalError()


# -- what AMQP has and RabbitMQ does not -------------------------------------------------------


def deprecated_master_locator() -> ProtocolError:
    """Return the error for a deprecated argument: an internal error, its text cut to a shortstr."""
    text = (
        "Feature `queue_master_locator` is deprecated.\n"
        "By default, this feature is not permitted anymore.\n"
        "The feature will be removed from a future major RabbitMQ version, regardless of the "
        "configuration; actual version to be determined.\nTo con..."
    )
    return ProtocolError(ReplyCode.INTERNAL_ERROR, text, _QUEUE_DECLARE)


def flow_not_implemented() -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, "active=false")


def prefetch_size_not_implemented(prefetch_size: int) -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, f"prefetch_size!=0 ({prefetch_size})")


def immediate_not_implemented() -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, "immediate=true")


def recover_without_requeue_not_implemented() -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, "requeue=false")


# -- names and permissions ---------------------------------------------------------------------


def reserved_name(kind: str, name: str) -> ProtocolError:
    text = f"{kind} name '{name}' contains reserved prefix 'amq.*'"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def access_refused(resource: str, username: str, *, permission: str) -> ProtocolError:
    """Return the error for a missing permission; `permission` is empty if the release omits it."""
    access = f"{permission} access" if permission else "access"
    text = f"{access} to {resource} refused for user '{username}'"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def access_refused_after_expiry(
    resource: str, username: str, expired_at: int, now: int
) -> ProtocolError:
    """Return the error of releases before 4.3 after a token of OAuth 2 has expired."""
    reason = f"Provided JWT token has expired at timestamp {expired_at} (validated at {now})"
    text = (
        f"access to {resource} refused for user '{username}',"
        f' backend rabbit_auth_backend_oauth2 returned an error: "{reason}"'
    )
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


# -- exchanges ---------------------------------------------------------------------------------


def no_exchange(virtualhost: str, exchange_name: str) -> ProtocolError:
    text = f"no {exchange_in(virtualhost, exchange_name)}"
    return ProtocolError(ReplyCode.NOT_FOUND, text)


def default_exchange_not_permitted() -> ProtocolError:
    return ProtocolError(
        ReplyCode.ACCESS_REFUSED, "operation not permitted on the default exchange"
    )


def system_exchange_not_deletable(virtualhost: str, exchange_name: str) -> ProtocolError:
    text = f"deletion of system {exchange_in(virtualhost, exchange_name)} not allowed"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def binding_with_key(routing_key: str) -> ProtocolError:
    return ProtocolError(
        ReplyCode.PRECONDITION_FAILED, f"Non empty binding '{routing_key}' key not permitted"
    )


def weight_is_no_integer(routing_key: str) -> ProtocolError:
    text = f"The binding key must be an integer: {routing_key}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def weight_too_low() -> ProtocolError:
    text = "The binding key must be greater than 0"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def weight_too_high(most: int) -> ProtocolError:
    text = f"The binding key must not exceed {most}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def two_hash_arguments() -> ProtocolError:
    text = "hash-header and hash-property are mutually exclusive"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def unsupported_hash_property(name: str) -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, f"Unsupported property: {name}")


def delayed_type_is_delayed() -> ProtocolError:
    text = "Invalid argument, 'x-delayed-message' can't be used for 'x-delayed-type'"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def no_delayed_type() -> ProtocolError:
    text = "Invalid argument, 'x-delayed-type' must be an existing exchange type"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def binding_without_queue() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "Destination not found")


def binding_to_queue_of_type(queue_type: str) -> ProtocolError:
    return ProtocolError(
        ReplyCode.PRECONDITION_FAILED,
        f"Queue type rabbit_{queue_type}_queue not valid for this exchange type",
    )


def unknown_exchange_type(
    exchange_type: str, *, known_word: bool, closes_connection: bool
) -> ProtocolError:
    """Return the error for an unknown exchange type.

    The wording depends on whether the string is a word that the Erlang node knows (an atom). Until
    3.12 the error closes the connection (seen on 3.10.8).
    """
    text = f"{'invalid' if known_word else 'unknown'} exchange type '{exchange_type}'"
    code = ReplyCode.COMMAND_INVALID if closes_connection else ReplyCode.PRECONDITION_FAILED
    return ProtocolError(code, text)


def exchange_in_use(virtualhost: str, exchange_name: str) -> ProtocolError:
    text = f"{exchange_in(virtualhost, exchange_name)} in use"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def exchange_is_internal(virtualhost: str, exchange_name: str) -> ProtocolError:
    text = f"cannot publish to internal {exchange_in(virtualhost, exchange_name)}"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def too_many_topic_wildcards(routing_key: str, count: int, limit: int) -> ProtocolError:
    text = (
        f"Topic binding key '{routing_key}' uses {count} '#' wildcards, at most {limit} are allowed"
    )
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_x_match_value(value: str) -> ProtocolError:
    text = f"Invalid x-match field value {value}; expected all, any, all-with-x, or any-with-x"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_x_match_type(type_name: str, value: str) -> ProtocolError:
    text = f"Invalid x-match field type {type_name} (value {value}); expected longstr"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


# -- queues ------------------------------------------------------------------------------------


def no_queue(virtualhost: str, queue_name: str) -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_FOUND, f"no {queue_in(virtualhost, queue_name)}")


def no_queue_declared_on_channel() -> ProtocolError:
    return ProtocolError(ReplyCode.NOT_FOUND, "no previously declared queue")


def too_many_queues(virtualhost: str, queue_name: str, limit: int) -> ProtocolError:
    limited = f"queue limit in vhost '{virtualhost}' ({limit}) is reached"
    text = f"cannot declare queue '{queue_name}': {limited}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def queue_locked(virtualhost: str, queue_name: str) -> ProtocolError:
    text = (
        f"cannot obtain exclusive access to locked {queue_in(virtualhost, queue_name)}. "
        "It could be originally declared on another connection or the exclusive property "
        "value does not match that of the original declaration."
    )
    return ProtocolError(ReplyCode.RESOURCE_LOCKED, text)


def queue_in_use(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"{queue_in(virtualhost, queue_name)} in use"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def queue_not_empty(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"{queue_in(virtualhost, queue_name)} not empty"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def queue_in_exclusive_use(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"{queue_in(virtualhost, queue_name)} in exclusive use"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def unknown_queue_type(queue_type: str) -> ProtocolError:
    """Return the error for a server-named queue of an unknown type."""
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, f"unknown queue type '{queue_type}'")


def server_named_not_for_type(queue_type: str) -> ProtocolError:
    text = f"Cannot declare a server-named queue for type rabbit_{queue_type}_queue"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def delete_flag_not_supported(virtualhost: str, queue_name: str, flag: str) -> ProtocolError:
    """Return the error for if-unused and if-empty, which quorum queues do not support."""
    text = (
        f"cannot delete {queue_in(virtualhost, queue_name)}. "
        f"queue.delete operations with {flag} flag set are not supported by quorum queues"
    )
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def purge_not_supported(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"queue.purge not supported by stream queues {queue_in(virtualhost, queue_name)}"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def get_not_supported(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"basic.get not supported by stream queues {queue_in(virtualhost, queue_name)}"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def get_with_single_active_consumer(
    virtualhost: str, queue_name: str, *, as_term: bool
) -> ProtocolError:
    """Return the error for basic.get; since 4.3 it prints the queue type as an Erlang term."""
    queue_type = '<<"quorum">>' if as_term else "quorum"
    text = (
        f"cannot obtain access to locked {queue_in(virtualhost, queue_name)}. basic.get "
        f"operations are not supported by {queue_type} queues with single active consumer"
    )
    return ProtocolError(ReplyCode.RESOURCE_LOCKED, text)


def global_qos_not_supported(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"{queue_in(virtualhost, queue_name)} does not support global qos"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def stream_needs_prefetch(virtualhost: str, queue_name: str, *, quoted: bool) -> ProtocolError:
    """Return the error for a missing prefetch; until 3.11 it puts the stream in quotes."""
    stream = queue_in(virtualhost, queue_name)
    stream = f"'{stream}'" if quoted else f"stream {stream}"
    text = f"consumer prefetch count is not set for {stream}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def stream_needs_acknowledgements(
    virtualhost: str, queue_name: str, *, plural: bool
) -> ProtocolError:
    """Return the error for a consumer without acknowledgements; until 3.11 it has the plural."""
    streams = "stream queues" if plural else "stream"
    stream = queue_in(virtualhost, queue_name)
    text = f"automatic acknowledgement not supported by {streams} {stream}"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def stream_rejection_not_supported(virtualhost: str, queue_name: str) -> ProtocolError:
    stream = queue_in(virtualhost, queue_name)
    text = f"basic.nack and basic.reject not supported by stream queues {stream}"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def stream_segment_too_large() -> ProtocolError:
    text = "Exceeded max value for x-stream-max-segment-size-bytes"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_stream_filter_size(text: str) -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


# -- arguments of declarations -----------------------------------------------------------------


def invalid_argument(argument: str, resource: str, detail: str) -> ProtocolError:
    text = f"invalid arg '{argument}' for {resource}: {detail}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def argument_not_for_queue_type(argument: str, resource: str, queue_type: str) -> ProtocolError:
    text = f"invalid arg '{argument}' for {resource} of queue type rabbit_{queue_type}_queue"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_argument_type(argument: str, resource: str, type_name: str) -> ProtocolError:
    text = f"invalid type '{type_name}' for arg '{argument}' in {resource}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_property(property_name: str, resource: str) -> ProtocolError:
    text = f"invalid property '{property_name}' for {resource}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def inequivalent_argument(
    argument: str, resource: str, received: str, current: str
) -> ProtocolError:
    text = (
        f"inequivalent arg '{argument}' for {resource}: "
        f"received {received} but current is {current}"
    )
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


# -- publishing --------------------------------------------------------------------------------


def message_too_large(size: int, limit: int) -> ProtocolError:
    text = f"message size {size} is larger than configured max size {limit}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def user_id_mismatch(user_id: str, username: str) -> ProtocolError:
    text = f"user_id property set to '{user_id}' but authenticated user was '{username}'"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def invalid_expiration(expiration: str, detail: str) -> ProtocolError:
    return ProtocolError(
        ReplyCode.PRECONDITION_FAILED, f"invalid expiration '{expiration}': {detail}"
    )


def unacceptable_header_type(header: str, type_name: str) -> ProtocolError:
    text = f'invalid message: {{unacceptable_type_in_header,"{header}",{type_name}}}'
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def unknown_delivery_mode(delivery_mode: int) -> ProtocolError:
    text = f"invalid message: {{delivery_mode_unknown,{delivery_mode}}}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def get_from_volatile_queue(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"basic.get not supported by volatile {queue_in(virtualhost, queue_name)}"
    return ProtocolError(ReplyCode.NOT_IMPLEMENTED, text)


def volatile_queue_has_consumer(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"multiple consumers are unsupported for {queue_in(virtualhost, queue_name)}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def volatile_queue_of_other_channel(virtualhost: str, queue_name: str) -> ProtocolError:
    text = f"only creator channel may consume from {queue_in(virtualhost, queue_name)}"
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


def volatile_queue_not_bindable() -> ProtocolError:
    text = "cannot bind or unbind to a volatile (direct reply-to) queue"
    return ProtocolError(ReplyCode.ACCESS_REFUSED, text)


def no_reply_consumer() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "fast reply consumer does not exist")


# -- consuming and acknowledging ---------------------------------------------------------------


def consumer_tag_in_use(consumer_tag: str) -> ProtocolError:
    text = f"attempt to reuse consumer tag '{consumer_tag}'"
    return ProtocolError(ReplyCode.NOT_ALLOWED, text)


def reply_consumer_acknowledges() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "reply consumer cannot acknowledge")


def second_reply_consumer() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "reply consumer already set")


def unknown_delivery_tag(delivery_tag: int) -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, f"unknown delivery tag {delivery_tag}")


def acknowledgement_timed_out(channel_number: int, timeout: int) -> ProtocolError:
    text = (
        f"delivery acknowledgement on channel {channel_number} timed out. "
        f"Timeout value used: {timeout} ms. "
        "This timeout value can be configured, see consumers doc guide to learn more"
    )
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, text)


# -- confirms and transactions -----------------------------------------------------------------


def confirms_on_transactional_channel() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "cannot switch from tx to confirm mode")


def transaction_on_confirming_channel() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "cannot switch from confirm to tx mode")


def channel_not_transactional() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "channel is not transactional")


def transaction_partly_completed() -> ProtocolError:
    return ProtocolError(ReplyCode.PRECONDITION_FAILED, "partial tx completion")


def undeliverable(virtualhost: str, queue_name: str) -> ProtocolError:
    """Return the error for a queue that was deleted after routing; Erlang prints it on 80 columns."""
    prefix = "failed to deliver message: "
    resource = f"{{resource,{print_binary(virtualhost)},queue,"
    name = f"{print_binary(queue_name)}}}}}"
    tag, indent = "{not_found,", len(prefix) + 4
    if len(prefix) + len(tag) + len(resource) + len(name) <= _PRINTED_COLUMNS:
        text = prefix + tag + resource + name
    elif indent + len(resource) + len(name) <= _PRINTED_COLUMNS:
        text = f"{prefix}{tag}\n{' ' * indent}{resource}{name}"
    else:
        text = f"{prefix}{tag}\n{' ' * indent}{resource}\n{' ' * (indent + 4)}{name}"
    return ProtocolError(ReplyCode.RESOURCE_ERROR, text)
