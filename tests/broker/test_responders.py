"""Stub responders: what answers requests, and what a test is told of those without an answer."""

from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import pika  # type: ignore[import-untyped]  # it ships no types
import pytest

from ammoo_fakebroker import FakeBroker, MessageSnapshot

_Ask = Callable[..., tuple[str, bytes]]


@pytest.fixture
def broker() -> Iterator[FakeBroker]:
    with FakeBroker() as broker:
        yield broker


@pytest.fixture
def ask(broker: FakeBroker) -> Iterator[_Ask]:
    """Return a function that sends a request, and returns correlation id and body of the answer."""
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        answers: list[tuple[str, bytes]] = []
        channel.basic_consume(
            "amq.rabbitmq.reply-to",
            lambda _, method, properties, body: answers.append((properties.correlation_id, body)),
            auto_ack=True,
        )

        def ask(queue_name: str, body: bytes, number: str = "1") -> tuple[str, bytes]:
            properties = pika.BasicProperties(
                reply_to="amq.rabbitmq.reply-to", correlation_id=number
            )
            channel.basic_publish("", queue_name, body, properties)
            connection.process_data_events(time_limit=10)
            return answers.pop()

        yield ask


def test_requests_get_the_same_answer(broker: FakeBroker, ask: _Ask) -> None:
    with broker.respond("prices", json={"eur": 3}) as prices:
        answers = [ask("prices", b'{"sku": "pen"}', "7"), ask("prices", b"2", "8")]

    assert [("7", b'{"eur": 3}'), ("8", b'{"eur": 3}')] == answers
    assert {"sku": "pen"} == prices.requests[0].json()
    assert (2, "7") == (len(prices.requests), prices.requests[0].properties.correlation_id)


@pytest.mark.parametrize("body", [b"answer", "answer"])
def test_answer_may_be_octets_or_text(broker: FakeBroker, ask: _Ask, body: bytes | str) -> None:
    with broker.respond("prices", body=body):
        assert ("1", b"answer") == ask("prices", b"")


def test_answers_of_a_list_come_in_turn_and_the_last_is_repeated(
    broker: FakeBroker, ask: _Ask
) -> None:
    with broker.respond("prices", [{"eur": 1}, b"2"]):
        assert [b'{"eur": 1}', b"2", b"2"] == [ask("prices", b"")[1] for _ in range(3)]


def test_function_computes_the_answer(broker: FakeBroker, ask: _Ask) -> None:
    def double(request: MessageSnapshot) -> Any:
        return {"sum": 2 * request.json()}

    with broker.respond("prices", double):
        assert b'{"sum": 14}' == ask("prices", b"7")[1]


def test_newest_responder_that_takes_a_request_answers_it(broker: FakeBroker, ask: _Ask) -> None:
    broker.respond("prices", body="all")
    with broker.respond("prices", body="pens", when=lambda request: request.body == b"pen") as pens:
        found = [ask("prices", b"pen")[1], ask("prices", b"ink")[1]]

    assert [b"pens", b"all"] == found
    assert [b"pen"] == [request.body for request in pens.requests]
    assert b"all" == ask("prices", b"pen")[1]


def test_requests_that_wait_are_answered(broker: FakeBroker) -> None:
    broker.declare_queue("prices", durable=True)
    broker.declare_queue("answers")
    broker.put("prices", b"1", reply_to="answers")

    broker.respond("prices", body="done", app_id="stub")

    (answer,) = broker.messages("answers")
    assert (b"done", "stub") == (answer.body, answer.properties.app_id)


def test_removed_responder_leaves_requests_in_the_queue(broker: FakeBroker) -> None:
    with broker.respond("prices", body="done"):
        pass
    broker.put("prices", b"1")

    assert 1 == broker.queue("prices").message_count


def test_error_of_the_function_is_raised_at_the_end_of_the_block(
    broker: FakeBroker, ask: _Ask
) -> None:
    prices = broker.respond("prices", [b"3", {"a": object()}])
    ask("prices", b"first")
    broker.put("prices", b"second", reply_to="amq.rabbitmq.reply-to.x")

    with pytest.raises(
        AssertionError, match="prices: 1 request had no answer: request b'second': "
    ):
        prices.check()
    with pytest.raises(
        AssertionError, match=r"TypeError: json is .* Object of type object is not JSON"
    ):
        prices.__exit__(None, None, None)


def test_requests_without_an_answer_are_raised_at_the_end_of_the_broker() -> None:
    broker = FakeBroker()
    with pytest.raises(AssertionError, match=r"^prices: 2 requests had no answer: .*no "):
        leave_unanswered(broker)


