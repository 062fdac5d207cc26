"""The window stays bounded whatever the broker does with confirms."""

import asyncio

import pytest
from loader import WINDOW, load

from ammoo_fakebroker import FakeBroker

ROWS = [{"id": number} for number in range(25)]


@pytest.fixture
async def broker():
    async with FakeBroker() as broker:
        broker.declare_queue("rows")
        yield broker


async def test_all_rows_arrive(broker):
    assert 25 == await load(broker.url, ROWS)
    assert [message.json() for message in broker.messages("rows")] == ROWS


async def test_window_stays_bounded_while_confirms_are_held(broker):
    confirms = broker.faults.hold_confirms()
    loading = asyncio.create_task(load(broker.url, ROWS))
    await broker.wait_for_messages_async("rows", WINDOW)
    await broker.settle()
    assert confirms.held_count == WINDOW

    confirms.release(3)
    await broker.wait_for_messages_async("rows", WINDOW + 3)
    confirms.remove()
    assert 25 == await loading


async def test_confirms_in_any_order_are_all_right(broker):
    with broker.faults.reorder_confirms(window=5):
        assert 25 == await load(broker.url, ROWS)


async def test_refused_row_is_reported(broker):
    broker.faults.nack_publishes(message=lambda message: message.json()["id"] == 7)
    with pytest.raises(ExceptionGroup):
        await load(broker.url, ROWS)
