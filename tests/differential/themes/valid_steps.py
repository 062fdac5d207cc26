"""Steps that are right, as far as one can know without what came before: themes consist of them."""

from hypothesis import strategies as st

from ammoo_wire import (
    BasicCancelParameters,
    BasicConsumeParameters,
    BasicGetParameters,
    BasicPublishParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverParameters,
    ConfirmSelectParameters,
    ExchangeBindParameters,
    QueueBindParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
)

from .. import steps, values
from ..drawing import built, one_of, weighted
from ..steps import calls
from ..values import rarely, sometimes

bind_queue = calls(
    built(
        QueueBindParameters,
        values.own_queues,
        values.own_exchanges,
        values.binding_keys,
        arguments=values.good_binding_arguments,
    )
)
bind_exchange = calls(
    built(
        ExchangeBindParameters,
        values.own_exchanges,
        values.own_exchanges,
        values.binding_keys,
        arguments=values.good_binding_arguments,
    )
)
_consume_and_wait = built(
    BasicConsumeParameters,
    values.own_queues,
    values.new_consumer_tags,
    no_ack=rarely,
    exclusive=weighted((19, False), (1, True)),
    arguments=values.good_consumer_arguments,
)
# Where nothing is sent behind it before the queue has a consumer more, it is none too soon for
# RabbitMQ. Consumers have names here, as nobody tells the one that it would make up.
_consume_without_waiting = built(
    BasicConsumeParameters,
    values.own_queues,
    weighted((1, "c0"), (1, "c1"), (1, "c2")),
    no_ack=rarely,
    no_wait=st.just(True),
    arguments=values.good_consumer_arguments,
)
consume = calls(one_of((9, _consume_and_wait), (1, _consume_without_waiting)))
get = calls(built(BasicGetParameters, values.own_queues, no_ack=sometimes))
publish = steps.publishing(
    built(BasicPublishParameters, values.own_exchanges, values.routing_keys, mandatory=sometimes),
    values.good_properties,
)
publish_to_queue = steps.publishing(
    built(BasicPublishParameters, st.just(""), values.own_queues, mandatory=rarely),
    values.good_properties,
)
cancel = calls(built(BasicCancelParameters, values.consumer_tags, rarely))
confirm = calls(st.just(ConfirmSelectParameters()))
recover = calls(
    one_of(
        (2, st.just(BasicRecoverParameters(True))), (1, st.just(BasicRecoverAsyncParameters(True)))
    )
)
purge = calls(built(QueuePurgeParameters, values.own_queues))
delete_queue = calls(built(QueueDeleteParameters, values.own_queues, sometimes, sometimes))
qos = calls(values.good_qos)
