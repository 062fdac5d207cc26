"""What a test gets that passes a wrong value: the value's name, the value, and what was expected."""

import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ammoo_fakebroker import FakeBroker, ManualClock

Call = Callable[[Any], Any]
# What is passed here is wrong for the type checker as well.
BROKER: Any = FakeBroker
CLOCK: Any = ManualClock
SECONDS = "expected a number of seconds from 0 on"


@pytest.fixture(scope="module")
def broker() -> Iterator[FakeBroker]:
    with FakeBroker(clock=ManualClock()) as broker:
        broker.declare_queue("orders")
        broker.publish("", "orders", b"one")
        yield broker


TEXTS: dict[str, Call] = {
    "queue_name is 5; expected a string": lambda broker: broker.wait_for_messages(5),
    "virtualhost is 5; expected a string": lambda broker: broker.queues(virtualhost=5),
    "exchange_name is 5; expected a string": lambda broker: broker.publish(5, "orders", b""),
    "routing_key is 5; expected a string": lambda broker: broker.publish("", 5, b""),
    "exchange_type is 5; expected a string": lambda broker: broker.declare_exchange("logs", 5),
    "consumer_tag is 5; expected a string": lambda broker: broker.cancel_consumer(5),
    "reason is 5; expected a string": lambda broker: broker.block(5),
    "name is 5; expected a string": lambda broker: broker.add_user(5, "secret"),
    "password is 5; expected a string": lambda broker: broker.add_user("ann", 5),
    "virtualhosts is '/'; expected a list of strings": lambda broker: broker.add_user(
        "ann", "secret", virtualhosts="/"
    ),
    "tags has 5; expected strings": lambda broker: broker.add_user("ann", "secret", tags=[5]),
    "arguments is 5; expected a mapping": lambda broker: broker.declare_queue("q", arguments=5),
    "durable is 'x'; expected True or False": lambda broker: broker.declare_queue("q", durable="x"),
    "body is 5; expected bytes or a string, or json=…": lambda broker: broker.put("orders", 5),
    "json is {1}; expected what JSON can hold": lambda broker: broker.put("orders", json={1}),
    "text is 5; expected a string": lambda broker: broker.faults.close_channels(text=5),
    "host is 5; expected a string": lambda _: BROKER(host=5),
    "control is 'x'; expected True or False": lambda _: BROKER(control="x"),
    "mechanisms is 'PLAIN'; expected a list of names": lambda _: BROKER(mechanisms="PLAIN"),
}
NAMES: dict[str, Call] = {
    "published() has no keyword 'exchange'; did you mean 'exchange_name'?": lambda broker: (
        broker.published(exchange="orders")
    ),
    "published() has no keyword 'bodies'; did you mean 'body'?": lambda broker: broker.published(
        bodies=b"x"
    ),
    "got() has no keyword 'queue'; did you mean 'queue_name'?": lambda broker: broker.got(
        queue="orders"
    ),
    "history() has no keyword 'key'; did you mean 'routing_key'?": lambda broker: broker.history(
        key="orders"
    ),
    "nack_publishes has no option 'exchange'; did you mean 'exchange_name'?": lambda broker: (
        broker.faults.nack_publishes(exchange="orders")
    ),
    "hold_deliveries has no option 'tag'; did you mean 'consumer_tag'?": lambda broker: (
        broker.faults.hold_deliveries(tag="one")
    ),
    "FakeBroker got 'localhost' without a name; expected options by their names, such as host=…": (
        lambda _: BROKER("localhost")
    ),
    "FakeBroker has no option 'version'; did you mean 'compatibility'?": lambda _: BROKER(
        version="4.0"
    ),
    "cancel_consumer() has no argument 'queue'; did you mean 'queue_name'?": lambda broker: (
        broker.cancel_consumer(queue="orders")
    ),
    "restart() has no argument 'seconds'; did you mean 'down_for'?": lambda broker: broker.restart(
        seconds=1
    ),
    "wait_for_messages() has no argument 'number'; did you mean 'count'?": lambda broker: (
        broker.wait_for_messages("orders", number=2)
    ),
    "declare_queue() has no argument 'args'; did you mean 'arguments'?": lambda broker: (
        broker.declare_queue("q", args={})
    ),
    "publish() missing 1 required positional argument: 'routing_key'": lambda broker: (
        broker.publish("orders")
    ),
}
ATTRIBUTES: dict[str, Call] = {
    "FakeBroker has no attribute 'wait_for_message'; did you mean broker.wait_for_messages?": (
        lambda broker: broker.wait_for_message("orders")
    ),
    "did you mean broker.nacked or broker.faults.nack_publishes?": lambda broker: broker.nack(),
    "FakeBroker has no attribute 'queue_declare'; did you mean broker.declare_queue?": (
        lambda broker: broker.queue_declare("orders")
    ),
    "FakeBroker has no attribute 'go_silent'; did you mean broker.faults.silence?": (
        lambda broker: broker.go_silent()
    ),
    "FakeBroker has no attribute 'qqqq'; help(FakeBroker) lists what it has": (
        lambda broker: broker.qqqq
    ),
    "FakeBroker has no attribute '_qqqq'": lambda broker: broker._qqqq,
    "there is no fault 'nack_publish'; did you mean 'nack_publishes'?": (
        lambda broker: broker.faults.nack_publish()
    ),
    "there is no fault 'qqqq'; they are close_channels, ": lambda broker: broker.faults.qqqq,
}
COUNTS: dict[str, Call] = {
    "count is 'x'; expected an integer": lambda broker: broker.wait_for_messages("orders", "x"),
    "count is 1.5; expected an integer": lambda broker: broker.wait_for_consumers("orders", 1.5),
    "count is None": lambda broker: broker.wait_for_connections(None),
    "count is -1; expected an integer from 0 on": lambda broker: broker.published().assert_count(
        -1
    ),
    "count is -2; expected an integer from 0 on": lambda broker: broker.published().wait(-2),
    "count is '3'; expected an integer": lambda broker: broker.faults.hold(optional=True).wait("3"),
    "since is 'x'; expected an integer": lambda broker: broker.history(since="x"),
    "message is 'x'; expected an Event": lambda broker: broker.life_of("x"),
    "times is 0; expected an integer from 1 on": lambda broker: broker.faults.hold(times=0),
    "seed is 'x'; expected an integer": lambda _: BROKER(seed="x"),
    "port is -1": lambda _: BROKER(port=-1),
    "heartbeat is 'x'": lambda _: BROKER(heartbeat="x"),
    "history is -1": lambda _: BROKER(history=-1),
}
TIMES: dict[str, Call] = {
    "timeout is 'x'": lambda broker: broker.wait_for_messages("orders", timeout="x"),
    "timeout is -1": lambda broker: broker.wait_for_consumers("orders", timeout=-1),
    "timeout is None": lambda broker: broker.wait_until(lambda look: True, timeout=None),
    "timeout is nan": lambda broker: broker.wait_for_connections(timeout=float("nan")),
    "timeout is 'y'": lambda broker: broker.published().wait(timeout="y"),
    "timeout is 'z'": lambda broker: broker.faults.hold(optional=True).wait(timeout="z"),
    "quiet_for is 'x'": lambda broker: broker.wait_for_idle(quiet_for="x"),
    "down_for is 'x'": lambda broker: broker.restart(down_for="x"),
    "down_for is -1": lambda broker: broker.restart(down_for=-1),
    "seconds is 'x'": lambda broker: broker.advance("x"),
    "seconds is -1": lambda broker: broker.advance(-1),
    "limit is 'x'": lambda broker: broker.auto_advance("x"),
    "give_up_after is 'x'": lambda broker: broker.auto_advance(give_up_after="x"),
    "time is 'x'": lambda _: CLOCK().advance_to("x"),
    "delay is 'x'": lambda _: CLOCK().call_later("x", print),
    "timestamp is 'x'": lambda _: CLOCK("x"),
}
OTHERS: dict[str, Call] = {
    "function is 5; expected a function": lambda broker: broker.wait_until(5),
    "callback is 5; expected a function": lambda _: CLOCK().call_later(1, 5),
    "when is 5; expected a function": lambda broker: broker.respond("prices", json=1, when=5),
    "kind is 5; expected a list of strings": lambda broker: broker.history(kind=5),
    "kind is 'publishd'; did you mean 'published'?": lambda broker: broker.history(kind="publishd"),
    "keep is 'x'; expected 'durable', 'all' or 'none'": lambda broker: broker.restart(keep="x"),
    "politely is 'x'; expected True or False": lambda broker: broker.restart(politely="x"),
    "connection is 5; expected a connection's name": lambda broker: broker.block(connection=5),
    "connection is 6; expected": lambda broker: broker.cut_connections(connection=6),
    "connection is 7; expected": lambda broker: broker.close_connections(connection=7),
    "reset is 'x'; expected True or False": lambda broker: broker.faults.cut(reset="x"),
    "there is no fault 'nack'": lambda broker: broker.faults.add("nack"),
    "name is 5; expected a string": lambda broker: broker.faults.add(5),
    "options is 5; expected a mapping": lambda broker: broker.faults.add("hold", 5),
    "tls is 5; expected an ssl.SSLContext": lambda _: BROKER(tls=5),
    "tls is a context for clients; expected one for servers, with a certificate": (
        lambda _: BROKER(tls=ssl.create_default_context())
    ),
    "clock is 5; expected a ManualClock": lambda _: BROKER(clock=5),
}


