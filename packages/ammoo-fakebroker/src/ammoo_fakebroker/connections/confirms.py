"""Publisher confirms: the publishes that are settled, and the acks and nacks for them.

The publishes of one read are confirmed together, after all commands of the read, with ``multiple`` set
where that has the same meaning as single confirms. RabbitMQ batches in the same way, and sends both
forms.
See https://www.rabbitmq.com/docs/confirms
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ammoo_wire import BasicAckParameters, BasicNackParameters, method_of

__all__ = ["Confirms", "encode_confirm"]

_Encode = Callable[..., bytes]

_encode_ack = method_of(BasicAckParameters).encode
_encode_nack = method_of(BasicNackParameters).encode


class Confirms:
    """The confirms of one channel, from confirm.select on.

    Attributes:
        sequence_number: The number of the last publish; the first one is 1.
        withheld: How many confirms a fault keeps or has dropped. While there are some, confirms are
            sent one by one, because ``multiple`` would confirm the withheld publishes as well.
        dropped: How many of the withheld confirms will never be sent.
    """

    __slots__ = ("_accepted", "_rejected", "dropped", "sequence_number", "withheld")

    def __init__(self) -> None:
        self.sequence_number: int = 0
        self.withheld: int = 0
        self.dropped: int = 0
        self._accepted: list[int] = []
        self._rejected: list[int] = []

    def settle(self, sequence_number: int, *, accepted: bool) -> None:
        """Add the confirm of a publish: an ack if all queues accepted it, else a nack."""
        (self._accepted if accepted else self._rejected).append(sequence_number)

    @property
    def is_settled(self) -> bool:
        """Whether no ack and no nack is due."""
        return not (self._accepted or self._rejected)

    def take(self) -> Iterator[bytes]:
        """Return the encoded acks and nacks that are due, and remove them."""
        accepted, self._accepted = self._accepted, []
        rejected, self._rejected = self._rejected, []
        if self.withheld:
            yield from (_encode_ack(number, False) for number in accepted)
            yield from (_encode_nack(number, False, True) for number in rejected)
            return
        # All older publishes were confirmed before. So one ack for all numbers below the first nack,
        # and one nack for all below the first ack, mean the same as single ones.
        if len(accepted) == 1:
            yield _encode_ack(accepted[0], False)
        elif accepted:
            yield from _coalesce(accepted, rejected, _encode_ack)
        if rejected:
            yield from _coalesce(rejected, accepted, _encode_nack, True)


def encode_confirm(sequence_number: int, *, accepted: bool, multiple: bool = False) -> bytes:
    """Encode one confirm."""
    if accepted:
        return _encode_ack(sequence_number, multiple)
    return _encode_nack(sequence_number, multiple, True)


def _coalesce(
    numbers: list[int], others: list[int], encode: _Encode, *more: bool
) -> Iterator[bytes]:
    """Encode confirms: one for all numbers below the first one of the other kind, then single ones."""
    cutoff = others[0] if others else numbers[-1] + 1
    run = [number for number in numbers if number < cutoff]
    if run:
        yield encode(run[-1], True, *more)  # RabbitMQ sets multiple even for a single one
    for number in numbers[len(run) :]:
        yield encode(number, False, *more)
