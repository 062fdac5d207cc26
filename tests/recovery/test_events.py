"""Listeners: bounded, in order, and never without the end."""

import asyncio
from collections.abc import Iterable

from ammoo.exceptions import ConnectionLost
from ammoo.recovery.events import Closed, Event, Unblocked
from ammoo.recovery.listener import MOST_EVENTS, EventListener

END = Closed(9.0, 1, ConnectionLost())


async def test_events_come_in_order_and_end_behind_closed() -> None:
    listener = EventListener()
    listener.put(Unblocked(1.0, 1))
    listener.put(END, is_last=True)

    assert [Unblocked(1.0, 1), END] == [event async for event in listener]


async def test_listener_waits_for_an_event() -> None:
    listener = EventListener()
    first, second = (asyncio.create_task(anext(listener)) for _ in range(2))
    await asyncio.sleep(0)

    listener.put(Unblocked(1.0, 1))
    listener.put(Unblocked(2.0, 1))

    assert {Unblocked(1.0, 1), Unblocked(2.0, 1)} == {await first, await second}


async def test_oldest_events_are_dropped_and_counted() -> None:
    listener = EventListener()
    put_all(listener, [*(Unblocked(float(n), 1) for n in range(MOST_EVENTS + 3)), END])

    events = [event async for event in listener]

    assert 4 == listener.dropped
    assert Unblocked(4.0, 1) == events[0]
    assert END == events[-1]
    assert MOST_EVENTS == len(events)


def put_all(listener: EventListener, events: Iterable[Event]) -> None:
    for event in events:
        listener.put(event, is_last=event is END)