def refusals() -> list[Any]:
    """Return what each call must say."""
    times = {f"{value}; {SECONDS}": call for value, call in TIMES.items()}
    named = [*TEXTS.items(), *COUNTS.items(), *times.items(), *OTHERS.items()]
    return [pytest.param(text, call, id=text) for text, call in named]


@pytest.mark.parametrize(("text", "call"), refusals())
def test_wrong_value_is_refused_by_its_name(broker: FakeBroker, text: str, call: Call) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        call(broker)

    assert text in str(refused.value)


@pytest.mark.parametrize("text", NAMES)
def test_misspelt_argument_is_refused_with_a_similar_one(broker: FakeBroker, text: str) -> None:
    """The texts name no class that users do not know."""
    with pytest.raises(TypeError) as refused:
        NAMES[text](broker)

    assert text == str(refused.value)


@pytest.mark.parametrize("text", ATTRIBUTES)
def test_misspelt_method_is_refused_with_a_similar_one(broker: FakeBroker, text: str) -> None:
    with pytest.raises(AttributeError) as refused:
        ATTRIBUTES[text](broker)

    assert text in str(refused.value)


UNKNOWN: dict[str, Call] = {
    "virtual host 'nowhere'": lambda broker: broker.declare_queue("q", virtualhost="nowhere"),
    "queue 'nowhere' in virtual host '/'; there are 'orders'": lambda broker: broker.messages(
        "nowhere"
    ),
    "user 'nobody'": lambda broker: broker.set_permissions("nobody"),
    "consumer 'none'": lambda broker: broker.cancel_consumer("none"),
    "connection 'none'; no connection is open": lambda broker: broker.close_connection("none"),
    "message 99": lambda broker: broker.life_of(99),
    "policy 'none'": lambda broker: broker.clear_policy("none"),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_unknown_name_is_named(broker: FakeBroker, name: str) -> None:
    with pytest.raises(LookupError) as refused:
        UNKNOWN[name](broker)

    assert name in str(refused.value)


async def test_wrong_value_of_a_coroutine_is_refused(broker: FakeBroker) -> None:
    with pytest.raises(TypeError, match=r"timeout is 'x'; expected a number of seconds"):
        await broker.wait_for_messages_async("orders", timeout="x")  # type: ignore[arg-type]  # that is it
