"""Make programs: mostly sensible ones, since nonsense ends them early, but with any nonsense in.

A program has a theme, which says what steps are likely. Without one, everything is about as likely
as everything else, and little meets what it needs: a message of high priority, a full queue and a
consumer at its limit come together only where such things are common.
"""

from typing import Any, NamedTuple

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
    ChannelFlowParameters,
    ConfirmSelectParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
)

from . import steps, values
from .drawing import built, one_of, weighted
from .program import Call, Program, Step
from .steps import calls
from .values import often, rarely, sometimes

Strategy = SearchStrategy[Step]


class Theme(NamedTuple):
    """A kind of programs.

    Attributes:
        scene: Steps that come first, all of them, in this order.
        steps: What comes then, as often as the weights say.
    """

    scene: tuple[Strategy, ...]
    steps: tuple[tuple[int, Strategy], ...]


def _declare_queues(
    arguments: SearchStrategy[Any], *, durable: bool = False, auto_delete: bool = True
) -> tuple[Strategy, ...]:
    return tuple(
        built(
            Call,
            st.just(0),
            st.just(1),
            built(
                QueueDeclareParameters,
                st.just(name),
                durable=st.just(durable),
                auto_delete=rarely if auto_delete else st.just(False),
                arguments=arguments,
            ),
        )
        for name in ("q0", "q1", "q2")
    )


def _declare_exchanges(types: SearchStrategy[str]) -> tuple[Strategy, ...]:
    return tuple(
        built(
            Call,
            st.just(0),
            st.just(1),
            built(
                ExchangeDeclareParameters,
                st.just(name),
                types,
                auto_delete=rarely,
                internal=rarely,
                arguments=values.good_exchange_arguments,
            ),
        )
        for name in ("e0", "e1", "e2")
    )


