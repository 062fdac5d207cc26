"""Time that moves by itself while the broker is idle, and the time of connections on a clock."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any, NoReturn

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest

import ammoo
from ammoo_fakebroker import FakeBroker, ManualClock
from ammoo_fakebroker.clocks.auto_advance import AutoAdvance, _ThreadMover
from ammoo_fakebroker.clocks.clock import BackgroundClock, Observation

Make = Callable[..., FakeBroker]


def declare_ladder(channel: Any, *seconds: int) -> None:
    """Declare queues step.0, step.1, …, each of which passes a message on after its time."""
    for step, delay in enumerate(seconds):
        arguments = {
            "x-message-ttl": 1000 * delay,
            "x-dead-letter-exchange": "",
            "x-dead-letter-routing-key": f"step.{step + 1}",
        }
        channel.queue_declare(f"step.{step}", arguments=arguments)
    channel.queue_declare(f"step.{len(seconds)}")


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def broker(make_fakebroker: Make, clock: ManualClock) -> FakeBroker:
    return make_fakebroker(clock=clock)


@pytest.fixture
def channel(broker: FakeBroker) -> Any:
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.confirm_delivery()
        yield channel


def receive(channel: Any, queue_name: str) -> bytes:
    body: bytes = next(channel.consume(queue_name, auto_ack=True))[2]
    return body


def test_blocking_client_gets_what_comes_after_more_than_an_hour(
    broker: FakeBroker, channel: Any
) -> None:
    declare_ladder(channel, 60, 600, 3600)
    channel.basic_publish("", "step.0", b"retry")

    with broker.auto_advance(limit=7200) as advance:
        assert b"retry" == receive(channel, "step.3")

    assert 4260 == advance.moved


async def test_client_in_the_brokers_loop_gets_it_too(clock: ManualClock) -> None:
    async with (
        FakeBroker(clock=clock) as broker,
        await ammoo.connect(broker.url) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue(
            "retry", ttl=3_600_000, dead_letter_exchange="", dead_letter_routing_key="again"
        )
        await channel.declare_queue("again")
        await channel.select_confirm()
        await channel.publish("", "retry", b"message")

        with broker.auto_advance() as advance:
            async with channel.consume("again", no_ack=True) as consumer:
                assert b"message" == (await anext(aiter(consumer))).body

        assert 3600 == advance.moved


def test_two_brokers_on_one_clock_are_idle_together(
    broker: FakeBroker, clock: ManualClock, channel: Any, make_fakebroker: Make
) -> None:
    other = make_fakebroker(clock=clock)
    declare_ladder(channel, 60)
    channel.queue_declare("work")
    channel.basic_publish("", "step.0", b"later")
    channel.basic_publish("", "work", b"now")
    method, _, _ = next(channel.consume("work"))

    with other.auto_advance() as advance:
        assert "not idle: consumer" in advance.report()
        channel.basic_ack(method.delivery_tag)
        channel.cancel()
        assert b"later" == receive(channel, "step.1")

    assert 60 == advance.moved


def test_time_stands_still_while_a_consumer_holds_a_message(
    broker: FakeBroker, channel: Any
) -> None:
    declare_ladder(channel, 60)
    channel.queue_declare("work")
    channel.basic_publish("", "step.0", b"later")
    channel.basic_publish("", "work", b"now")
    method, _, _ = next(channel.consume("work"))

    with broker.auto_advance(quiet_for=0.001) as advance:
        channel.queue_declare("step.0", passive=True)  # round trips give it the chance to move
        assert "not idle: consumer" in advance.report()
        assert "holds 1 message" in advance.report()
        assert 0 == advance.moved
        channel.basic_ack(method.delivery_tag)
        channel.cancel()

        assert b"later" == receive(channel, "step.1")


def test_time_passes_while_a_consumer_holds_a_message_if_it_may(
    broker: FakeBroker, channel: Any
) -> None:
    declare_ladder(channel, 60)
    channel.queue_declare("work")
    channel.basic_publish("", "step.0", b"later")
    channel.basic_publish("", "work", b"now")
    next(channel.consume("work"))

    with (
        broker.auto_advance(while_unacknowledged=True) as advance,
        pika.BlockingConnection(pika.URLParameters(broker.url)) as connection,
    ):
        assert b"later" == receive(connection.channel(), "step.1")

    assert 60 == advance.moved


def test_time_moves_to_the_end_of_a_delay_that_a_fault_makes(
    broker: FakeBroker, channel: Any
) -> None:
    channel.queue_declare("work")
    channel.basic_publish("", "work", b"now")

    with broker.faults.delay_deliveries(seconds=600), broker.auto_advance() as advance:
        method, _, body = next(channel.consume("work"))
        channel.basic_ack(method.delivery_tag)

    assert (b"now", 600) == (body, advance.moved)
    assert "moved for: delay_deliveries(seconds=600): send a delivery" in advance.report()


def test_timers_that_only_look_do_not_attract_time(
    clock: ManualClock, make_fakebroker: Make
) -> None:
    broker = make_fakebroker(clock=clock, compatibility="4.0", connection_time="clock")
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.queue_declare("log", durable=True, arguments=STREAM)

        _, deadline = clock._observe(False)

    assert deadline is None


STREAM = {"x-queue-type": "stream", "x-max-age": "1h"}


def test_limit_stops_the_clock_and_fails_the_block_with_a_report(
    broker: FakeBroker, channel: Any, caplog: pytest.LogCaptureFixture
) -> None:
    declare_ladder(channel, 30, 30, 3600)
    channel.basic_publish("", "step.0", b"retry")

    with (
        pytest.raises(RuntimeError) as caught,
        broker.auto_advance(100, give_up_after=0) as advance,
    ):
        advance._gave_up.wait(30)

    assert 60 == advance.moved
    assert (
        "auto_advance moved the clock by 60 s, and stopped there:"
        " the next deadline is beyond its limit of 100 s\n"
        "  moved for: <ClassicQueue 'step.0' in '/'>: drop expired messages\n"
        "  moved for: <ClassicQueue 'step.1' in '/'>: drop expired messages\n"
        "  next deadline: in 3600 s\n"
        "  idle"
    ) == str(caught.value)
    assert [str(caught.value)] == [record.getMessage() for record in caplog.records]


async def test_limit_interrupts_a_block_in_the_brokers_loop(clock: ManualClock) -> None:
    async with FakeBroker(clock=clock) as broker:
        broker._node.clock.call_later(3601, print)
        task = asyncio.current_task()
        assert task is not None

        with (
            pytest.raises(RuntimeError, match="beyond its limit of 3600 s"),
            broker.auto_advance(give_up_after=0),
        ):
            await asyncio.Event().wait()

        assert 0 == task.cancelling()
        assert 0 == clock.time()


def test_exception_of_the_block_gets_the_report_as_a_note(broker: FakeBroker) -> None:
    with pytest.raises(AssertionError, match="no such order") as caught, broker.auto_advance():
        raise AssertionError("no such order")

    assert ["auto_advance moved the clock by 0 s\n  idle"] == caught.value.__notes__


def test_auto_advance_needs_a_manual_clock_and_sensible_numbers(
    broker: FakeBroker, fakebroker: FakeBroker
) -> None:
    with pytest.raises(RuntimeError, match="create it with clock=ManualClock"):
        fakebroker.auto_advance()
    with pytest.raises(ValueError, match="limit is -1; expected a number of seconds from 0 on"):
        broker.auto_advance(-1)
    with broker.auto_advance() as advance, pytest.raises(RuntimeError, match="in force already"):
        advance.__enter__()


# -- the time of connections -----------------------------------------------------------------------


def test_silent_client_is_disconnected_when_the_clock_is_moved(
    clock: ManualClock, make_fakebroker: Make
) -> None:
    broker = make_fakebroker(clock=clock, connection_time="clock", heartbeat=30)
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))

    clock.advance(59)
    before = broker.connections
    clock.advance(31)

    assert [1, 0] == [len(before), len(broker.connections)]
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        connection.channel()


def test_connections_do_not_mind_the_clock_by_default(broker: FakeBroker, channel: Any) -> None:
    broker.advance(36_000)

    assert 1 == len(broker.connections)


def test_connection_time_is_real_or_of_a_clock() -> None:
    with pytest.raises(ValueError, match="connection_time is 'fake'; expected 'real' or 'clock'"):
        FakeBroker(connection_time="fake")  # type: ignore[arg-type]  # the mistake
    with pytest.raises(ValueError, match="connection_time='clock' needs a clock"):
        FakeBroker(connection_time="clock")


def test_background_clock_shows_another_and_never_attracts(clock: ManualClock) -> None:
    background, seen = BackgroundClock(clock), []
    background.call_later(1, lambda: seen.append(background.time()))

    assert (Observation(0, None), None) == clock._observe(False)
    clock.advance(2)

    assert [1.0] == seen
    assert clock.timestamp() == background.timestamp()


def fail_with(error: BaseException) -> Callable[[], NoReturn]:
    def fail() -> NoReturn:
        raise error

    return fail


ERRORS = [
    ValueError("failed"),
    pytest.fail.Exception("failed"),
    pytest.exit.Exception("failed"),
    asyncio.CancelledError("failed"),
    KeyboardInterrupt("failed"),
    SystemExit("failed"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
async def test_block_in_the_loop_is_interrupted_by_what_a_due_function_raises(
    error: BaseException,
) -> None:
    clock = ManualClock()
    clock.call_later(10, fail_with(error))
    async with FakeBroker(clock=clock) as broker:
        with pytest.raises(type(error), match="failed") as raised, broker.auto_advance():
            await asyncio.sleep(3600)  # until the error interrupts it

    assert error is raised.value
    assert "auto_advance ended after 0 s: a function that fell due raised this" in (error.__notes__)


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_block_of_a_thread_ends_with_what_a_due_function_raises(
    broker: FakeBroker, clock: ManualClock, error: BaseException
) -> None:
    has_failed = threading.Event()
    clock.call_later(10, has_failed.set)
    clock.call_later(10, fail_with(error))

    with pytest.raises(type(error), match="failed") as raised, broker.auto_advance():
        assert has_failed.wait(60)

    assert error is raised.value


def fail_for_a_reason() -> None:
    try:
        int("key")
    except ValueError as reason:
        raise LookupError("failed") from reason


def fail_in_a_handler() -> None:
    try:
        int("key")
    except ValueError:
        raise LookupError("failed")  # noqa: B904  what is tried here


REASONS = [(fail_for_a_reason, ValueError), (fail_in_a_handler, type(None))]


@pytest.mark.parametrize(("due", "cause"), REASONS)
def test_what_a_due_function_raises_keeps_its_reason(
    broker: FakeBroker, clock: ManualClock, due: Callable[[], None], cause: type
) -> None:
    clock.call_later(10, due)
    advance = broker.auto_advance()

    with pytest.raises(LookupError, match="failed") as raised:
        wait_for_the_mover(advance)

    assert cause is type(raised.value.__cause__)
    assert isinstance(raised.value.__context__, ValueError)


@pytest.mark.parametrize(("due", "cause"), REASONS)
async def test_what_a_due_function_raises_in_the_loop_keeps_its_reason(
    due: Callable[[], None], cause: type
) -> None:
    clock = ManualClock()
    clock.call_later(10, due)
    async with FakeBroker(clock=clock) as broker:
        with pytest.raises(LookupError, match="failed") as raised, broker.auto_advance():
            await asyncio.sleep(3600)  # until the error interrupts it

    assert cause is type(raised.value.__cause__)
    assert isinstance(raised.value.__context__, ValueError)


def wait_for_the_mover(advance: AutoAdvance) -> None:
    """Wait in a block until the clock is not moved any more."""
    with advance:
        assert isinstance(advance._mover, _ThreadMover)
        advance._mover._thread.join(60)


class Reminder:
    """An object of a test, with a function for the clock."""

    def __init__(self) -> None:
        self.is_due = threading.Event()

    def __repr__(self) -> str:
        return self.describe("it")

    def describe(self, what: str) -> str:
        """Raise an error, as what was made for another use."""
        raise LookupError(what)

    def remind(self) -> None:
        """Remind."""
        self.is_due.set()


def test_objects_of_the_test_are_called_for_nothing_but_what_falls_due(
    broker: FakeBroker, clock: ManualClock
) -> None:
    reminder = Reminder()
    clock.call_later(10, reminder.remind)

    with broker.auto_advance() as advance:
        assert reminder.is_due.wait(60)

    assert ".Reminder object at " in advance.report()
    assert ": remind" in advance.report()


def fail_after_the_mover(advance: AutoAdvance) -> None:
    """Wait in a block until the clock is not moved any more, and raise an error."""
    with advance:
        assert isinstance(advance._mover, _ThreadMover)
        advance._mover._thread.join(60)
        raise LookupError


def test_exception_of_the_block_names_what_a_due_function_raised(
    broker: FakeBroker, clock: ManualClock
) -> None:
    clock.call_later(10, fail_with(ValueError("failed")))

    with pytest.raises(LookupError) as raised:
        fail_after_the_mover(broker.auto_advance())

    assert "a function that fell due raised ValueError('failed')" in raised.value.__notes__[0]


def test_exception_of_the_block_is_not_hidden_by_the_report(
    broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    advance = broker.auto_advance()
    monkeypatch.setattr(advance, "report", fail_with(RuntimeError("the loop is closed")))

    with pytest.raises(LookupError) as raised, advance:
        raise LookupError

    assert "no report: RuntimeError('the loop is closed')" in raised.value.__notes__[0]


async def test_broker_of_a_thread_can_share_its_clock_with_a_broker_of_the_loop(
    make_fakebroker: Make, clock: ManualClock
) -> None:
    other = make_fakebroker(clock=clock)
    async with FakeBroker(clock=clock) as own:
        own.declare_queue("orders", arguments={"x-message-ttl": 3_600_000})
        own.put("orders", b"one")

        with other.auto_advance(quiet_for=0) as advance:
            await own.expired().wait_async(1)

    assert 3600 == advance.moved
