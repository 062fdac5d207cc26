"""Attributes that do not exist: the error names the one that may have been meant."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker, ManualClock


@pytest.fixture
def broker() -> FakeBroker:
    broker = FakeBroker()
    broker.declare_queue("orders")
    broker.put("orders", b"one", headers={"attempt": 1})
    return broker


def queue_of(broker: FakeBroker) -> object:
    return broker.queue("orders")


def message_of(broker: FakeBroker) -> object:
    return broker.messages("orders")[0]


def events_of(broker: FakeBroker) -> object:
    return broker.published()


def event_of(broker: FakeBroker) -> object:
    return broker.published()[0]


def look_at(broker: FakeBroker) -> object:
    return broker.look()


def clock_of(broker: FakeBroker) -> object:
    return ManualClock()


def life_of(broker: FakeBroker) -> object:
    return broker.life_of(1)


SIMILAR = [
    (
        queue_of,
        "messages",
        "QueueSnapshot has no attribute 'messages'; did you mean 'message_count'",
    ),
    (message_of, "header", "MessageSnapshot has no attribute 'header'; did you mean 'headers'"),
    (message_of, "delivery_mode", "'delivery_mode'; did you mean properties.delivery_mode"),
    (message_of, "queue", "'queue'; it has body, channel_number, connection, consumer_tag, deliv"),
    (message_of, "_queue", "MessageSnapshot has no attribute '_queue'$"),
    (events_of, "assert_called", "Events has no attribute 'assert_called'; did you mean 'assert_"),
    (event_of, "exchange", "Event has no attribute 'exchange'; did you mean 'exchange_name'"),
    (event_of, "content_type", "'content_type'; did you mean properties.content_type"),
    (look_at, "queu", "Look has no attribute 'queu'; did you mean 'queue'"),
    (clock_of, "advance_by", "ManualClock has no attribute 'advance_by'; did you mean 'advance'"),
    (life_of, "message", "Life has no attribute 'message'; did you mean 'message_number'"),
]


@pytest.mark.parametrize(("take", "name", "text"), SIMILAR)
def test_similar_attribute_is_named(
    broker: FakeBroker, take: Callable[[FakeBroker], object], name: str, text: str
) -> None:
    with pytest.raises(AttributeError, match=text):
        getattr(take(broker), name)


def test_snapshot_of_a_message_has_its_headers(broker: FakeBroker) -> None:
    broker.put("orders", b"two")

    with_headers, without = broker.messages("orders")

    assert ({"attempt": 1}, {}) == (with_headers.headers, without.headers)


@pytest.mark.parametrize("take", [queue_of, message_of, event_of])
def test_copies_are_equal(broker: FakeBroker, take: Callable[[FakeBroker], Any]) -> None:
    original = take(broker)

    assert original == copy.copy(original)
    assert original == copy.deepcopy(original)


def test_snapshots_can_be_pickled(broker: FakeBroker) -> None:
    original = broker.queue("orders")

    assert original == pickle.loads(pickle.dumps(original))
