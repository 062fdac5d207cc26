"""The exchange and routing key of each message that is not confirmed, for an exception that names it.

Programs publish many consecutive messages to the same exchange with the same routing key. One entry
stands for such a run, so each further message of the run costs only one comparison.
"""

from typing import Final

from ammoo_wire import ContentHead

__all__ = ["PublishedNames"]

MOST_RUNS: Final = 64
"""With more runs than this, those whose messages are all confirmed are dropped."""


class PublishedNames:
    """The names of messages, by their publish sequence numbers.

    Attributes:
        last: The encoded basic.publish of the newest run; None before the first message.
    """

    __slots__ = ("_firsts", "_limit", "_names", "last")

    def __init__(self) -> None:
        self.last: ContentHead | None = None
        self._firsts: list[int] = []  # the first number of each run
        self._names: list[tuple[str, str]] = []
        self._limit = MOST_RUNS

    def __len__(self) -> int:
        return len(self._firsts)

    def begin_run(
        self, head: ContentHead, number: int, exchange_name: str, routing_key: str
    ) -> None:
        """Record that messages from a number on have other names than those before.

        Args:
            head: Their encoded basic.publish.
            number: The number of the first of them.
            exchange_name: The exchange.
            routing_key: The routing key.
        """
        self.last = head
        self._firsts.append(number)
        self._names.append((exchange_name, routing_key))

    @property
    def are_many(self) -> bool:
        """Whether the caller should call `drop_below`."""
        return len(self._firsts) > self._limit

    def drop_below(self, lowest: int) -> None:
        """Drop the runs of messages that all have lower numbers.

        Args:
            lowest: The lowest number that `of` is asked for from now on.
        """
        dropped = self._place_of(lowest)
        if dropped > 0:
            del self._firsts[:dropped], self._names[:dropped]
        self._limit = max(MOST_RUNS, 2 * len(self._firsts))

    def of(self, number: int) -> tuple[str, str]:
        """Return the exchange and the routing key of a message; empty if they are not known."""
        place = self._place_of(number)
        return self._names[place] if place >= 0 else ("", "")

    def _place_of(self, number: int) -> int:
        from bisect import bisect_right  # few programs need it

        return bisect_right(self._firsts, number) - 1
