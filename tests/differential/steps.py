"""Single steps, right and wrong ones."""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicConsumeParameters,
    BasicGetEmptyParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicQosParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConfirmSelectOkParameters,
    ConnectionBlockedParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionStartOkParameters,
    ConnectionTuneOkParameters,
    ConnectionUpdateSecretParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueUnbindParameters,
    TxCommitParameters,
    TxRollbackParameters,
    TxSelectParameters,
    method_of,
)
from tests.support.peer import BODY, HEADER, METHOD, encode_header

from . import queue_arguments
from .drawing import built, one_of, weighted
from .program import Burst, Call, Delivered, HangUp, Outstanding, Publish, Raw, Settle, Step
from .values import (
    binding_arguments,
    binding_keys,
    bodies,
    channels,
    connections,
    consumer_arguments,
    consumer_tags,
    exchange_arguments,
    exchange_types,
    exchanges,
    good_properties,
    often,
    open_channels,
    own_exchanges,
    own_queues,
    properties,
    queues,
    rarely,
    routing_keys,
    sometimes,
)

_numbers = st.integers(0, 3)


def calls(parameters: SearchStrategy[Any]) -> SearchStrategy[Step]:
    """Send methods somewhere."""
    return built(Call, connections, channels, parameters)


def publishing(
    parameters: SearchStrategy[Any], properties: SearchStrategy[Any]
) -> SearchStrategy[Step]:
    """Publish somewhere."""
    return built(Publish, connections, open_channels, parameters, properties, bodies)


declare_queue = built(
    QueueDeclareParameters,
    own_queues,
    passive=rarely,
    durable=sometimes,
    exclusive=rarely,
    auto_delete=rarely,
    no_wait=rarely,
    arguments=queue_arguments.classic,
)
declare_odd_queue = st.one_of(
    built(QueueDeclareParameters, queues, passive=st.just(True)),
    built(
        QueueDeclareParameters,
        st.just(""),
        durable=sometimes,
        exclusive=often,
        auto_delete=sometimes,
        arguments=queue_arguments.server_named,
    ),
    built(QueueDeclareParameters, weighted((1, "q0\r\n"), (1, "amq.other"), (1, "gen0"))),
)
declare_exchange = built(
    ExchangeDeclareParameters,
    own_exchanges,
    exchange_types,
    passive=rarely,
    durable=sometimes,
    auto_delete=sometimes,
    internal=rarely,
    no_wait=rarely,
    arguments=exchange_arguments,
)
declare_odd_exchange = built(
    ExchangeDeclareParameters, exchanges, exchange_types, passive=often, durable=often
)
bind_queue = built(QueueBindParameters, queues, exchanges, binding_keys, rarely, binding_arguments)
unbind_queue = built(
    QueueUnbindParameters, queues, exchanges, binding_keys, arguments=binding_arguments
)
bind_exchange = built(
    ExchangeBindParameters, exchanges, exchanges, binding_keys, rarely, binding_arguments
)
unbind_exchange = built(
    ExchangeUnbindParameters, exchanges, exchanges, binding_keys, rarely, binding_arguments
)
consume = built(
    BasicConsumeParameters,
    one_of((9, queues), (1, st.just("amq.rabbitmq.reply-to"))),
    consumer_tags,
    no_local=rarely,
    no_ack=sometimes,
    exclusive=rarely,
    # RabbitMQ forgets a consumer started without waiting, if its cancel comes too soon.
    arguments=consumer_arguments,
)
qos = built(
    BasicQosParameters, weighted((30, 0), (1, 10)), weighted((3, 1), (3, 2), (2, 0)), sometimes
)
publish = publishing(
    built(
        BasicPublishParameters,
        exchanges,
        routing_keys,
        mandatory=sometimes,
        immediate=weighted((30, False), (1, True)),
    ),
    properties,
)
publish_to_queue = publishing(
    built(
        BasicPublishParameters,
        st.just(""),
        one_of((12, own_queues), (1, st.just("gen0")), (1, st.just("reply0"))),
        mandatory=sometimes,
    ),
    properties,
)
consume_replies = built(
    BasicConsumeParameters,
    st.just("amq.rabbitmq.reply-to"),
    consumer_tags,
    no_ack=weighted((9, True), (1, False)),
)
settle = built(
    Settle,
    connections,
    open_channels,
    weighted((3, "ack"), (3, "nack"), (2, "reject")),
    one_of(
        (12, built(Outstanding, _numbers)),
        (1, built(Delivered, _numbers)),
        (1, st.sampled_from([0, 77])),
    ),
    multiple=sometimes,
    requeue=st.booleans(),
)


