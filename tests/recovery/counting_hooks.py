"""Hooks that count what happens, so that a test can compare them with what its tasks were told."""

from collections import Counter, defaultdict

from ammoo.instrumentation import Hooks

__all__ = ["CountingHooks"]


class CountingHooks(Hooks):
    """Counts the calls of one connection.

    Attributes:
        counts: How often each thing happened; "unknown" is what a loss left without an outcome.
    """

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self._unconfirmed: defaultdict[int, set[int]] = defaultdict(set)

    def published(
        self,
        channel_id: int,
        sequence_number: int | None,
        exchange_name: str,
        routing_key: str,
        size: int,
    ) -> None:
        assert sequence_number is not None
        self.counts["published"] += 1
        self._unconfirmed[channel_id].add(sequence_number)

    def confirmed(
        self, channel_id: int, sequence_number: int, *, multiple: bool, is_nack: bool
    ) -> None:
        unconfirmed = self._unconfirmed[channel_id]
        settled = (
            {n for n in unconfirmed if n <= sequence_number} if multiple else {sequence_number}
        )
        self.counts["nacked" if is_nack else "confirmed"] += len(settled)
        unconfirmed -= settled

    def settled(self, channel_id: int, delivery_tag: int, *, multiple: bool, outcome: str) -> None:
        self.counts[outcome] += 1

    def stale(self, channel_id: int, delivery_tag: int) -> None:
        self.counts["stale"] += 1

    def lost(self, error: Exception) -> None:
        self.counts["lost"] += 1
        self.counts["unknown"] += sum(len(each) for each in self._unconfirmed.values())
        self._unconfirmed.clear()

    def recovered(self, address: str, outage: float, attempts: int) -> None:
        self.counts["recovered"] += 1
