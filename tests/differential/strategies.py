"""Make programs: mostly sensible ones, since nonsense ends them early, but with any nonsense in.

Few names, keys and values, so that steps meet: a program has three queues and three exchanges of
its own. Time is kept out: what expires does so at once or not while a program runs.
"""

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from ammoo_wire import (
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicQosParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelFlowParameters,
    ChannelOpenParameters,
    ConfirmSelectParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionTuneOkParameters,
    ExchangeBindParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    Float32,
    Int8,
    Int64,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
    TxCommitParameters,
    TxRollbackParameters,
    TxSelectParameters,
    encode_properties,
    method_of,
)
from tests.support.peer import BODY, HEADER, METHOD, encode_header

from .program import Call, Delivered, HangUp, Outstanding, Program, Publish, Raw, Settle, Step

LONG = 3_600_000
"""Milliseconds that nothing lives to see the end of."""


def _weighted(*choices: tuple[int, Any]) -> SearchStrategy[Any]:
    """Draw one of some values, each as often as its weight says; the first is the simplest."""
    return st.sampled_from([value for weight, value in choices for _ in range(weight)])


def _one_of(*choices: tuple[int, SearchStrategy[Any]]) -> SearchStrategy[Any]:
    """Draw from one of some strategies, each as often as its weight says."""
    return _weighted(*choices).flatmap(lambda strategy: strategy)


def _table(*items: tuple[int, str, Any]) -> SearchStrategy[dict[str, Any]]:
    """Draw a table of up to three of these items, most often an empty one."""
    pairs = _weighted(*((weight, (key, value)) for weight, key, value in items))
    return _one_of((3, st.just({})), (2, st.lists(pairs, max_size=3).map(dict)))


def _built(kind: Any, *fields: Any, **more: Any) -> SearchStrategy[Any]:
    """Draw a named tuple; fields that are not given have their defaults."""
    # Hypothesis would draw those too: it finds the fields' types, but not that they may be missing.
    return st.builds(lambda *values, **named: kind(*values, **named), *fields, **more)


often = _weighted((3, True), (1, False))
rarely = _weighted((9, False), (1, True))
sometimes = _weighted((3, False), (1, True))

connections = _weighted((3, 0), (1, 1))
channels = _weighted((12, 1), (8, 2), (1, 9))

own_queues = _weighted((4, "q0"), (3, "q1"), (2, "q2"))
queues = _weighted(
    (12, "q0"), (9, "q1"), (5, "q2"), (2, ""), (2, "gen0"), (1, "q9"), (1, "amq.other")
)
own_exchanges = _weighted((4, "e0"), (3, "e1"), (2, "e2"))
exchanges = _weighted(
    (12, "e0"),
    (8, "e1"),
    (4, "e2"),
    (1, ""),
    (1, "amq.direct"),
    (1, "amq.fanout"),
    (1, "amq.topic"),
    (1, "amq.headers"),
    (1, "e9"),
    (1, "amq.other"),
)
routing_keys = _weighted(
    (4, "a"), (3, "a.b"), (2, ""), (2, "q0"), (2, "q1"), (1, "a.b.c"), (1, "b"), (1, "a..b")
)
binding_keys = _weighted(
    (4, "a"), (3, "#"), (2, "a.*"), (2, "a.#"), (1, "*.b"), (1, "#.b"), (1, "*"), (1, ""), (1, "q0")
)
consumer_tags = _weighted((3, "c0"), (3, "c1"), (3, "c2"), (2, ""))
header_values = _weighted(
    (4, 1),
    (2, "1"),
    (2, True),
    (1, None),
    (1, 1.0),
    (1, Int64(1)),
    (1, b"1"),
    (1, Float32(1.0)),
    (1, {"k": 1}),
    (1, [1, "x"]),
    (1, 2),
)

