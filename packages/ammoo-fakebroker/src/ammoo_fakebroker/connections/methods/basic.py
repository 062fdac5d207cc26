"""Class basic: publishing, consuming, getting and settling messages."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelOkParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicGetEmptyParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    BasicRecoverAsyncParameters,
    BasicRecoverOkParameters,
    BasicRecoverParameters,
    BasicRejectParameters,
    BasicReturnParameters,
    ReplyCode,
    method_of,
)

from ...history.delays import record_delays
from ...messages.message import Message
from ...node.virtual_host import generate_name
from ...queues.consumers import Consumer
from ...queues.delivery import Settlement
from ...rabbitmq import errors
from ...rabbitmq.arguments import consumer_priority
from ..permissions import check_exchange, check_queue, check_topic
from ..transaction import PendingPublish
from .direct_reply_to import (
    PSEUDO_QUEUE,
    consume_replies,
    find_replies,
    is_volatile_queue,
    refusal_of_consumer,
    with_reply_queue,
)
from .lookup import accessible_queue, named_queue

if TYPE_CHECKING:
    from ...messages.message import QueuedMessage
    from ...messages.properties import ParsedProperties
    from ...node.ports import ReplyReceiver
    from ...queues.delivery import Unacked
    from ...queues.queue import Queue
    from ..channel import Channel
    from ..confirms import Confirms

__all__ = [
    "HANDLERS",
    "deliver_replies",
    "deliver_to_queues",
    "publish",
    "return_unroutable",
    "settle_publish",
]

_encode_get_ok = method_of(BasicGetOkParameters).encode
_encode_return = method_of(BasicReturnParameters).encode


# -- publishing --------------------------------------------------------------------------------


def publish(
    channel: Channel,
    parameters: BasicPublishParameters,
    properties: bytes,
    body: bytes | bytearray,
) -> None:
    """Route a message to queues, and enqueue or deliver it (section 1.8.3.7).

    The checks are in RabbitMQ's order. A refused publish has no sequence number for confirms.
    """
    exchange_name, routing_key, mandatory, immediate = parameters
    if immediate:
        raise errors.immediate_not_implemented()
    connection = channel.connection
    virtualhost = connection.virtualhost
    check_exchange(channel, "write", exchange_name)
    exchange = virtualhost.exchanges.get(exchange_name)
    if exchange is None:
        raise errors.no_exchange(virtualhost.name, exchange_name)
    if exchange.internal:
        raise errors.exchange_is_internal(virtualhost.name, exchange_name)
    parsed = virtualhost.properties.read(properties)
    if parsed.reply_to == PSEUDO_QUEUE:
        parsed = with_reply_queue(channel, parsed)
    if parsed.user_id is not None or parsed.faults:
        _check_properties(channel, parsed)
    message = Message(exchange_name, routing_key, parsed.outgoing, body, parsed)
    if connection.user.topic_permissions:
        _check_topic_permission(channel, message)
    points = connection.strike_points
    if points.publish is not None and points.publish(channel, message, mandatory):
        return
    queues = virtualhost.routing.route(exchange, message)
    recorder = virtualhost.recorder
    is_delayed = False
    if recorder is not None:
        recorder.published(channel, message, queues)
        if virtualhost.delays.noted:
            is_delayed = _record_delays(channel, message, queues, mandatory=mandatory)
    replies: Sequence[ReplyReceiver | None] = ()
    if not exchange_name and (not queues or parsed.carbon_copies or parsed.blind_carbon_copies):
        replies = find_replies(channel, message)
    if not queues:
        _handle_unrouted(channel, message, replies, mandatory=mandatory, is_delayed=is_delayed)
    if channel.transaction is not None:
        _publish_at_commit(channel, PendingPublish(message, queues, mandatory, replies))
        return
    if replies:
        deliver_replies(message, replies)
    accepted = deliver_to_queues(channel, message, queues)
    if points.copy is not None:
        points.copy(channel, message, queues)
    if channel.confirms is not None:
        _confirm(channel, channel.confirms, message, accepted, points.confirm)


def _record_delays(
    channel: Channel, message: Message, queues: Collection[Queue], *, mandatory: bool
) -> bool:
    """Record that exchanges delay a message, and return whether one does."""
    virtualhost = channel.virtualhost
    assert virtualhost.recorder is not None
    delays = virtualhost.delays.take(message)
    # RabbitMQ counts a message as dropped if it reaches no queue at once, as the statistics do.
    fate = {} if queues else {"mandatory": mandatory}
    return record_delays(virtualhost.recorder, delays, message, channel=channel, **fate)


def _handle_unrouted(
    channel: Channel,
    message: Message,
    replies: Collection[ReplyReceiver | None],
    *,
    mandatory: bool,
    is_delayed: bool,
) -> None:
    """Record a message that reaches no queue, and return it if it is mandatory.

    RabbitMQ returns a mandatory message also if an exchange delays it. A direct reply is routed in
    releases in which names for direct replies are queues.
    """
    if replies and channel.virtualhost.profile.reply_names_are_queues:
        return
    if not is_delayed:
        channel.record("unroutable", message=message, mandatory=mandatory)
    if mandatory and channel.transaction is None:
        return_unroutable(channel, message)


def _publish_at_commit(channel: Channel, pending: PendingPublish) -> None:
    """Add a publish to the open transaction; some releases deliver direct replies at once."""
    assert channel.transaction is not None
    if not channel.virtualhost.profile.reply_names_are_queues:
        deliver_replies(pending.message, pending.replies)
        pending = pending._replace(replies=())
    channel.transaction.publish(pending)


def _confirm(
    channel: Channel,
    confirms: Confirms,
    message: Message,
    accepted: bool,
    strike: Callable[[object, Message, int, bool], bool] | None = None,
) -> None:
    """Count a publish, and confirm it when the commands of this read are executed.

    Args:
        channel: The channel.
        confirms: Its confirms.
        message: The message.
        accepted: Whether all queues accepted the message.
        strike: The strike point of confirms; None while it has no fault.
    """
    confirms.sequence_number = number = confirms.sequence_number + 1
    if strike is not None and strike(channel, message, number, accepted):
        return
    if confirms.is_settled:
        channel.connection.confirming.append(channel)
    confirms.settle(number, accepted=accepted)
    recorder = channel.virtualhost.recorder
    if recorder is not None:
        recorder.confirmed(channel, message, number, accepted)


def settle_publish(channel: Channel, message: Message, *, accepted: bool) -> None:
    """Confirm a publish that a fault has prevented from being routed."""
    assert channel.confirms is not None
    _confirm(channel, channel.confirms, message, accepted)


def _check_properties(channel: Channel, parsed: ParsedProperties) -> None:
    """Refuse invalid properties, and the user-id of another user."""
    login = channel.connection.user.name
    faults = list(parsed.faults)
    is_other = parsed.user_id is not None and parsed.user_id != login
    if is_other and "impersonator" not in channel.connection.user.tags:
        assert parsed.user_id is not None
        first = 0 if channel.virtualhost.profile.checks_user_id_first else len(faults)
        faults.insert(first, errors.user_id_mismatch(parsed.user_id, login))
    if faults:
        raise faults[0]


def _check_topic_permission(channel: Channel, message: Message) -> None:
    """Check the permission on the routing key; some releases also check those in CC and BCC."""
    checks_all = channel.virtualhost.profile.topic_permissions_check_all_keys
    routing_keys = message.routing_keys if checks_all else (message.routing_key,)
    check_topic(channel, "write", message.exchange_name, *routing_keys)


def deliver_replies(message: Message, replies: Collection[ReplyReceiver | None]) -> None:
    """Deliver a message to consumers of direct replies; None stands for one that has gone."""
    for consumer in replies:
        if consumer is not None:
            consumer.deliver(message)


def deliver_to_queues(channel: Channel, message: Message, queues: Collection[Queue]) -> bool:
    """Put a message into the queues that it was routed to.

    Returns:
        Whether all queues accepted it.
    """
    if not queues:
        return True
    if len(queues) == 1:
        (queue,) = queues
        return queue.publish(message)
    with channel.virtualhost.dead_letters.deferred():
        outcomes = [queue.publish(message) for queue in queues]  # even if one refuses it
    return all(outcomes)


def return_unroutable(channel: Channel, message: Message) -> None:
    """Return a mandatory message that could not be routed (basic.return)."""
    channel.record("returned", message=message, code=int(ReplyCode.NO_ROUTE), text="NO_ROUTE")
    channel.connection.send_content(
        channel.number,
        _encode_return(ReplyCode.NO_ROUTE, "NO_ROUTE", message.exchange_name, message.routing_key),
        message.properties,
        message.body,
    )


# -- consuming ---------------------------------------------------------------------------------


def qos(channel: Channel, parameters: BasicQosParameters) -> None:
    """Set the prefetch of new consumers or, if global, that of all consumers on the channel together.

    This is RabbitMQ's meaning of global: https://www.rabbitmq.com/docs/consumer-prefetch
    """
    prefetch_size, prefetch_count, is_global = parameters
    if prefetch_size:
        raise errors.prefetch_size_not_implemented(prefetch_size)
    if is_global and not channel.virtualhost.profile.global_qos_is_per_consumer:
        if not channel.limiter.limit:
            # Deliveries of basic.get count as well; settling them does not reduce the count.
            channel.limiter.outstanding = len(channel.unacked)
        channel.limiter.limit = prefetch_count
    else:
        channel.prefetch_count = prefetch_count
        channel.limiter.limit = 0
    channel.send(BasicQosOkParameters())
    channel.wake_consumers()


def consume(channel: Channel, parameters: BasicConsumeParameters) -> None:
    """Start a consumer (section 1.8.3.3); its first deliveries follow the answer at once."""
    if parameters.queue_name == PSEUDO_QUEUE:
        _check_consumer_tag(channel, parameters.consumer_tag)
        consume_replies(channel, parameters)
        return
    name = named_queue(channel, parameters.queue_name)
    _check_consumer_tag(channel, parameters.consumer_tag)
    check_queue(channel, "read", name)
    if is_volatile_queue(channel, name):
        raise refusal_of_consumer(channel, name)
    queue = accessible_queue(channel, name)
    consumer = Consumer(
        parameters.consumer_tag or generate_name("amq.ctag-"),
        channel,
        queue,
        no_ack=parameters.no_ack,
        exclusive=parameters.exclusive,
        priority=consumer_priority(parameters.arguments),
        prefetch_count=channel.prefetch_count,
        arguments=parameters.arguments,
    )
    queue.check_consumer(consumer)
    channel.consumers[consumer.tag] = consumer
    if not parameters.no_wait:
        channel.send(BasicConsumeOkParameters(consumer.tag))
    channel.record("consumer_started", consumer_tag=consumer.tag, queue_name=queue.name)
    queue.add_consumer(consumer)


def _check_consumer_tag(channel: Channel, consumer_tag: str) -> None:
    if consumer_tag in channel.consumers:
        raise errors.consumer_tag_in_use(consumer_tag)


def cancel(channel: Channel, parameters: BasicCancelParameters) -> None:
    """Cancel a consumer; its unacknowledged deliveries stay with the channel."""
    tag, no_wait = parameters
    consumer = None
    if channel.reply_consumer is not None and channel.reply_consumer.tag == tag:
        channel.reply_consumer.cancel()
    else:
        consumer = channel.consumers.pop(tag, None)
    if not no_wait:
        channel.send(BasicCancelOkParameters(tag))
    if consumer is not None:
        queue_name = consumer.queue.name
        channel.record(
            "consumer_cancelled", consumer_tag=tag, queue_name=queue_name, reason="basic.cancel"
        )
        consumer.queue.remove_consumer(consumer)


def cancel_ok(channel: Channel, parameters: BasicCancelOkParameters) -> None:
    """Cancel a consumer: the client confirms its cancellation, in releases that accept this.

    Raises:
        ProtocolError: 503, the release does not accept it; 541, there is no consumer of this tag.
    """
    if not channel.virtualhost.profile.accepts_cancel_ok:
        raise errors.unimplemented_method()
    if parameters.consumer_tag not in channel.consumers:
        raise errors.internal_error()
    cancel(channel, BasicCancelParameters(parameters.consumer_tag, no_wait=True))


def get(channel: Channel, parameters: BasicGetParameters) -> None:
    """Send the first message of a queue, or basic.get-empty (section 1.8.3.10)."""
    name = named_queue(channel, parameters.queue_name)
    check_queue(channel, "read", name)
    if is_volatile_queue(channel, name):
        raise errors.get_from_volatile_queue(channel.virtualhost.name, name)
    queue = accessible_queue(channel, name)
    no_ack = parameters.no_ack
    answer = partial(_answer_get, channel, queue, no_ack=no_ack)
    # Messages behind this one that have expired are dead-lettered after the answer.
    with channel.virtualhost.dead_letters.deferred():
        if not queue.get(answer, channel, no_ack=no_ack):
            if queue.recorder is not None:
                queue.recorder.found_empty(channel, queue.name)
            channel.send(BasicGetEmptyParameters())


def _answer_get(channel: Channel, queue: Queue, queued: QueuedMessage, *, no_ack: bool) -> None:
    if no_ack:
        delivery_tag = channel.next_delivery_tag()
    else:
        delivery_tag = channel.await_acknowledgement(queue, queued, None)
    message = queued.message
    if queue.recorder is not None:
        queue.recorder.record(
            "got",
            channel=channel,
            message=message,
            queue_name=queue.name,
            delivery_tag=delivery_tag,
            redelivered=queued.redelivered,
            no_ack=no_ack,
        )
    channel.connection.send_content(
        channel.number,
        _encode_get_ok(
            delivery_tag,
            queued.redelivered,
            message.exchange_name,
            message.routing_key,
            queue.message_count,
        ),
        message.properties,
        message.body,
    )


# -- settling ----------------------------------------------------------------------------------


def ack(channel: Channel, parameters: BasicAckParameters) -> None:
    """Acknowledge a delivery, or all deliveries up to it (section 1.8.3.13)."""
    delivery_tag, multiple = parameters
    if multiple or channel.transaction is not None:
        _settle(channel, Settlement.ACKNOWLEDGE, delivery_tag, multiple=multiple)
    else:
        channel.acknowledge_one(delivery_tag)


def nack(channel: Channel, parameters: BasicNackParameters) -> None:
    """Requeue or dead-letter deliveries: https://www.rabbitmq.com/docs/nack"""
    delivery_tag, multiple, requeue = parameters
    settlement = Settlement.REQUEUE if requeue else Settlement.REJECT
    _settle(channel, settlement, delivery_tag, multiple=multiple)


