"""Themes about queues and exchanges: who may do what to them, and with what arguments."""

from typing import Any

from hypothesis import strategies as st

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    BasicHeaderProperties,
    BasicPublishParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import LIMITED

from .. import queue_arguments, steps, values
from ..drawing import built, one_of, weighted
from ..program import LIMITED_CONNECTION, Call
from ..steps import calls
from ..values import often, rarely, sometimes
from . import valid_steps
from .theme import Strategy, Theme

_declare_own = calls(
    built(
        QueueDeclareParameters,
        values.own_queues,
        exclusive=often,
        auto_delete=sometimes,
        arguments=queue_arguments.good,
    )
)
EXCLUSIVE = Theme(
    (),
    (
        (8, _declare_own),
        (3, calls(built(QueueDeclareParameters, values.own_queues, passive=st.just(True)))),
        (6, valid_steps.publish_to_queue),
        (3, valid_steps.get),
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
        (2, valid_steps.cancel),
        (1, valid_steps.purge),
        (2, valid_steps.delete_queue),
        (3, steps.close),
    ),
)
_declare_any = built(
    QueueDeclareParameters,
    values.own_queues,
    passive=rarely,
    durable=often,
    exclusive=rarely,
    auto_delete=rarely,
    no_wait=rarely,
    arguments=queue_arguments.of_any_type,
)
_unbind_queue = built(
    QueueUnbindParameters,
    values.own_queues,
    values.own_exchanges,
    values.binding_keys,
    values.binding_arguments,
)
_ADMINISTRATION = (
    (10, _declare_any),
    (1, steps.declare_odd_queue),
    (4, steps.declare_exchange),
    (1, steps.declare_odd_exchange),
    (2, built(QueueDeleteParameters, values.own_queues, sometimes, sometimes, rarely)),
    (1, built(ExchangeDeleteParameters, values.exchanges, sometimes, rarely)),
    (2, built(QueueBindParameters, values.own_queues, values.exchanges, values.binding_keys)),
    (1, steps.bind_exchange),
    (1, _unbind_queue),
    (1, steps.unbind_exchange),
    (1, built(QueuePurgeParameters, values.own_queues, rarely)),
)
DECLARING = Theme(
    (),
    (
        (12, calls(one_of(*_ADMINISTRATION))),
        # Without messages and consumers nothing races: the channel does one after the other.
        (1, steps.burst_of(calls(one_of(*_ADMINISTRATION)))),
        (1, steps.publish_to_queue),
        (1, valid_steps.get),
        (1, steps.close),
    ),
)

_rights = ("cwr", "cw", "cr", "wr", "c", "w", "r", "")
_limited_queues = st.sampled_from([f"q{n}+{rights}" for n, rights in enumerate(_rights)])
_limited_exchanges = st.sampled_from([f"e{n}+{rights}" for n, rights in enumerate(_rights)])
_any_exchange = one_of((9, _limited_exchanges), (1, st.sampled_from(["", "amq.topic", "e9+cwr"])))


def _scene() -> tuple[Strategy, ...]:
    """Let a superuser make something of each kind of rights."""
    return tuple(
        st.just(Call(0, 1, parameters))
        for n, rights in enumerate(_rights)
        for parameters in (
            QueueDeclareParameters(f"q{n}+{rights}"),
            ExchangeDeclareParameters(f"e{n}+{rights}", "fanout"),
        )
    )


def _mostly_limited(step: Strategy) -> Strategy:
    """Let the user do a step whom permissions stop, or, now and then, the one whom nothing does."""
    return built(
        lambda step, connection: step._replace(connection=connection),
        step,
        weighted((5, LIMITED_CONNECTION), (1, 0)),
    )


def _limited_call(kind: Any, *fields: Any, **more: Any) -> Strategy:
    return _mostly_limited(calls(built(kind, *fields, **more)))


PERMISSIONS = Theme(
    _scene(),
    (
        (
            5,
            _limited_call(
                QueueDeclareParameters,
                one_of((9, _limited_queues), (1, st.just(""))),
                passive=sometimes,
                exclusive=rarely,
                arguments=one_of(
                    (2, st.just({})),
                    (1, st.builds(lambda name: {"x-dead-letter-exchange": name}, _any_exchange)),
                ),
            ),
        ),
        (
            3,
            _limited_call(
                ExchangeDeclareParameters,
                one_of((6, _limited_exchanges), (1, st.just("e9+cr"))),
                weighted((4, "fanout"), (1, "topic")),
                passive=sometimes,
                arguments=one_of(
                    (2, st.just({})),
                    (1, st.builds(lambda name: {"alternate-exchange": name}, _any_exchange)),
                ),
            ),
        ),
        (3, _limited_call(QueueBindParameters, _limited_queues, _any_exchange, st.just("a"))),
        (1, _limited_call(QueueUnbindParameters, _limited_queues, _any_exchange, st.just("a"))),
        (
            2,
            _limited_call(
                ExchangeBindParameters, _limited_exchanges, _limited_exchanges, st.just("a")
            ),
        ),
        (
            1,
            _limited_call(
                ExchangeUnbindParameters, _limited_exchanges, _limited_exchanges, st.just("a")
            ),
        ),
        (1, _limited_call(QueueDeleteParameters, _limited_queues, rarely, rarely)),
        (1, _limited_call(ExchangeDeleteParameters, _limited_exchanges, rarely)),
        (1, _limited_call(QueuePurgeParameters, _limited_queues)),
        (3, _limited_call(BasicGetParameters, _limited_queues, no_ack=sometimes)),
        (3, _limited_call(BasicConsumeParameters, _limited_queues, values.new_consumer_tags)),
        (
            5,
            _mostly_limited(
                steps.publishing(
                    built(
                        BasicPublishParameters,
                        _any_exchange,
                        one_of((1, _limited_queues), (1, st.just("a"))),
                        mandatory=sometimes,
                    ),
                    one_of(
                        (5, values.good_properties),
                        (
                            1,
                            st.sampled_from(["guest", LIMITED]).map(
                                lambda user: BasicHeaderProperties(user_id=user)
                            ),
                        ),
                    ),
                )
            ),
        ),
        (3, _mostly_limited(steps.settle)),
        (1, _mostly_limited(valid_steps.confirm)),
        (1, _mostly_limited(steps.transactions)),
        (1, _mostly_limited(steps.close)),
    ),
)