queue_arguments = _table(
    (3, "x-max-length", 2),
    (2, "x-max-length", 1),
    (2, "x-max-length", 0),
    (1, "x-max-length", Int64(2)),
    (1, "x-max-length", -1),
    (1, "x-max-length", "2"),
    (2, "x-max-length-bytes", 5),
    (1, "x-max-length-bytes", -1),
    (2, "x-overflow", "reject-publish"),
    (1, "x-overflow", "drop-head"),
    (1, "x-overflow", "reject-publish-dlx"),
    (1, "x-overflow", "other"),
    (1, "x-overflow", 1),
    (5, "x-dead-letter-exchange", "e0"),
    (2, "x-dead-letter-exchange", ""),
    (1, "x-dead-letter-exchange", "e9"),
    (1, "x-dead-letter-exchange", 5),
    (3, "x-dead-letter-routing-key", "q1"),
    (1, "x-dead-letter-routing-key", "a"),
    (1, "x-dead-letter-routing-key", 7),
    (2, "x-message-ttl", LONG),
    (2, "x-message-ttl", 0),
    (1, "x-message-ttl", "0"),
    (1, "x-message-ttl", -1),
    (1, "x-expires", LONG),
    (1, "x-expires", 0),
    (3, "x-max-priority", 3),
    (1, "x-max-priority", 0),
    (1, "x-max-priority", 256),
    (2, "x-single-active-consumer", True),
    (1, "x-single-active-consumer", False),
    (1, "x-single-active-consumer", "yes"),
    (1, "x-queue-mode", "lazy"),
    (1, "x-queue-mode", "other"),
    (1, "x-queue-type", "classic"),
    (1, "x-queue-type", "other"),
    (1, "x-queue-type", 1),
    (1, "x-queue-version", 2),
    (1, "x-queue-version", 3),
    (1, "x-unknown", {"k": [1.5, None]}),
)
exchange_arguments = _table(
    (4, "alternate-exchange", "e1"),
    (3, "alternate-exchange", "e2"),
    (1, "alternate-exchange", "amq.fanout"),
    (1, "alternate-exchange", 1),
    (1, "x-unknown", 1),
)
binding_arguments = _one_of(
    (3, st.just({})),
    (
        2,
        st.fixed_dictionaries(
            {},
            optional={
                "x-match": _weighted(
                    (3, "all"), (3, "any"), (2, "all-with-x"), (2, "any-with-x"), (1, "x"), (1, 1)
                ),
                "h": header_values,
                "k": header_values,
                "x-h": header_values,
            },
        ),
    ),
)
consumer_arguments = _table(
    (3, "x-priority", 1),
    (2, "x-priority", -1),
    (1, "x-priority", Int8(2)),
    (1, "x-priority", "1"),
    (1, "x-priority", 1.0),
    (1, "x-stream-offset", "first"),
    (1, "x-unknown", 1),
)

headers = st.fixed_dictionaries(
    {},
    optional={
        "h": header_values,
        "k": header_values,
        "x-h": header_values,
        "CC": _weighted((4, ["q0"]), (2, ["q1", "a.b"]), (1, []), (1, [1, "a"]), (1, "q0")),
        "BCC": _weighted((4, ["q1"]), (2, ["q2", "a"]), (1, [None]), (1, 5)),
        "x-death": _weighted((1, "x"), (1, [])),
    },
)
properties = _one_of(
    (4, st.just(BasicHeaderProperties())),
    (
        3,
        _built(
            BasicHeaderProperties,
            headers=st.none() | headers,
            delivery_mode=_weighted((4, None), (2, 2), (1, 1), (1, 3)),
            priority=_weighted((4, None), (1, 0), (1, 1), (1, 3), (1, 255)),
            expiration=_weighted((8, None), (2, str(LONG)), (2, "0"), (1, ""), (1, "-1"), (1, "x")),
        ),
    ),
    (
        1,
        _built(
            BasicHeaderProperties,
            content_type=_weighted((1, None), (1, "text/plain"), (1, "")),
            content_encoding=_weighted((1, None), (1, "utf-8")),
            correlation_id=_weighted((1, None), (1, "Größe")),
            reply_to=_weighted((2, None), (2, "amq.rabbitmq.reply-to"), (1, "q0")),
            message_id=_weighted((1, None), (1, "m")),
            timestamp=_weighted((1, None), (1, 1_700_000_000)),
            type_=_weighted((1, None), (1, "t")),
            user_id=_weighted((3, None), (2, "guest"), (1, "other")),
            app_id=_weighted((1, None), (1, "a")),
            cluster_id=_weighted((3, None), (1, "c")),
        ),
    ),
)

