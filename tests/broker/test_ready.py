"""The line of waiting messages: whatever is taken and brought back, the order stays."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ammoo_fakebroker.messages.message import Message, QueuedMessage
from ammoo_fakebroker.messages.properties import ParsedProperties
from ammoo_fakebroker.queues.ready_messages import PrioritizedMessages, ReadyMessages


def queued(position: int, *, priority: int = 0, body: bytes = b"") -> QueuedMessage:
    message = Message("", "", b"\x00\x00", body, ParsedProperties(priority=priority))
    return QueuedMessage(message, position, None)


@given(st.lists(st.sampled_from(["append", "take", "restore"]), max_size=60), st.randoms())
def test_messages_come_in_the_order_of_their_positions(steps: list[str], random: object) -> None:
    ready, model, taken = ReadyMessages(), [], []
    for position, step in enumerate(steps):
        if step == "append":
            ready.append(queued(position))
            model.append(position)
        elif step == "take" and model:
            message = ready.pop()
            taken.append(message)
            assert model.pop(0) == message.position
        elif step == "restore" and taken:
            message = taken.pop(len(taken) // 2)
            ready.restore(message)
            model = sorted([*model, message.position])

    assert model == [message.position for message in ready]
    assert len(model) == len(ready)


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
