"""The unread messages of a consumer by themselves: what counts towards a backlog."""

import pytest

from ammoo.inbox import LARGE_BODY, Inbox
from ammoo.messages import DeliverMessage
from ammoo_wire import BasicConsumeParameters


def message_of(size: int) -> DeliverMessage:
    """Make a message with a body of so many octets, and nothing else."""
    message = DeliverMessage()
    message.body = bytearray(size)
    return message


def deliver_each(inbox: Inbox, messages: list[DeliverMessage]) -> None:
    for message in messages:
        inbox.deliver(message)


def account_for_each(inbox: Inbox, messages: list[DeliverMessage]) -> None:
    for message in messages:
        inbox.account_for(message)


@pytest.mark.parametrize(
    ("size", "expected"), [(0, False), (LARGE_BODY - 1, False), (LARGE_BODY, True)]
)
def test_inbox_counts_the_octets_of_large_bodies_alone(size: int, expected: bool) -> None:
    inbox = Inbox(BasicConsumeParameters("queue"))

    inbox.deliver(message_of(size))

    assert expected is inbox.needs_accounting


@pytest.mark.parametrize("sizes", [[LARGE_BODY], [LARGE_BODY, 0], [LARGE_BODY + 1, LARGE_BODY]])
def test_inbox_counts_nothing_once_everything_is_read(sizes: list[int]) -> None:
    inbox = Inbox(BasicConsumeParameters("queue"))
    messages = [message_of(size) for size in sizes]
    deliver_each(inbox, messages)

    account_for_each(inbox, messages)

    assert not inbox.needs_accounting


def test_inbox_counts_what_is_left_when_a_part_is_read() -> None:
    inbox = Inbox(BasicConsumeParameters("queue"))
    first, second = message_of(LARGE_BODY), message_of(LARGE_BODY)
    inbox.deliver(first)
    inbox.deliver(second)

    inbox.account_for(first)

    assert inbox.needs_accounting