_numbers = st.integers(0, 3)


def _calls(parameters: SearchStrategy[Any]) -> SearchStrategy[Step]:
    return _built(Call, connections, channels, parameters)


declare_queue = _built(
    QueueDeclareParameters,
    own_queues,
    passive=rarely,
    durable=sometimes,
    exclusive=rarely,
    auto_delete=rarely,
    no_wait=rarely,
    arguments=queue_arguments,
)
declare_plain_queue = _built(QueueDeclareParameters, own_queues, arguments=queue_arguments)
declare_odd_queue = st.one_of(
    _built(QueueDeclareParameters, queues, passive=st.just(True)),
    _built(
        QueueDeclareParameters,
        st.just(""),
        durable=sometimes,
        exclusive=often,
        auto_delete=sometimes,
        arguments=queue_arguments,
    ),
    _built(QueueDeclareParameters, _weighted((1, "q0\r\n"), (1, "amq.other"), (1, "gen0"))),
)
exchange_types = _weighted(
    (3, "fanout"), (3, "direct"), (3, "topic"), (2, "headers"), (1, "x-other")
)
declare_exchange = _built(
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
declare_odd_exchange = _built(
    ExchangeDeclareParameters, exchanges, exchange_types, passive=often, durable=often
)
bind_queue = _built(QueueBindParameters, queues, exchanges, binding_keys, rarely, binding_arguments)
unbind_queue = _built(
    QueueUnbindParameters, queues, exchanges, binding_keys, arguments=binding_arguments
)
bind_exchange = _built(
    ExchangeBindParameters, exchanges, exchanges, binding_keys, rarely, binding_arguments
)
unbind_exchange = _built(
    ExchangeUnbindParameters, exchanges, exchanges, binding_keys, rarely, binding_arguments
)
consume = _built(
    BasicConsumeParameters,
    _one_of((9, queues), (1, st.just("amq.rabbitmq.reply-to"))),
    consumer_tags,
    no_local=rarely,
    no_ack=sometimes,
    exclusive=rarely,
    # RabbitMQ forgets a consumer started without waiting, if its cancel comes too soon.
    arguments=consumer_arguments,
)
qos = _built(
    BasicQosParameters, _weighted((30, 0), (1, 10)), _weighted((3, 1), (3, 2), (2, 0)), sometimes
)
publish = _built(
    Publish,
    connections,
    _weighted((12, 1), (8, 2)),
    _built(
        BasicPublishParameters,
        exchanges,
        routing_keys,
        mandatory=sometimes,
        immediate=_weighted((30, False), (1, True)),
    ),
    properties,
    _weighted((4, b"one"), (4, b"two"), (4, b"three"), (1, b"")),
)
publish_to_queue = _built(
    Publish,
    connections,
    _weighted((12, 1), (8, 2)),
    _built(
        BasicPublishParameters,
        st.just(""),
        _one_of((12, own_queues), (1, st.just("gen0")), (1, st.just("reply0"))),
        mandatory=sometimes,
    ),
    properties,
    _weighted((4, b"one"), (4, b"two"), (4, b"three"), (1, b"")),
)
settle = _built(
    Settle,
    connections,
    _weighted((12, 1), (8, 2)),
    _weighted((3, "ack"), (3, "nack"), (2, "reject")),
    _one_of(
        (12, _built(Outstanding, _numbers)),
        (1, _built(Delivered, _numbers)),
        (1, st.sampled_from([0, 77])),
    ),
    multiple=sometimes,
    requeue=st.booleans(),
)
_METHODS_OUT_OF_PLACE = (
    ExchangeDeclareOkParameters(),
    ChannelCloseOkParameters(),
    ChannelOpenParameters(),
    ChannelFlowParameters(False),
    ConnectionCloseParameters(200, "on a channel"),
    ConnectionOpenParameters("/"),
    ConnectionTuneOkParameters(10, 4096, 0),
)
_PUBLISH = method_of(BasicPublishParameters).encode("", "nowhere", False, False)
_NO_PROPERTIES = encode_properties(BasicHeaderProperties())
_FRAMES = (
    ((METHOD, _PUBLISH),),
    ((METHOD, _PUBLISH), (HEADER, encode_header(0, BasicHeaderProperties(), class_id=50))),
    ((METHOD, _PUBLISH), (HEADER, encode_header(5, BasicHeaderProperties())), (BODY, b"ab")),
    ((HEADER, encode_header(0, BasicHeaderProperties())),),
    ((BODY, b"ab"),),
    ((9, b"abcd"),),
    ((8, b""),),
    ((METHOD, b"\x00\x32\x00\x0a\x00"),),
)
misuse = st.one_of(
    _built(Call, connections, st.sampled_from([1, 0]), st.sampled_from(_METHODS_OUT_OF_PLACE)),
    _built(Raw, connections, st.sampled_from([1, 0]), st.sampled_from(_FRAMES)),
)
close = _one_of(
    (3, _calls(st.just(ChannelCloseParameters(200, "done")))),
    (1, _built(Call, connections, st.just(0), st.just(ConnectionCloseParameters(200, "bye")))),
    (1, _built(HangUp, connections)),
)
transactions = _calls(
    _weighted(
        (2, TxSelectParameters()),
        (2, TxCommitParameters()),
        (1, TxRollbackParameters()),
    )
)

steps: SearchStrategy[Step] = _one_of(
    (8, publish_to_queue),
    (7, publish),
    (8, settle),
    (5, _calls(consume)),
    (5, _calls(_built(BasicGetParameters, queues, no_ack=sometimes))),
    (3, _calls(declare_queue)),
    (2, _calls(declare_odd_queue)),
    (2, _calls(declare_exchange)),
    (1, _calls(declare_odd_exchange)),
    (3, _calls(bind_queue)),
    (1, _calls(unbind_queue)),
    (2, _calls(bind_exchange)),
    (1, _calls(unbind_exchange)),
    (2, _calls(qos)),
    (2, _calls(_built(BasicCancelParameters, consumer_tags, rarely))),
    (1, _calls(_built(BasicRecoverParameters, often))),
    (1, _calls(_built(BasicRecoverAsyncParameters, often))),
    (1, _calls(_built(QueuePurgeParameters, queues, rarely))),
    (2, _calls(_built(QueueDeleteParameters, queues, sometimes, sometimes, rarely))),
    (1, _calls(_built(ExchangeDeleteParameters, exchanges, sometimes, rarely))),
    (2, _calls(_built(ConfirmSelectParameters, rarely))),
    (2, transactions),
    (1, _calls(st.just(ChannelFlowParameters(True)))),
    (2, close),
    (1, misuse),
)
beginnings: SearchStrategy[Step] = _one_of(
    (4, _calls(declare_plain_queue)),
    (3, _calls(declare_exchange)),
    (4, _calls(bind_queue)),
    (1, _calls(bind_exchange)),
    (1, _calls(qos)),
    (2, _calls(consume)),
    (1, _calls(st.just(ConfirmSelectParameters()))),
)


def programs() -> SearchStrategy[Program]:
    """Make programs: something to work with first, then anything."""
    # Hypothesis makes short lists (about five steps) but shrinks them best: take several.
    parts = [*[st.lists(beginnings)] * 2, *[st.lists(steps)] * 6]
    return st.tuples(*parts).map(lambda lists: tuple(step for part in lists for step in part))
