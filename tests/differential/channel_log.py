"""What a session remembers of a channel, and how it puts into order what has no order.

Three things are altered here before brokers are compared, because RabbitMQ leaves them open:

* Confirms are taken out of the order and apart: which publishes were acked and which nacked.
  RabbitMQ joins and delays them at will.
* Deliveries of different consumers that come together on a channel are sorted by consumer, as their
  queues need not agree who is first; so their delivery tags are theirs together.
* After a burst, what queues caused comes behind what the channel did by itself.
"""

from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Any

from ammoo_wire import (
    BasicAckParameters,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicNackParameters,
)
from tests.support.peer import Message

from .program import Delivered, Outstanding


class ChannelLog:
    """What a session remembers of an open channel.

    Args:
        in_program: Translates a consumer's tag into the program's word for it.

    Attributes:
        is_burst: Whether several steps were done in one.
        arrived: What arrived in this step, but for confirms.
        settled: What was confirmed in this step.
    """

    def __init__(self, in_program: Callable[[str], str]) -> None:
        self._in_program = in_program
        self.is_burst = False
        self.arrived: list[Any] = []
        self.settled: dict[int, str] = {}
        self._confirmed: set[int] = set()
        self._takes_no_acks: dict[str, bool] = {}
        self._delivered: list[int] = []
        self._outstanding: list[int] = []
        self._batches: dict[int, list[int]] = {}
        self._get_is_no_ack = False

    def asked(self, parameters: Any) -> None:
        """Note what is needed to understand what will arrive."""
        if isinstance(parameters, BasicConsumeParameters):
            self._takes_no_acks[parameters.consumer_tag] = parameters.no_ack
        elif isinstance(parameters, BasicGetParameters):
            self._get_is_no_ack = parameters.no_ack

    def take(self, what: Any) -> None:
        """Note what arrived."""
        match what:
            case BasicAckParameters(delivery_tag, multiple):
                self._settle(delivery_tag, multiple, "acked")
            case BasicNackParameters(delivery_tag, multiple, requeue):
                self._settle(delivery_tag, multiple, f"nacked, requeue={requeue}")
            case BasicConsumeOkParameters(consumer_tag):
                if consumer_tag not in self._takes_no_acks:
                    self._takes_no_acks[consumer_tag] = self._takes_no_acks.pop("", False)
                self.arrived.append(what)
            case _:
                self.arrived.append(what)

    def _settle(self, delivery_tag: int, multiple: bool, verdict: str) -> None:
        numbers = range(1, delivery_tag + 1) if multiple else (delivery_tag,)
        fresh = [number for number in numbers if number not in self._confirmed]
        self._confirmed.update(fresh)
        self.settled.update(dict.fromkeys(fresh, verdict))

    def in_order(self) -> list[Any]:
        """Give what arrived in this step; what comes from several queues in an order of ours."""
        ordered: list[Any] = []
        for run in self._runs():
            tags = [what.parameters.delivery_tag for what in run if is_delivery(what)]
            if len({self._source(what) for what in run}) > 1:
                fresh = iter(sorted(tags))
                run = [_renumbered(what, fresh) if is_delivery(what) else what for what in run]
            ordered += run
        return ordered

    def end_step(self) -> None:
        """Remember the deliveries of this step, in their order of ours, for steps to come."""
        for run in self._runs():
            deliveries = [what for what in run if is_delivery(what)]
            sources = {self._source(what) for what in deliveries}
            batch = [what.parameters.delivery_tag for what in deliveries]
            for tag, what in zip(batch, deliveries, strict=True):
                self._delivered.append(tag)
                self._batches[tag] = batch if len(sources) > 1 else [tag]
                if not self._needs_no_ack(what.parameters):
                    self._outstanding.append(tag)
        self.arrived = []
        self.settled = {}
        self.is_burst = False

    def _runs(self) -> Iterator[list[Any]]:
        """Cut what arrived between what queues cause and what the channel does by itself."""
        arrived = self.arrived
        if self.is_burst:
            arrived = sorted(arrived, key=lambda what: self._source(what) != "")
        for is_own, run in groupby(arrived, key=lambda what: self._source(what) == ""):
            if is_own:
                yield from ([what] for what in run)
            else:
                yield sorted(run, key=self._source)

    def _source(self, what: Any) -> str:
        """Tell which consumer it is about; empty if the channel did it by itself."""
        if isinstance(what, Message) and isinstance(what.parameters, BasicDeliverParameters):
            return self._in_program(what.parameters.consumer_tag)
        is_cancel = isinstance(what, BasicCancelParameters)
        return self._in_program(what.consumer_tag) if is_cancel else ""

    def _needs_no_ack(self, parameters: Any) -> bool:
        if isinstance(parameters, BasicGetOkParameters):
            return self._get_is_no_ack
        return self._takes_no_acks.get(parameters.consumer_tag, False)

    def delivery_tag(
        self, delivery: Outstanding | Delivered | int, *, multiple: bool
    ) -> int | None:
        """Look up which delivery tag a step means, and count it as settled."""
        if isinstance(delivery, int):
            return delivery
        tags = self._outstanding if isinstance(delivery, Outstanding) else self._delivered
        if not tags:
            return None
        tag = tags[delivery.ordinal % len(tags)]
        if multiple:
            # Nobody knows in which order the deliveries of a batch got their tags.
            batch = [other for other in self._batches[tag] if other in self._outstanding]
            tag = max(batch, default=tag)
        self._outstanding = [
            other for other in self._outstanding if other > tag or (other < tag and not multiple)
        ]
        return tag

    def forget_deliveries(self) -> None:
        """Count nothing as delivered in this step."""
        self.arrived = [what for what in self.arrived if not is_delivery(what)]

    def forget_outstanding(self) -> None:
        """Count nothing as to be settled: it was all given back."""
        self._outstanding = []


def is_delivery(what: Any) -> bool:
    return isinstance(what, Message) and isinstance(
        what.parameters, BasicDeliverParameters | BasicGetOkParameters
    )


def _renumbered(message: Message, tags: Iterator[int]) -> Message:
    return message._replace(parameters=message.parameters._replace(delivery_tag=next(tags)))
