"""Deliveries that a user settles at random, and a server that reads what it is told about them.

Without sockets: `Channel` stands for both halves of a connection.
"""

from collections.abc import Callable, Iterable
from typing import Any

from ammoo.live.acknowledgements import Acknowledgements
from tests.support.frames import decode_method

__all__ = ["Channel", "Settling", "Transaction"]


class Channel:
    """What `Acknowledgements` knows of a channel; a server that reads what it sends."""

    tag_offset = 0

    def __init__(self, capabilities: dict[str, Any]) -> None:
        self.closing_exc: Exception | None = None
        self.number = 1
        self.sender = self.transport = self.host = self
        self.server_capabilities = capabilities
        self.before_flush: list[Callable[[], None]] = []
        self.flush_is_due = self.is_paused = False
        self.unacked: list[int] = []
        self.settled: dict[str, list[int]] = {"ack": [], "requeue": [], "drop": []}
        self.uncommitted: list[tuple[str, int]] | None = None
        self.frames = 0

    def raise_if_closed(self) -> None:
        raise AssertionError("it is open")

    def require_loop(self) -> None:
        """There is none."""

    def flush_soon(self) -> None:
        self.flush_is_due = True

    def flush(self) -> None:
        self.flush_is_due = False
        due, self.before_flush = self.before_flush, []
        for write in due:
            write()

    def send_method(self, channel_number: int, payload: bytes) -> None:
        self.frames += 1
        command = decode_method(payload)
        multiple = getattr(command, "multiple", False)
        requeue = getattr(command, "requeue", None)
        last = command.delivery_tag
        tags = [tag for tag in self.unacked if multiple and (tag <= last or last == 0)] or [last]
        what = {None: "ack", True: "requeue", False: "drop"}[requeue]
        for tag in tags:
            self.unacked.remove(tag)  # or the server closes the channel: unknown delivery tag
            self.settled[what].append(tag)
            if self.uncommitted is not None:
                self.uncommitted.append((what, tag))

    def commit(self) -> None:
        self.uncommitted = []

    def roll_back(self) -> None:
        for what, tag in self.uncommitted or ():
            self.settled[what].remove(tag)
            self.unacked.append(tag)
        self.unacked.sort()
        self.uncommitted = []


class Settling:
    """A user who settles deliveries in steps that are drawn, and keeps account of them.

    Each step has a number: how many deliveries come, or which of the outstanding ones is meant.

    Args:
        capabilities: Those of the server.
        in_transaction: Whether a transaction is open all the time.

    Attributes:
        outstanding: The tags that the user has not settled.
        settled: The others, by what the server must be told.
    """

    def __init__(self, capabilities: dict[str, Any], *, in_transaction: bool) -> None:
        self.channel = Channel(capabilities)
        self.acknowledgements = Acknowledgements(self.channel)  # type: ignore[arg-type]  # as far as needed
        if in_transaction:
            self.acknowledgements.begin_transaction()
        self.last = 0
        self.outstanding: list[int] = []
        self.settled: dict[str, list[int]] = {"ack": [], "drop": [], "requeue": []}

    def take(self, steps: Iterable[tuple[str, int]]) -> None:
        """Do each step, and compare what is unacked with the account."""
        doing: dict[str, Callable[[int], None]] = {
            "skip": self.skip,
            "deliver": self.deliver,
            "flush": lambda _: self.channel.flush(),
            "ack": self.ack,
            "drop": self.drop,
            "multiple": self.ack_multiple,
            "unread": self.requeue_unread,
        }
        for what, number in steps:
            doing[what](number)
            assert len(self.outstanding) == len(self.acknowledgements.unacked)

    def skip(self, number: int) -> None:
        """Let a delivery come that needs no acknowledgement."""
        self.last += 1

    def deliver(self, number: int) -> None:
        for _ in range(number):
            self.last += 1
            self.acknowledgements.unacked.add(self.last)
            self.channel.unacked.append(self.last)
            self.outstanding.append(self.last)

    def ack(self, number: int) -> None:
        for tag in self._chosen(number):
            self.acknowledgements.ack(tag, False)
            self._account_for("ack", [tag])

    def drop(self, number: int) -> None:
        for tag in self._chosen(number):
            self.acknowledgements.reject(tag, False)
            self._account_for("drop", [tag])

    def ack_multiple(self, number: int) -> None:
        for tag in self._chosen(number):
            self.acknowledgements.ack(tag, True)
            self._account_for("ack", [each for each in self.outstanding if each <= tag])

    def requeue_unread(self, number: int) -> None:
        """Requeue up to eight deliveries, as when no task will read them."""
        for tag in self._chosen(number):
            unread = [each for each in self.outstanding if each >= tag][:8]
            self.acknowledgements.requeue(unread)
            self._account_for("requeue", unread)

    def ack_all(self) -> None:
        """Acknowledge what is outstanding, one by one, and have all of it sent."""
        for tag in self.outstanding.copy():
            assert tag in self.acknowledgements.unacked
            self.acknowledgements.ack(tag, False)
            self._account_for("ack", [tag])
        self.channel.flush()
        self.channel.flush()  # what the first of them has made the oldest

    def _chosen(self, number: int) -> list[int]:
        """Return the one that a number means; none if nothing is outstanding."""
        return self.outstanding[number % len(self.outstanding) :][:1] if self.outstanding else []

    def _account_for(self, what: str, tags: list[int]) -> None:
        self.settled[what] += tags
        self.outstanding = [tag for tag in self.outstanding if tag not in tags]
        assert not any(
            tag in self.acknowledgements.unacked for told in self.settled.values() for tag in told
        )


class Transaction:
    """A user who acknowledges in transactions, which end as the steps say."""

    def __init__(self) -> None:
        self.channel = Channel({"basic.nack": True})
        self.acknowledgements = Acknowledgements(self.channel)  # type: ignore[arg-type]  # as far as needed
        self.last = 0
        self.commit()

    def take(self, steps: Iterable[tuple[str, int]]) -> None:
        """Do each step, and compare what is unacked here with what is at the server."""
        doing: dict[str, Callable[[int], None]] = {
            "skip": self.skip,
            "deliver": self.deliver,
            "commit": lambda _: self.commit(),
            "roll back": lambda _: self.roll_back(),
            "ack": lambda number: self.ack(number, multiple=False),
            "multiple": lambda number: self.ack(number, multiple=True),
        }
        for what, number in steps:
            doing[what](number)
            unacked = self.acknowledgements.unacked
            assert len(self.channel.unacked) == len(unacked)
            assert self.channel.unacked == [t for t in range(self.last + 2) if t in unacked]

    def skip(self, number: int) -> None:
        """Let a delivery come that needs no acknowledgement."""
        self.last += 1

    def deliver(self, number: int) -> None:
        self.last += 1
        self.acknowledgements.unacked.add(self.last)
        self.channel.unacked.append(self.last)

    def commit(self) -> None:
        self.acknowledgements.begin_transaction()
        self.channel.commit()

    def roll_back(self) -> None:
        self.acknowledgements.unacked.roll_back()
        self.channel.roll_back()

    def ack(self, number: int, *, multiple: bool) -> None:
        if self.channel.unacked:
            tag = self.channel.unacked[number % len(self.channel.unacked)]
            self.acknowledgements.ack(tag, multiple)
