"""What programs are made of: names, keys, arguments, headers, properties.

Few of each, so that steps meet: a program has three queues and three exchanges of its own. Time is
kept out: what expires does so at once or not while a program runs. So is Erlang's table of atoms,
which decides how RabbitMQ words its refusal of an unknown exchange type.
"""

from hypothesis import strategies as st

from ammoo_wire import BasicHeaderProperties, BasicQosParameters, Float32, Int8, Int64, Timestamp

from .drawing import built, one_of, table, weighted
from .program import BARE_CONNECTION
from .queue_arguments import LONG

often = weighted((3, True), (1, False))
rarely = weighted((9, False), (1, True))
sometimes = weighted((3, False), (1, True))

connections = weighted((8, 0), (4, 1), (1, BARE_CONNECTION))
channels = weighted((24, 1), (16, 2), (1, 9))
open_channels = weighted((3, 1), (2, 2))

own_queues = weighted((4, "q0"), (3, "q1"), (2, "q2"))
queues = weighted(
    (12, "q0"), (9, "q1"), (5, "q2"), (2, ""), (2, "gen0"), (1, "q9"), (1, "amq.other")
)
own_exchanges = weighted((4, "e0"), (3, "e1"), (2, "e2"))
exchanges = weighted(
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
exchange_types = weighted(
    (3, "fanout"), (3, "direct"), (3, "topic"), (2, "headers"), (1, "x-other")
)
routing_keys = weighted(
    (4, "a"), (3, "a.b"), (2, ""), (2, "q0"), (2, "q1"), (1, "a.b.c"), (1, "b"), (1, "a..b")
)
bodies = weighted((4, b"one"), (4, b"two"), (4, b"three"), (1, b""))
binding_keys = weighted(
    (4, "a"), (3, "#"), (2, "a.*"), (2, "a.#"), (1, "*.b"), (1, "#.b"), (1, "*"), (1, ""), (1, "q0")
)
consumer_tags = weighted((3, "c0"), (3, "c1"), (3, "c2"), (2, ""))
header_values = weighted(
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

stream_consumer_arguments = weighted(
    (3, {"x-stream-offset": "first"}),
    (2, {"x-stream-offset": "last"}),
    (2, {"x-stream-offset": "next"}),
    (2, {"x-stream-offset": Int64(1)}),
    (1, {"x-stream-offset": Int64(7)}),
    (2, {}),
    (1, {"x-stream-offset": "1h"}),
    (1, {"x-stream-offset": Timestamp(1_700_000_000)}),
    (1, {"x-stream-offset": "other"}),
    (1, {"x-stream-offset": -1}),
    (1, {"x-stream-offset": 1.5}),
    (1, {"x-priority": 1}),
)
good_exchange_arguments = table((3, "alternate-exchange", "e1"), (2, "alternate-exchange", "e2"))
exchange_arguments = table(
    (4, "alternate-exchange", "e1"),
    (3, "alternate-exchange", "e2"),
    (1, "alternate-exchange", "amq.fanout"),
    (1, "alternate-exchange", 1),
    (1, "x-unknown", 1),
)
binding_arguments = one_of(
    (3, st.just({})),
    (
        2,
        st.fixed_dictionaries(
            {},
            optional={
                "x-match": weighted(
                    (3, "all"), (3, "any"), (2, "all-with-x"), (2, "any-with-x"), (1, "x"), (1, 1)
                ),
                "h": header_values,
                "k": header_values,
                "x-h": header_values,
            },
        ),
    ),
)
good_binding_arguments = one_of(
    (3, st.just({})),
    (
        2,
        st.fixed_dictionaries(
            {},
            optional={
                "x-match": weighted((2, "all"), (3, "any"), (1, "all-with-x"), (1, "any-with-x")),
                "h": header_values,
                "k": header_values,
                "x-h": header_values,
            },
        ),
    ),
)
good_consumer_arguments = table((2, "x-priority", 1), (1, "x-priority", -1))
good_qos = built(BasicQosParameters, st.just(0), weighted((3, 1), (3, 2), (1, 0)), sometimes)
new_consumer_tags = weighted((1, "c0"), (1, "c1"), (1, "c2"), (5, ""))
consumer_arguments = table(
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
        "CC": weighted((4, ["q0"]), (2, ["q1", "a.b"]), (1, []), (1, [1, "a"]), (1, "q0")),
        "BCC": weighted((4, ["q1"]), (2, ["q2", "a"]), (1, [None]), (1, 5)),
        "x-death": weighted((1, "x"), (1, [])),
    },
)
good_headers = st.fixed_dictionaries(
    {},
    optional={
        "h": header_values,
        "k": header_values,
        "x-h": header_values,
        "CC": weighted((2, ["q0"]), (2, ["q1", "a.b"]), (1, [])),
        "BCC": weighted((2, ["q1"]), (2, ["q2", "a"])),
    },
)
properties = one_of(
    (4, st.just(BasicHeaderProperties())),
    (
        3,
        built(
            BasicHeaderProperties,
            headers=st.none() | headers,
            delivery_mode=weighted((4, None), (2, 2), (1, 1), (1, 3)),
            priority=weighted((4, None), (1, 0), (1, 1), (1, 3), (1, 255)),
            expiration=weighted((8, None), (2, str(LONG)), (2, "0"), (1, ""), (1, "-1"), (1, "x")),
        ),
    ),
    (
        1,
        built(
            BasicHeaderProperties,
            content_type=weighted((1, None), (1, "text/plain"), (1, "")),
            content_encoding=weighted((1, None), (1, "utf-8")),
            correlation_id=weighted((1, None), (1, "Größe")),
            reply_to=weighted((2, None), (2, "amq.rabbitmq.reply-to"), (1, "q0")),
            message_id=weighted((1, None), (1, "m")),
            timestamp=weighted((1, None), (1, 1_700_000_000)),
            type_=weighted((1, None), (1, "t")),
            user_id=weighted((3, None), (2, "guest"), (1, "other")),
            app_id=weighted((1, None), (1, "a")),
            cluster_id=weighted((3, None), (1, "c")),
        ),
    ),
)
good_properties = one_of(
    (3, st.just(BasicHeaderProperties())),
    (
        2,
        built(
            BasicHeaderProperties,
            headers=st.none() | good_headers,
            delivery_mode=weighted((4, None), (2, 2), (1, 1)),
            priority=weighted((4, None), (1, 0), (1, 1), (1, 3), (1, 255)),
            expiration=weighted((8, None), (2, str(LONG)), (1, "0")),
        ),
    ),
)