def burst_of(steps: SearchStrategy[Any]) -> SearchStrategy[Step]:
    """Do several steps on a channel at once."""
    return built(Burst, connections, open_channels, st.lists(steps, max_size=5).map(tuple))


_harmless = publishing(
    built(BasicPublishParameters, st.just(""), own_queues, mandatory=sometimes), good_properties
)
_refused = calls(
    weighted(
        (2, BasicGetParameters("q9")),
        (2, BasicAckParameters(77)),
        (1, BasicConsumeParameters("q9")),
        (1, QueueDeclareParameters("amq.other")),
        (1, QueueBindParameters("q9", "e9")),
    )
)
# Queues are named here: on a channel that it is closing, RabbitMQ (3.10.8, 4.0.5) still looks up
# the one meant by an empty name, closes the channel again, and takes the second close-ok amiss.
_bind_named_queue = calls(built(QueueBindParameters, own_queues, exchanges, binding_keys))
_anything = st.one_of(_harmless, settle, _refused, calls(declare_queue), _bind_named_queue)
# What a channel does and what queues do about it race, and where the channel is closed in between
# there is no telling what it has seen. So nothing is refused, or the first is.
burst = one_of(
    (2, burst_of(_harmless)),
    (
        1,
        built(
            Burst,
            connections,
            open_channels,
            st.tuples(_refused, _anything, _anything),
        ),
    ),
)
_METHODS_OUT_OF_PLACE = (
    ExchangeDeclareOkParameters(),
    ConfirmSelectOkParameters(),
    BasicCancelOkParameters("c0"),
    BasicGetEmptyParameters(),
    ConnectionStartOkParameters({}, "PLAIN", b"", "en_US"),
    ConnectionCloseOkParameters(),
    ConnectionUpdateSecretParameters(b"secret", "it is time"),
    ConnectionBlockedParameters("no reason"),
    ChannelCloseOkParameters(),
    ChannelOpenParameters(),
    ChannelFlowParameters(False),
    ConnectionCloseParameters(200, "on a channel"),
    ConnectionOpenParameters("/"),
    ConnectionTuneOkParameters(10, 4096, 0),
)
_PUBLISH = method_of(BasicPublishParameters).encode("", "nowhere", False, False)
_FRAMES = (
    ((METHOD, _PUBLISH),),
    ((METHOD, _PUBLISH), (HEADER, encode_header(0, BasicHeaderProperties(), class_id=50))),
    ((METHOD, _PUBLISH), (HEADER, encode_header(5, BasicHeaderProperties())), (BODY, b"ab")),
    ((HEADER, encode_header(0, BasicHeaderProperties())),),
    ((BODY, b"ab"),),
    ((9, b"abcd"),),
    ((8, b""),),
    ((METHOD, _PUBLISH), (HEADER, encode_header(2, BasicHeaderProperties())), (METHOD, _PUBLISH)),
    ((METHOD, _PUBLISH), (HEADER, encode_header(2, BasicHeaderProperties())), (BODY, b"more")),
    ((METHOD, b"\x00\x32\x00\x0a\x00"),),
    ((METHOD, b"\x00\x32\x00\x0a\x00\x00\x02\xff\xfe\x00\x00\x00\x00\x00"),),
    ((METHOD, b""),),
)
misuse = st.one_of(
    built(Call, connections, st.sampled_from([1, 0]), st.sampled_from(_METHODS_OUT_OF_PLACE)),
    built(Raw, connections, st.sampled_from([1, 0]), st.sampled_from(_FRAMES)),
)
close = one_of(
    (3, calls(st.just(ChannelCloseParameters(200, "done")))),
    (1, built(Call, connections, st.just(0), st.just(ConnectionCloseParameters(200, "bye")))),
    (1, built(HangUp, connections)),
)
transactions = calls(
    weighted(
        (2, TxSelectParameters()),
        (2, TxCommitParameters()),
        (1, TxRollbackParameters()),
    )
)
