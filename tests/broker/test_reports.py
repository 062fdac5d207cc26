"""The section about a broker in the report of a failing test, within its bounds."""

import pika  # type: ignore[import-untyped]  # it ships no types

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.testing.reports import MAX_LINES, MAX_OCTETS, describe_broker


def test_report_is_bounded(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        for number in range(40):
            channel.queue_declare(f"queue {number}")
            channel.basic_publish("", f"queue {number}", bytes([number]) * 5000)

        text = describe_broker(fakebroker)

    assert len(text.splitlines()) <= MAX_LINES
    assert len(text.encode()) <= MAX_OCTETS
    assert "… and 25 more queues that are not empty" in text or "lines are left out" in text
    assert "(5,000 octets)" in text


def test_equal_events_are_one_line(fakebroker: FakeBroker) -> None:
    with pika.BlockingConnection(pika.URLParameters(fakebroker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("orders")
        for _ in range(3):
            channel.queue_declare("orders")

        text = describe_broker(fakebroker)

    assert "queue declared: 'orders' (it existed) (x3)" in text


def test_report_without_history_says_so() -> None:
    with FakeBroker(history=0) as broker:
        assert "history is off" in describe_broker(broker)
