"""Faults that strike publishes: they are refused, returned, or put into their queues twice."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, ClassVar

from ..connections.methods.basic import return_unroutable, settle_publish
from .fault import Fault
from .options import matches

if TYPE_CHECKING:
    from ..connections.channel import Channel
    from ..messages.message import Message
    from ..queues.queue import Queue
    from .occasions import Occasion

__all__ = ["DuplicateDeliveries", "NackPublishes", "PublishFault", "ReturnPublishes"]


class PublishFault(Fault):
    """A fault that takes a publish before it is routed."""

    _noun: ClassVar[tuple[str, str]] = ("publish", "publishes")

    def _obstacle(self, occasion: Occasion) -> str | None:
        if occasion.channel is not None and occasion.channel.transaction is not None:
            return "on channels with a transaction"
        return None

    def publish(self, channel: Channel, message: Message, *, mandatory: bool) -> None:
        """Strike a publish: answer it in another way."""
        raise NotImplementedError


class NackPublishes(PublishFault):
    """See `Faults.nack_publishes`."""

    name: ClassVar[str] = "nack_publishes"

    def _obstacle(self, occasion: Occasion) -> str | None:
        if occasion.channel is not None and occasion.channel.confirms is None:
            return "on channels that are not in confirm mode"
        return super()._obstacle(occasion)

    def publish(self, channel: Channel, message: Message, *, mandatory: bool) -> None:
        settle_publish(channel, message, accepted=False)


class ReturnPublishes(PublishFault):
    """See `Faults.return_publishes`."""

    name: ClassVar[str] = "return_publishes"

    def publish(self, channel: Channel, message: Message, *, mandatory: bool) -> None:
        recorder = channel.virtualhost.recorder
        if recorder is not None:
            recorder.record("unroutable", channel=channel, message=message, mandatory=mandatory)
        if mandatory:
            return_unroutable(channel, message)
        if channel.confirms is not None:
            settle_publish(channel, message, accepted=True)


class DuplicateDeliveries(Fault):
    """See `Faults.duplicate_deliveries`."""

    name: ClassVar[str] = "duplicate_deliveries"
    _noun: ClassVar[tuple[str, str]] = ("publish", "publishes")

    def copy(self, message: Message, queues: Collection[Queue]) -> None:
        """Put a message into the queues once more, as one that was delivered before."""
        wanted = self._matcher.scope.get("queue_name")
        for queue in queues:
            if wanted is None or matches(wanted, queue.name):
                queue.publish_again(message)
