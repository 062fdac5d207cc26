"""At most so many handshakes at a time, in all connections of an event loop together."""

import asyncio

from ammoo.recovery.handshake_slots import HandshakeSlots, slots_of
from tests.recovery.until import settle


async def hold(slots: HandshakeSlots, names: list[str], name: str, end: asyncio.Event) -> None:
    async with slots.slot():
        names.append(name)
        await end.wait()


async def test_one_more_than_the_slots_waits_until_one_is_free() -> None:
    slots, names, end, other = (
        HandshakeSlots(2, 60.0),
        list[str](),
        asyncio.Event(),
        asyncio.Event(),
    )
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(slots, names, "first", end))
        tasks.create_task(hold(slots, names, "second", other))
        tasks.create_task(hold(slots, names, "third", other))
        await settle()
        before = list(names)

        end.set()
        await settle()
        after = list(names)
        other.set()

    assert ["first", "second"] == before
    assert ["first", "second", "third"] == after


async def test_handshake_that_takes_too_long_counts_no_more() -> None:
    slots, names, end = HandshakeSlots(1, 0.0), list[str](), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(hold(slots, names, "silent", end))
        await settle()
        async with slots.slot():
            names.append("next")
        end.set()

    async with HandshakeSlots.slot(slots):
        names.append("one slot, as before")

    assert ["silent", "next", "one slot, as before"] == names


async def test_cancelled_wait_takes_no_slot() -> None:
    slots, names, end = HandshakeSlots(1, 60.0), list[str](), asyncio.Event()
    first = asyncio.create_task(hold(slots, names, "first", end))
    cancelled = asyncio.create_task(hold(slots, names, "cancelled", end))
    await settle()

    cancelled.cancel()
    await settle()
    end.set()
    await first
    await hold(slots, names, "next", end)

    assert ["first", "next"] == names


async def test_all_connections_of_a_loop_share_the_slots() -> None:
    loop = asyncio.get_running_loop()

    assert slots_of(loop) is slots_of(loop)
