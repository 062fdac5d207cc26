"""Functions that decide for a test: one that must be awaited is refused, because it is always true."""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, cast

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker


async def refuse(_: object) -> bool:
    return False


class Refusing:
    async def __call__(self, _: object) -> bool:
        return False


_CALLS: dict[str, Callable[[FakeBroker, Any], object]] = {
    "function": lambda broker, function: broker.wait_until(function),
    "body": lambda broker, function: broker.published(body=function),
    "queue_name": lambda broker, function: broker.history(queue_name=function),
    "message": lambda broker, function: broker.faults.nack_publishes(message=function),
    "routing_key": lambda broker, function: broker.faults.nack_publishes(routing_key=function),
    "when": lambda broker, function: broker.respond("rpc", json=1, when=function),
    "answer": lambda broker, function: broker.respond("rpc", function),
    "connection": lambda broker, function: broker.cut_connections(connection=function),
}


@pytest.mark.parametrize("name", _CALLS)
def test_async_function_is_refused_at_the_call(fakebroker: FakeBroker, name: str) -> None:
    fakebroker.declare_queue("rpc")

    with pytest.raises(TypeError) as caught:
        _CALLS[name](fakebroker, refuse)

    assert str(caught.value) == (
        f"{name} is refuse(), an async function; expected one that returns its result at once:"
        " def, not async def"
    )


async def test_async_function_is_refused_by_waits_in_a_loop(fakebroker: FakeBroker) -> None:
    with pytest.raises(TypeError, match=r"function is refuse\(\), an async function"):
        await fakebroker.wait_until_async(cast("Any", refuse))


@pytest.mark.parametrize("function", [partial(refuse), Refusing()])
def test_other_objects_that_are_called_as_async_functions(
    fakebroker: FakeBroker, function: Any
) -> None:
    with pytest.raises(TypeError, match=r"body is .*, an async function"):
        fakebroker.published(body=function)


def unawaited(argument: object) -> Any:
    return refuse(argument)


_UNAWAITED = r"unawaited\(\) returned <coroutine .*>, which must be awaited"


def test_result_that_must_be_awaited_is_refused_in_queries(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("orders")
    fakebroker.put("orders", b"1")

    with pytest.raises(TypeError, match=_UNAWAITED):
        fakebroker.published(body=unawaited)


def test_result_that_must_be_awaited_is_refused_in_waits(fakebroker: FakeBroker) -> None:
    with pytest.raises(TypeError, match=_UNAWAITED):
        fakebroker.wait_until(unawaited)


def test_future_is_refused_too(fakebroker: FakeBroker) -> None:
    loop = asyncio.new_event_loop()
    with pytest.raises(TypeError, match=r"returned <Future pending>, which must be"):
        fakebroker.wait_until(lambda _: loop.create_future())
    loop.close()


def publish_with_fault(broker: FakeBroker) -> None:
    with (
        pika.BlockingConnection(pika.URLParameters(broker.url)) as connection,
        broker.faults.nack_publishes(message=unawaited),
    ):
        channel = connection.channel()
        channel.confirm_delivery()
        channel.basic_publish("", "orders", b"1")


def test_result_that_must_be_awaited_does_not_strike(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("orders")

    with pytest.raises(AssertionError, match=_UNAWAITED):
        publish_with_fault(fakebroker)

    assert 1 == fakebroker.queue("orders").message_count


def test_result_that_must_be_awaited_is_no_answer(fakebroker: FakeBroker) -> None:
    fakebroker.declare_queue("rpc")
    fakebroker.declare_queue("back")
    responder = fakebroker.respond("rpc", unawaited)
    fakebroker.publish("", "rpc", b"1", reply_to="back")
    fakebroker.wait_until(lambda _: responder.failures)

    with pytest.raises(AssertionError, match=_UNAWAITED):
        responder.__exit__(None, None, None)
