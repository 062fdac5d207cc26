import pytest
from audit import Audit

from ammoo_fakebroker import FakeBroker, ManualClock


async def test_entries_are_kept(audit: Audit, fakebroker: FakeBroker) -> None:
    await audit.write("user.created", b"ann")

    (entry,) = await fakebroker.wait_for_messages_async("audit.log")
    assert ("audit", "user.created", b"ann") == (entry.exchange_name, entry.routing_key, entry.body)


async def test_oldest_entries_go_first(audit: Audit, fakebroker: FakeBroker) -> None:
    await audit.write("count", b"1")
    await audit.write("count", b"2")
    await audit.write("count", b"3")

    entries = await fakebroker.wait_for_messages_async("audit.log", 2)
    assert [b"2", b"3"] == [entry.body for entry in entries]


async def test_policy_limits_the_log_further(audit: Audit, fakebroker: FakeBroker) -> None:
    fakebroker.set_policy("short", "^audit", {"max-length": 1})
    await audit.write("count", b"1")
    await audit.write("count", b"2")

    await fakebroker.wait_until_async(
        lambda look: [b"2"] == [entry.body for entry in look.messages("audit.log")]
    )


async def test_dropped_entry_is_in_the_history(audit: Audit, fakebroker: FakeBroker) -> None:
    """Only a fake broker tells what became of a message: skipped on a real one."""
    await audit.write("count", b"1")
    await audit.write("count", b"2")
    await audit.write("count", b"3")

    fakebroker.dropped(queue_name="audit.log", body=b"1").assert_count(1)


@pytest.mark.fakebroker(clock=ManualClock)
async def test_entries_never_expire(audit: Audit, fakebroker: FakeBroker) -> None:
    await audit.write("count", b"1")
    fakebroker.advance(10 * 365 * 86_400)

    assert 1 == fakebroker.queue("audit.log").message_count