def reject(channel: Channel, parameters: BasicRejectParameters) -> None:
    """Requeue or dead-letter one delivery (section 1.8.3.14)."""
    delivery_tag, requeue = parameters
    settlement = Settlement.REQUEUE_FAILED if requeue else Settlement.REJECT_FAILED
    _settle(channel, settlement, delivery_tag, multiple=False)


def _settle(channel: Channel, settlement: Settlement, delivery_tag: int, *, multiple: bool) -> None:
    deliveries = channel.take(delivery_tag, multiple=multiple)
    if settlement is not Settlement.ACKNOWLEDGE:
        _check_rejectable(channel, deliveries.values())
    if channel.transaction is not None:
        channel.transaction.settle(settlement, deliveries)
    else:
        channel.settle(settlement, deliveries)


def _check_rejectable(channel: Channel, deliveries: Iterable[Unacked]) -> None:
    """Check that the queues of all deliveries support rejection."""
    for queue, _, _ in deliveries:
        if not queue.supports_rejection:
            raise errors.stream_rejection_not_supported(channel.virtualhost.name, queue.name)


def recover(channel: Channel, parameters: BasicRecoverParameters) -> None:
    """Requeue all unacknowledged deliveries; the answer comes before the redeliveries."""
    _check_recoverable(channel, requeue=parameters.requeue)
    channel.send(BasicRecoverOkParameters())
    channel.settle(Settlement.REQUEUE, channel.take_all())


def recover_async(channel: Channel, parameters: BasicRecoverAsyncParameters) -> None:
    """Requeue all unacknowledged deliveries, and do not answer."""
    _check_recoverable(channel, requeue=parameters.requeue)
    channel.settle(Settlement.REQUEUE, channel.take_all())


def _check_recoverable(channel: Channel, *, requeue: bool) -> None:
    """Check that all deliveries can be requeued; RabbitMQ 3.10 crashes on deliveries of a stream."""
    if not requeue:
        raise errors.recover_without_requeue_not_implemented()
    if not all(queue.supports_rejection for queue, _, _ in channel.unacked.values()):
        raise errors.internal_error()


HANDLERS: dict[type, Callable[..., Any]] = {
    BasicQosParameters: qos,
    BasicConsumeParameters: consume,
    BasicCancelParameters: cancel,
    BasicCancelOkParameters: cancel_ok,
    BasicGetParameters: get,
    BasicAckParameters: ack,
    BasicNackParameters: nack,
    BasicRejectParameters: reject,
    BasicRecoverParameters: recover,
    BasicRecoverAsyncParameters: recover_async,
}
