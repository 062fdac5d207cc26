"""Faults that strike confirms: the broker routes and stores a publish, but keeps its confirm.

While a confirm is kept, the channel's other confirms are sent one by one, because ``multiple`` would
include the kept one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, NamedTuple

from ..call_checks import check_count
from ..connections.confirms import encode_confirm
from .fault import Fault

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from ..connections.channel import Channel
    from ..messages.message import Message
    from .ports import FaultHost

__all__ = [
    "ConfirmFault",
    "DropConfirms",
    "HeldConfirms",
    "Kept",
    "MergeConfirms",
    "ReorderConfirms",
]


class Kept(NamedTuple):
    """A confirm that is kept."""

    channel: Channel
    message: Message
    sequence_number: int
    accepted: bool

    @property
    def is_awaited(self) -> bool:
        """Whether the channel is still open."""
        return self.channel.is_open

    def send(self, *, accepted: bool) -> None:
        """Send this confirm alone, without ``multiple``."""
        confirms = self.channel.confirms
        if confirms is None or not self.is_awaited:
            return
        confirms.withheld -= 1
        self.record(accepted=accepted)
        payload = encode_confirm(self.sequence_number, accepted=accepted)
        self.channel.connection.send_method(self.channel.number, payload)

    def record(self, *, accepted: bool) -> None:
        """Record that the confirm is sent."""
        recorder = self.channel.virtualhost.recorder
        if recorder is not None:
            recorder.confirmed(self.channel, self.message, self.sequence_number, accepted)


class ConfirmFault(Fault):
    """A fault that takes confirms."""

    _noun: ClassVar[tuple[str, str]] = ("confirm", "confirms")

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._kept: list[Kept] = []

    def _confirm(self, kept: Kept) -> None:
        """Keep a confirm that the fault strikes."""
        assert kept.channel.confirms is not None
        kept.channel.confirms.withheld += 1
        self._keep(kept)

    def _keep(self, kept: Kept) -> None:
        """Keep a confirm until it is sent."""
        self._kept.append(kept)

    def _ended(self) -> None:
        self._send(len(self._kept))

    def _send(self, count: int, *, accepted: bool | None = None) -> None:
        """Send the oldest kept confirms, with their own outcome unless `accepted` is given."""
        sent, self._kept = self._kept[:count], self._kept[count:]
        for kept in sent:
            kept.send(accepted=kept.accepted if accepted is None else accepted)


class HeldConfirms(ConfirmFault):
    """Confirms that are held: the return value of `Faults.hold_confirms`."""

    name: ClassVar[str] = "hold_confirms"

    @property
    def held_count(self) -> int:
        """How many confirms are held now, on channels that are still open."""
        return self._host.call(lambda: sum(kept.is_awaited for kept in self._kept))

    def release(self, count: int | None = None) -> None:
        """Send held confirms, the oldest first.

        Args:
            count: How many to send; None for all that are held.

        Raises:
            TypeError: `count` is not an integer.
            ValueError: `count` is negative.
        """
        if count is not None:
            check_count("count", count, lowest=0)
        self._host.call(lambda: self._send(self._number(count)))

    def nack(self, count: int | None = None) -> None:
        """Send basic.nack for held confirms, the oldest first; their messages stay in the queues.

        Args:
            count: How many to send; None for all that are held.

        Raises:
            TypeError: `count` is not an integer.
            ValueError: `count` is negative.
        """
        if count is not None:
            check_count("count", count, lowest=0)
        self._host.call(lambda: self._send(self._number(count), accepted=False))

    def _number(self, count: int | None) -> int:
        self._kept = [kept for kept in self._kept if kept.is_awaited]
        return len(self._kept) if count is None else count


class DropConfirms(ConfirmFault):
    """See `Faults.drop_confirms`."""

    name: ClassVar[str] = "drop_confirms"

    def _keep(self, kept: Kept) -> None:
        """Keep nothing: the confirm is never sent."""
        if kept.channel.confirms is not None:
            kept.channel.confirms.dropped += 1


class _BatchedConfirms(ConfirmFault):
    """A fault that keeps a number of a channel's confirms, and then sends them together."""

    size_option: ClassVar[str] = ""

    def __init__(
        self, host: FaultHost, ordinal: int, seed: int, options: Mapping[str, Any]
    ) -> None:
        super().__init__(host, ordinal, seed, options)
        self._size = check_count(self.size_option, options[self.size_option], lowest=2)
        self._batches: dict[Channel, list[Kept]] = {}

    def _keep(self, kept: Kept) -> None:
        batch = self._batches.setdefault(kept.channel, [])
        batch.append(kept)
        if len(batch) >= self._size:
            self._send_batch(self._batches.pop(kept.channel))

    def _ended(self) -> None:
        batches, self._batches = self._batches, {}
        for batch in batches.values():
            self._send_batch(batch)

    def _send_batch(self, batch: list[Kept]) -> None:
        raise NotImplementedError


class ReorderConfirms(_BatchedConfirms):
    """See `Faults.reorder_confirms`."""

    name: ClassVar[str] = "reorder_confirms"
    size_option: ClassVar[str] = "window"
    _own_options: ClassVar[frozenset[str]] = frozenset((size_option,))

    def _send_batch(self, batch: list[Kept]) -> None:
        shuffled = list(batch)
        self._matcher.random.shuffle(shuffled)
        if shuffled == batch:
            shuffled.reverse()
        for kept in shuffled:
            kept.send(accepted=kept.accepted)


class MergeConfirms(_BatchedConfirms):
    """See `Faults.merge_confirms`."""

    name: ClassVar[str] = "merge_confirms"
    size_option: ClassVar[str] = "count"
    _own_options: ClassVar[frozenset[str]] = frozenset((size_option,))

    def _send_batch(self, batch: list[Kept]) -> None:
        last = batch[-1]
        confirms = last.channel.confirms
        is_whole = confirms is not None and confirms.withheld == len(batch)
        if confirms is None or not is_whole or not all(kept.accepted for kept in batch):
            for kept in batch:
                kept.send(accepted=kept.accepted)
            return
        if last.is_awaited:
            last.channel.flush_confirms()  # the others of this read, one by one
            confirms.withheld = 0
            for kept in batch:
                kept.record(accepted=True)
            payload = encode_confirm(last.sequence_number, accepted=True, multiple=True)
            last.channel.connection.send_method(last.channel.number, payload)
