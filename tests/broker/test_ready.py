"""The line of waiting messages: whatever is taken and brought back, the order stays."""

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_fakebroker.messages.message import Message, QueuedMessage
from ammoo_fakebroker.messages.properties import ParsedProperties
from ammoo_fakebroker.queues.ready_messages import PrioritizedMessages, ReadyMessages


def queued(position: int, *, priority: int = 0, body: bytes = b"") -> QueuedMessage:
    message = Message("", "", b"\x00\x00", body, ParsedProperties(priority=priority))
    return QueuedMessage(message, position, None)


class Compared:
    """Ready messages beside a sorted list of their positions, which is obviously right."""

    def __init__(self) -> None:
        self.ready = ReadyMessages()
        self.positions: list[int] = []
        self.taken: list[QueuedMessage] = []

    def take_steps(self, steps: Iterable[str]) -> None:
        doing = {"append": self.append, "take": self.take, "restore": self.restore}
        for position, step in enumerate(steps):
            doing[step](position)

    def append(self, position: int) -> None:
        self.ready.append(queued(position))
        self.positions.append(position)

    def take(self, _: int) -> None:
        if self.positions:
            self.taken.append(self.ready.pop())
            assert self.positions.pop(0) == self.taken[-1].position

    def restore(self, _: int) -> None:
        if self.taken:
            message = self.taken.pop(len(self.taken) // 2)
            self.ready.restore(message)
            self.positions = sorted([*self.positions, message.position])


@given(st.lists(st.sampled_from(["append", "take", "restore"]), max_size=60), st.randoms())
def test_messages_come_in_the_order_of_their_positions(steps: list[str], random: object) -> None:
    compared = Compared()

    compared.take_steps(steps)

    assert compared.positions == [message.position for message in compared.ready]
    assert len(compared.positions) == len(compared.ready)


def test_higher_priorities_come_first_and_each_keeps_its_order() -> None:
    ready = PrioritizedMessages(5)
    ready.append(queued(0, priority=1))
    ready.append(queued(1, priority=9))
    ready.append(queued(2, priority=0))
    ready.append(queued(3, priority=5))
    ready.append(queued(4, priority=1))
    first = ready.pop()
    ready.restore(first)

    assert [1, 3, 0, 4, 2] == [message.position for message in ready]
    assert 1 == ready.peek().position
    assert [1, 3, 0, 4, 2] == [ready.pop().position for _ in range(5)]


def test_octets_are_counted() -> None:
    ready = ReadyMessages()
    ready.append(queued(1, body=b"four"))
    ready.append(queued(2, body=b"five!"))
    message = ready.pop()
    assert 5 == ready.octets

    ready.restore(message)

    assert 9 == ready.octets


def test_empty_line_has_nothing_in_front() -> None:
    with pytest.raises(IndexError):
        ReadyMessages().peek()
