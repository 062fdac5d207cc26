"""Themes about messages: where they go, who gets them, what becomes of them."""

from hypothesis import strategies as st

from ammoo_wire import (
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    BasicQosParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverParameters,
    ChannelFlowParameters,
    ConfirmSelectParameters,
    ExchangeDeleteParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
)

from .. import queue_arguments, steps, values
from ..drawing import built, one_of, weighted
from ..steps import calls
from ..values import often, rarely, sometimes
from . import valid_steps
from .theme import Theme, declare_exchanges, declare_queues

ANYTHING = Theme(
    (),
    (
        (8, steps.publish_to_queue),
        (7, steps.publish),
        (8, steps.settle),
        (2, steps.burst),
        (5, calls(steps.consume)),
        (5, calls(built(BasicGetParameters, values.queues, no_ack=sometimes))),
        (5, calls(steps.declare_queue)),
        (2, calls(steps.declare_odd_queue)),
        (4, calls(steps.declare_exchange)),
        (1, calls(steps.declare_odd_exchange)),
        (4, calls(steps.bind_queue)),
        (1, calls(steps.unbind_queue)),
        (2, calls(steps.bind_exchange)),
        (1, calls(steps.unbind_exchange)),
        (2, calls(steps.qos)),
        (2, calls(built(BasicCancelParameters, values.consumer_tags, rarely))),
        (1, calls(built(BasicRecoverParameters, often))),
        (1, calls(built(BasicRecoverAsyncParameters, often))),
        (1, calls(built(QueuePurgeParameters, values.queues, rarely))),
        (2, calls(built(QueueDeleteParameters, values.queues, sometimes, sometimes, rarely))),
        (1, calls(built(ExchangeDeleteParameters, values.exchanges, sometimes, rarely))),
        (2, calls(built(ConfirmSelectParameters, rarely))),
        (2, steps.transactions),
        (1, calls(st.just(ChannelFlowParameters(True)))),
        (2, steps.close),
        (1, steps.misuse),
    ),
)
CONSUMING = Theme(
    declare_queues(queue_arguments.good),
    (
        (9, valid_steps.publish_to_queue),
        (10, steps.settle),
        (2, steps.burst),
        (6, valid_steps.consume),
        (3, valid_steps.get),
        (3, valid_steps.qos),
        (3, valid_steps.cancel),
        (2, valid_steps.recover),
        (1, valid_steps.confirm),
        (1, valid_steps.purge),
        (1, valid_steps.delete_queue),
        (1, steps.close),
    ),
)
# No bursts: what queues send each other and what a channel publishes meanwhile race.
DEAD_LETTERS = Theme(
    (
        *declare_queues(queue_arguments.dead_letter)[:1],
        *declare_queues(queue_arguments.lasting_dead_letter)[1:],
        *declare_exchanges(values.exchange_types),
        *[valid_steps.bind_queue] * 4,
    ),
    (
        (5, valid_steps.publish),
        (6, valid_steps.publish_to_queue),
        (10, steps.settle),
        (3, valid_steps.consume),
        (7, valid_steps.get),
        (1, valid_steps.confirm),
        (1, valid_steps.bind_queue),
    ),
)
ROUTING = Theme(
    (
        *declare_queues(st.just({})),
        *declare_exchanges(values.exchange_types),
        *[valid_steps.bind_queue] * 4,
        *[valid_steps.bind_exchange] * 2,
    ),
    (
        (12, valid_steps.publish),
        (3, valid_steps.bind_queue),
        (3, valid_steps.bind_exchange),
        (1, calls(steps.unbind_queue)),
        (2, calls(steps.unbind_exchange)),
        (1, calls(steps.declare_exchange)),
        (1, calls(built(ExchangeDeleteParameters, values.own_exchanges, sometimes))),
        (1, valid_steps.delete_queue),
        (1, valid_steps.confirm),
        (1, valid_steps.get),
    ),
)
TRANSACTIONS = Theme(
    (
        *declare_queues(queue_arguments.good),
        *declare_exchanges(values.exchange_types),
    ),
    (
        (8, steps.transactions),
        (8, valid_steps.publish_to_queue),
        (3, valid_steps.publish),
        (10, steps.settle),
        (2, steps.burst),
        (3, valid_steps.consume),
        (3, valid_steps.get),
        (1, valid_steps.qos),
        (1, valid_steps.recover),
        (1, valid_steps.bind_queue),
        (1, steps.close),
    ),
)
DIRECT_REPLIES = Theme(
    declare_queues(st.just({})),
    (
        (4, calls(steps.consume_replies)),
        (
            6,
            steps.publishing(
                built(BasicPublishParameters, st.just(""), values.own_queues),
                st.just(BasicHeaderProperties(reply_to="amq.rabbitmq.reply-to")),
            ),
        ),
        (6, valid_steps.get),
        (
            6,
            steps.publishing(
                built(
                    BasicPublishParameters,
                    st.just(""),
                    weighted((3, "reply0"), (2, "reply1"), (1, "amq.rabbitmq.reply-to")),
                    mandatory=sometimes,
                ),
                values.good_properties,
            ),
        ),
        (
            1,
            calls(
                built(
                    QueueDeclareParameters,
                    weighted((2, "reply0"), (1, "reply1"), (1, "amq.rabbitmq.reply-to")),
                    passive=often,
                )
            ),
        ),
        (
            1,
            calls(built(BasicGetParameters, weighted((1, "reply0"), (1, "amq.rabbitmq.reply-to")))),
        ),
        (2, valid_steps.cancel),
        (1, valid_steps.confirm),
        (1, steps.transactions),
        (1, steps.close),
    ),
)
QUORUM = Theme(
    (
        *declare_queues(queue_arguments.quorum, durable=True)[:2],
        *declare_exchanges(values.exchange_types)[:1],
        valid_steps.bind_queue,
    ),
    (
        (9, valid_steps.publish_to_queue),
        (10, steps.settle),
        (5, valid_steps.consume),
        (4, valid_steps.get),
        (2, valid_steps.qos),
        (2, valid_steps.cancel),
        (1, valid_steps.recover),
        (1, valid_steps.purge),
        (1, steps.close),
    ),
)
# No bursts, as above.
MIXED_DEATHS = Theme(
    (
        *declare_queues(
            one_of(
                (3, queue_arguments.quorum_dead_letter), (2, queue_arguments.lasting_dead_letter)
            ),
            durable=True,
        ),
        *declare_exchanges(values.exchange_types)[:1],
        *[valid_steps.bind_queue] * 2,
    ),
    (
        (8, valid_steps.publish_to_queue),
        (2, valid_steps.publish),
        (10, steps.settle),
        (3, valid_steps.consume),
        (8, valid_steps.get),
        (1, valid_steps.cancel),
        (1, valid_steps.recover),
        (1, valid_steps.purge),
        (2, steps.close),
    ),
)
MATCHING = ROUTING._replace(
    scene=(
        *declare_queues(st.just({})),
        *declare_exchanges(weighted((2, "headers"), (1, "topic"))),
        *[valid_steps.bind_queue] * 6,
    )
)
STREAMS = Theme(
    (
        *declare_queues(queue_arguments.stream, durable=True, auto_delete=False)[:2],
        *declare_queues(queue_arguments.dead_letter)[2:],
        *declare_exchanges(weighted((1, "fanout"), (1, "topic")))[:1],
        *[valid_steps.bind_queue] * 2,
    ),
    (
        (9, valid_steps.publish_to_queue),
        (2, valid_steps.publish),
        (8, steps.settle),
        (
            6,
            calls(
                built(
                    BasicConsumeParameters,
                    values.own_queues,
                    values.new_consumer_tags,
                    no_ack=rarely,
                    arguments=values.stream_consumer_arguments,
                )
            ),
        ),
        (5, calls(weighted((3, BasicQosParameters(0, 2)), (1, BasicQosParameters(0, 1))))),
        (2, valid_steps.cancel),
        (1, valid_steps.recover),
        (1, valid_steps.get),
        (1, valid_steps.purge),
        (1, valid_steps.delete_queue),
        (1, valid_steps.confirm),
        (1, steps.close),
    ),
)