_bind_queue = calls(
    built(
        QueueBindParameters,
        values.own_queues,
        values.own_exchanges,
        values.binding_keys,
        arguments=values.good_binding_arguments,
    )
)
_bind_exchange = calls(
    built(
        ExchangeBindParameters,
        values.own_exchanges,
        values.own_exchanges,
        values.binding_keys,
        arguments=values.good_binding_arguments,
    )
)
_consume = calls(
    built(
        BasicConsumeParameters,
        values.own_queues,
        values.new_consumer_tags,
        no_ack=rarely,
        arguments=values.good_consumer_arguments,
    )
)
_get = calls(built(BasicGetParameters, values.own_queues, no_ack=sometimes))
_publish = steps.publishing(
    built(BasicPublishParameters, values.own_exchanges, values.routing_keys, mandatory=sometimes),
    values.good_properties,
)
_publish_to_queue = steps.publishing(
    built(BasicPublishParameters, st.just(""), values.own_queues, mandatory=rarely),
    values.good_properties,
)
_cancel = calls(built(BasicCancelParameters, values.consumer_tags, rarely))
_confirm = calls(st.just(ConfirmSelectParameters()))
_recover = calls(
    one_of(
        (2, st.just(BasicRecoverParameters(True))), (1, st.just(BasicRecoverAsyncParameters(True)))
    )
)
_purge = calls(built(QueuePurgeParameters, values.own_queues))
_delete_queue = calls(built(QueueDeleteParameters, values.own_queues, sometimes, sometimes))
_qos = calls(values.good_qos)

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
    _declare_queues(values.good_queue_arguments),
    (
        (9, _publish_to_queue),
        (10, steps.settle),
        (2, steps.burst),
        (6, _consume),
        (3, _get),
        (3, _qos),
        (3, _cancel),
        (2, _recover),
        (1, _confirm),
        (1, _purge),
        (1, _delete_queue),
        (1, steps.close),
    ),
)
# No bursts: what queues send each other and what a channel publishes meanwhile race.
DEAD_LETTERS = Theme(
    (
        *_declare_queues(values.dead_letter_arguments),
        *_declare_exchanges(values.exchange_types),
        *[_bind_queue] * 4,
    ),
    (
        (5, _publish),
        (6, _publish_to_queue),
        (10, steps.settle),
        (3, _consume),
        (7, _get),
        (1, _confirm),
        (1, _bind_queue),
    ),
)
ROUTING = Theme(
    (
        *_declare_queues(st.just({})),
        *_declare_exchanges(values.exchange_types),
        *[_bind_queue] * 4,
        *[_bind_exchange] * 2,
    ),
    (
        (12, _publish),
        (3, _bind_queue),
        (3, _bind_exchange),
        (1, calls(steps.unbind_queue)),
        (2, calls(steps.unbind_exchange)),
        (1, calls(steps.declare_exchange)),
        (1, calls(built(ExchangeDeleteParameters, values.own_exchanges, sometimes))),
        (1, _delete_queue),
        (1, _confirm),
        (1, _get),
    ),
)
TRANSACTIONS = Theme(
    (*_declare_queues(values.good_queue_arguments), *_declare_exchanges(values.exchange_types)),
    (
        (8, steps.transactions),
        (8, _publish_to_queue),
        (3, _publish),
        (10, steps.settle),
        (2, steps.burst),
        (3, _consume),
        (3, _get),
        (1, _qos),
        (1, _recover),
        (1, _bind_queue),
        (1, steps.close),
    ),
)
DIRECT_REPLIES = Theme(
    _declare_queues(st.just({})),
    (
        (4, calls(steps.consume_replies)),
        (
            6,
            steps.publishing(
                built(BasicPublishParameters, st.just(""), values.own_queues),
                st.just(BasicHeaderProperties(reply_to="amq.rabbitmq.reply-to")),
            ),
        ),
        (6, _get),
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
        (2, _cancel),
        (1, _confirm),
        (1, steps.transactions),
        (1, steps.close),
    ),
)
QUORUM = Theme(
    (
        *_declare_queues(values.quorum_queue_arguments, durable=True)[:2],
        *_declare_exchanges(values.exchange_types)[:1],
        _bind_queue,
    ),
    (
        (9, _publish_to_queue),
        (10, steps.settle),
        (5, _consume),
        (4, _get),
        (2, _qos),
        (2, _cancel),
        (1, _recover),
        (1, _purge),
        (1, steps.close),
    ),
)
MATCHING = ROUTING._replace(
    scene=(
        *_declare_queues(st.just({})),
        *_declare_exchanges(weighted((2, "headers"), (1, "topic"))),
        *[_bind_queue] * 6,
    )
)
STREAMS = Theme(
    _declare_queues(values.stream_arguments, durable=True, auto_delete=False)[:2],
    (
        (9, _publish_to_queue),
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
        (2, _cancel),
        (1, _recover),
        (1, _get),
        (1, _purge),
        (1, _delete_queue),
        (1, _confirm),
        (1, steps.close),
    ),
)
_declare_own = calls(
    built(
        QueueDeclareParameters,
        values.own_queues,
        exclusive=often,
        auto_delete=sometimes,
        arguments=values.good_queue_arguments,
    )
)
EXCLUSIVE = Theme(
    (),
    (
        (8, _declare_own),
        (3, calls(built(QueueDeclareParameters, values.own_queues, passive=st.just(True)))),
        (6, _publish_to_queue),
        (3, _get),
        (
            5,
            calls(
                built(
                    BasicConsumeParameters,
                    values.own_queues,
                    values.new_consumer_tags,
                    exclusive=sometimes,
                )
            ),
        ),
        (4, steps.settle),
        (3, calls(built(QueueBindParameters, values.own_queues, st.just("amq.fanout")))),
        (2, calls(built(QueueUnbindParameters, values.own_queues, st.just("amq.fanout")))),
        (
            2,
            steps.publishing(
                built(BasicPublishParameters, st.just("amq.fanout"), mandatory=sometimes),
                values.good_properties,
            ),
        ),
        (2, _cancel),
        (1, _purge),
        (2, _delete_queue),
        (3, steps.close),
    ),
)
THEMES = (
    (4, ANYTHING),
    (4, CONSUMING),
    (3, DEAD_LETTERS),
    (2, ROUTING),
    (2, TRANSACTIONS),
    (1, MATCHING),
    (1, DIRECT_REPLIES),
    (2, QUORUM),
    (1, STREAMS),
    (1, EXCLUSIVE),
)


def of_theme(theme: Theme) -> SearchStrategy[Program]:
    """Make programs of a theme."""
    # Hypothesis makes short lists (about five steps) but shrinks them best: take several.
    parts = st.tuples(*[st.lists(one_of(*theme.steps))] * 6)
    return st.builds(
        lambda scene, parts: (*scene, *(step for part in parts for step in part)),
        st.tuples(*theme.scene),
        parts,
    )


def programs() -> SearchStrategy[Program]:
    """Make programs."""
    return one_of(*((weight, of_theme(theme)) for weight, theme in THEMES))