@pytest.mark.parametrize("option", ["answer", "when"])
def test_pytest_fail_in_a_function_is_raised_at_the_end_of_the_broker(option: str) -> None:
    def choose(_: object) -> NoReturn:
        pytest.fail("by the test")

    options: dict[str, Any] = {"answer": ["done"], option: choose}
    with pytest.raises(AssertionError, match="request b'1': Failed: by the test"):
        leave_one_unanswered(options)


def leave_one_unanswered(options: dict[str, Any]) -> None:
    with FakeBroker() as broker:
        broker.respond("prices", **options)
        broker.put("prices", b"1", reply_to="x")


def leave_unanswered(broker: FakeBroker) -> None:
    with broker:
        broker.respond("prices", body="", when=lambda request: bool(request.body))
        broker.put("prices", b"1")
        broker.put("prices", b"", reply_to="x")


def test_failing_test_is_told_nothing_more() -> None:
    with pytest.raises(KeyError):
        fail_with_an_unanswered_request()


def fail_with_an_unanswered_request() -> None:
    with FakeBroker() as broker, broker.respond("prices", body="x"):
        broker.put("prices", b"no reply_to")
        raise KeyError


def test_options_of_responders_are_checked(broker: FakeBroker) -> None:
    with pytest.raises(
        TypeError, match="got nothing; expected exactly one of answer, json and body"
    ):
        broker.respond("prices")
    with pytest.raises(TypeError, match="no property 'hedaers'; did you mean 'headers'"):
        broker.respond("prices", body="", hedaers={})
    broker.declare_queue("log", durable=True, arguments={"x-queue-type": "stream"})
    with pytest.raises(ValueError, match="consumer prefetch count is not set for stream"):
        broker.respond("log", body="")


def failure_at_the_end(broker: FakeBroker) -> str:
    """End a broker, and return what it has against the test."""
    with pytest.raises(AssertionError) as caught:
        broker.__exit__(None, None, None)
    return str(caught.value)


def test_request_on_which_when_fails_is_told_at_the_end_and_its_client_lives_on() -> None:
    broker = FakeBroker().__enter__()
    broker.respond("prices", json=3, when=lambda request: bool(request.json()))
    with pika.BlockingConnection(pika.URLParameters(broker.url)) as connection:
        channel = connection.channel()
        channel.basic_publish("", "prices", b"no JSON")
        assert 0 == channel.queue_declare("prices", passive=True).method.message_count

    assert "1 request had no answer: request b'no JSON': JSONDecodeError" in failure_at_the_end(
        broker
    )


@pytest.mark.filterwarnings("error")
def test_slow_responder_is_told_at_the_end_where_warnings_are_errors() -> None:
    moments = iter((0.0, 1.0))
    broker = FakeBroker().__enter__()
    prices = broker.respond("prices", json=3)
    prices._stub.time = lambda: next(moments)
    broker.publish("", "prices", b"1", reply_to="answers")

    assert "RuntimeWarning: a responder of 'prices' took" in failure_at_the_end(broker)


def test_request_without_an_answer_is_told_although_other_responders_came_later() -> None:
    broker = FakeBroker().__enter__()
    with broker.respond("prices", json=1, when=lambda request: False):
        broker.publish("", "prices", b"1", reply_to="answers")
    with broker.respond("prices", json=2):
        broker.publish("", "prices", b"2", reply_to="answers")

    assert "request b'1': no responder takes it" in failure_at_the_end(broker)


@pytest.mark.parametrize("answer", ["text", b"octets", {"eur": 3}])
def test_answers_that_are_no_list_are_refused(broker: FakeBroker, answer: Any) -> None:
    with pytest.raises(
        TypeError, match=r"expected a function or a list of answers; for the same answer"
    ):
        broker.respond("prices", answer)


def test_empty_list_of_answers_is_refused(broker: FakeBroker) -> None:
    with pytest.raises(ValueError, match="answer is an empty list; expected one answer or more"):
        broker.respond("prices", [])


def test_failures_of_all_queues_are_told() -> None:
    with pytest.raises(AssertionError) as caught:
        leave_two_queues_unanswered()

    assert [
        "prices: 1 request had no answer: request b'one': no responder takes it",
        "stock: 1 request had no answer: request b'two': no responder takes it",
    ] == str(caught.value).splitlines()


def leave_two_queues_unanswered() -> None:
    with FakeBroker() as broker:
        broker.respond("prices", json=1, when=lambda _: False)
        broker.respond("stock", json=1, when=lambda _: False)
        broker.put("prices", b"one")
        broker.put("stock", b"two")
