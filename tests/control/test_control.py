"""The control API: what a test in another language does to a broker over HTTP."""

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.client import HTTPConnection
from types import SimpleNamespace
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pika  # type: ignore[import-untyped]  # it has no types
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock, restart

_MakeBroker = Callable[..., FakeBroker]


class Answer(NamedTuple):
    status: int
    json: Any


class Control:
    """The control API of a broker."""

    def __init__(self, broker: FakeBroker) -> None:
        self._address = urlsplit(broker.management_url).netloc

    def ask(self, method: str, path: str, body: object = None) -> Answer:
        connection = HTTPConnection(self._address, timeout=30)
        octets = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection.request(method, f"/fake/{path}", octets)
        response = connection.getresponse()
        content = response.read()
        connection.close()
        return Answer(response.status, json.loads(content) if content else None)


@pytest.fixture
def broker(make_fakebroker: _MakeBroker) -> FakeBroker:
    return make_fakebroker(management_port=0, control=True, clock=ManualClock())


@pytest.fixture
def control(broker: FakeBroker) -> Control:
    return Control(broker)


@pytest.fixture
def channel(broker: FakeBroker) -> Iterator[Any]:
    """A client's channel in confirm mode, with a queue orders."""
    connection = pika.BlockingConnection(pika.URLParameters(broker.url))
    channel = connection.channel()
    channel.confirm_delivery()
    channel.queue_declare("orders", arguments={"x-message-ttl": 60_000})
    yield channel
    with contextlib.suppress(pika.exceptions.AMQPError):  # the test may have cut it
        connection.close()


# -- faults ------------------------------------------------------------------------------------


def test_fault_is_made_strikes_and_is_removed(control: Control, channel: Any) -> None:
    made = control.ask("POST", "faults", {"do": "nack_publishes", "times": 1})

    with pytest.raises(pika.exceptions.NackError):
        channel.basic_publish("", "orders", b"order 1")

    fault = {"id": 1, "do": "nack_publishes", "times": 1}
    assert (201, {**fault, "count": 0, "matched": 0}) == made
    assert (200, {**fault, "count": 1, "matched": 1}) == control.ask("GET", "faults/1")
    assert (200, {**fault, "count": 1, "matched": 1}) == control.ask("DELETE", "faults/1")
    assert (200, []) == control.ask("GET", "faults")


def test_fault_that_never_struck_says_why_when_it_is_removed(
    control: Control, channel: Any
) -> None:
    control.ask("POST", "faults", {"do": "nack_publishes", "exchange_name": "invoices"})
    channel.basic_publish("", "orders", b"order 1")

    status, body = control.ask("DELETE", "faults/1")

    assert (409, "never_struck") == (status, body["error"])
    assert body["reason"].startswith("nack_publishes(exchange_name='invoices') never struck: ")
    assert (200, []) == control.ask("GET", "faults")


def test_optional_fault_need_not_strike(control: Control) -> None:
    control.ask("POST", "faults", {"do": "nack_publishes", "optional": True})

    assert 200 == control.ask("DELETE", "faults").status


def test_several_faults_are_made_of_a_list(control: Control) -> None:
    faults = [{"do": "nack_publishes"}, {"do": "hold_confirms"}]

    assert 201 == control.ask("POST", "faults", faults).status
    assert ["hold_confirms", "nack_publishes"] == [
        fault["do"] for fault in control.ask("GET", "faults").json
    ]


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"nonsense", "the body is not JSON: Expecting value: line 1 column 1 (char 0)"),
        ({}, "a fault needs the key 'do': its name, such as 'nack_publishes'"),
        ({"do": "nack_publish"}, "did you mean 'nack_publishes'?"),
        ({"do": "nack_publishes", "tmies": 2}, "'tmies'; did you mean 'times'?"),
        ([{"do": "nack_publishes"}, 7], "expected an object, or a list of objects"),
        (7, "the body is 7; expected an object"),
    ],
)
def test_what_is_no_fault_is_a_bad_request(control: Control, body: object, reason: str) -> None:
    status, answer = control.ask("POST", "faults", body)

    assert (400, "bad_request") == (status, answer["error"])
    assert answer["reason"].endswith(reason)


def test_list_with_what_is_no_fault_makes_none(control: Control) -> None:
    faults = [{"do": "nack_publishes"}, {"do": "hold_confrims"}]

    assert 400 == control.ask("POST", "faults", faults).status
    assert [] == control.ask("GET", "faults").json


def test_clock_is_moved_over_http_while_a_thread_moves_it(
    make_fakebroker: _MakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock, arrived = ManualClock(), threading.Event()
    broker = make_fakebroker(management_port=0, control=True, clock=clock)
    control, advance = Control(broker), broker.advance

    def advance_soon(seconds: float) -> None:
        arrived.set()
        advance(seconds)

    monkeypatch.setattr(broker, "advance", advance_soon)
    answers: list[int] = []
    asking = threading.Thread(
        target=lambda: answers.append(control.ask("POST", "clock/advance", {"seconds": 2}).status)
    )

    def ask_meanwhile() -> None:
        asking.start()
        assert arrived.wait(30)  # while this thread has the clock in hand

    clock.call_later(1, ask_meanwhile)
    clock.advance(1)
    asking.join(30)

    assert ([204], 3.0) == (answers, clock.time())


def test_unknown_fault_is_not_found(control: Control) -> None:
    assert (404, "there is no fault 7; in force: none") == (
        control.ask("DELETE", "faults/7").status,
        control.ask("DELETE", "faults/7").json["reason"],
    )


# -- history -----------------------------------------------------------------------------------


def test_history_is_asked_by_attributes(control: Control, channel: Any) -> None:
    channel.basic_publish("", "orders", b'{"id": 7, "sum": 3}')
    channel.basic_publish("", "orders", b'{"id": 8, "sum": 3}')

    found = control.ask("GET", "history?kind=published&routing_key=orders&json=%7B%22id%22:7%7D")

    (event,) = found.json["events"]
    assert ("published", '{"id": 7, "sum": 3}') == (event["kind"], event["body"])


def test_history_is_asked_from_a_mark_on(control: Control, channel: Any) -> None:
    channel.basic_publish("", "orders", b"order 1")
    mark = control.ask("GET", "mark").json["mark"]
    channel.basic_publish("", "orders", b"order 2")

    events = control.ask("GET", f"history?kind=published&since={mark}").json["events"]

    assert ["order 2"] == [event["body"] for event in events]


def test_history_waits_for_what_has_not_happened_yet(control: Control, channel: Any) -> None:
    answers: list[Answer] = []
    waiting = threading.Thread(
        target=lambda: answers.append(
            control.ask("GET", "history?kind=published&wait=1&timeout=30")
        )
    )
    waiting.start()

    channel.basic_publish("", "orders", b"order 1")
    waiting.join(30)

    assert ["order 1"] == [event["body"] for event in answers[0].json["events"]]


def test_wait_that_is_not_met_carries_the_failure_of_a_python_test(
    control: Control, broker: FakeBroker
) -> None:
    with pytest.raises(AssertionError) as failure:
        broker.history(kind="published").wait(1, timeout=0.01)

    status, body = control.ask("GET", "history?kind=published&wait=1&timeout=0.01")

    assert (408, "timeout", str(failure.value)) == (status, body["error"], body["reason"])


@pytest.mark.parametrize(
    ("query", "reason"),
    [
        ("kind=publishd", "kind is 'publishd'; did you mean 'published'?"),
        ("wait=soon", "wait is 'soon'; expected an integer"),
        ("timeout=0", "timeout is 0; expected seconds, at most 60"),
        ("timeout=soon", "timeout is 'soon'; expected a number of seconds"),
        ("channel_number=x", "channel_number is 'x'; expected an integer"),
        ("json=x", "json is 'x'; expected a value in JSON"),
    ],
)
def test_unreadable_query_is_a_bad_request(control: Control, query: str, reason: str) -> None:
    status, body = control.ask("GET", f"history?{query}")

    assert (400, "bad_request") == (status, body["error"])
    assert body["reason"].startswith(reason)


def test_misspelt_attribute_is_a_bad_request(control: Control) -> None:
    status, body = control.ask("GET", "history?exchange=orders")

    assert 400 == status
    assert "no keyword 'exchange'" in body["reason"]


def test_history_that_has_dropped_events_says_so(make_fakebroker: _MakeBroker) -> None:
    broker = make_fakebroker(management_port=0, control=True, history=1)
    broker.declare_queue("orders")
    mark = broker.mark()
    broker.declare_queue("invoices")

    status, body = Control(broker).ask("GET", "history?kind=published")

    assert (400, True) == (status, "history holds only the last 1 of 2 events" in str(body))
    assert 200 == Control(broker).ask("GET", f"history?kind=published&since={mark}").status


def test_broker_without_history_says_so(make_fakebroker: _MakeBroker) -> None:
    control = Control(make_fakebroker(management_port=0, control=True, history=0))

    assert 400 == control.ask("GET", "history").status
    assert 400 == control.ask("GET", "mark").status


# -- actions -----------------------------------------------------------------------------------


def test_clock_is_advanced(control: Control, broker: FakeBroker, channel: Any) -> None:
    channel.basic_publish("", "orders", b"order 1")

    assert 204 == control.ask("POST", "clock/advance", {"seconds": 61}).status
    assert 0 == broker.queue("orders").message_count


@pytest.mark.parametrize("body", [{}, {"seconds": -1}, {"seconds": "x"}])
def test_unsuitable_time_is_a_bad_request(control: Control, body: object) -> None:
    assert 400 == control.ask("POST", "clock/advance", body).status


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (None, "'seconds' is missing: how far to move the clock"),
        (b'{"seconds": 1e400}', "seconds is infinite; expected a number of seconds from 0 on"),
    ],
)
def test_unsuitable_time_is_named(control: Control, body: object, reason: str) -> None:
    assert reason == control.ask("POST", "clock/advance", body).json["reason"]


def test_clock_in_real_time_cannot_be_advanced(make_fakebroker: _MakeBroker) -> None:
    control = Control(make_fakebroker(management_port=0, control=True))

    status, body = control.ask("POST", "clock/advance", {"seconds": 1})

    assert (409, "real_time") == (status, body["error"])


@pytest.mark.parametrize(
    ("path", "error"),
    [
        ("cut", pika.exceptions.AMQPConnectionError),
        ("close", pika.exceptions.ConnectionClosedByBroker),
    ],
)
def test_connections_end(control: Control, channel: Any, path: str, error: type[Exception]) -> None:
    assert (200, {"connections": 1}) == control.ask("POST", path)
    with pytest.raises(error):
        channel.queue_declare("invoices")


@pytest.mark.parametrize("path", ["cut", "close"])
def test_connections_of_a_name_end(
    control: Control, broker: FakeBroker, channel: Any, path: str
) -> None:
    parameters = pika.URLParameters(broker.url)
    properties: dict[str, Any] = {"connection_name": "worker"}
    parameters.client_properties = properties
    worker = pika.BlockingConnection(parameters)

    assert (200, {"connections": 1}) == control.ask("POST", path, {"connection": "worker"})
    assert 404 == control.ask("POST", path, {"connection": "nobody"}).status
    with pytest.raises(pika.exceptions.AMQPConnectionError):
        worker.channel()
    channel.queue_declare("payments")


def test_name_of_connections_is_a_text(control: Control) -> None:
    answer = control.ask("POST", "cut", {"connection": 5})

    assert (400, "connection is 5; expected the name of a connection") == (
        answer.status,
        answer.json["reason"],
    )


def test_consumers_are_cancelled(control: Control, broker: FakeBroker, channel: Any) -> None:
    channel.basic_consume("orders", lambda *_: None, consumer_tag="worker")

    answer = control.ask("POST", "consumers/cancel", {"queue_name": "orders"})

    assert (200, {"consumer_tags": ["worker"]}) == answer
    assert 0 == broker.queue("orders").consumer_count


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"consumer_tag": "nobody"}, 404),
        ({"queue_name": "orders", "virtualhost": "nowhere"}, 404),
        ({}, 400),
        ({"consumer_tag": 5}, 400),
        ({"tag": "worker"}, 400),
    ],
)
def test_unsuitable_cancel_is_refused(control: Control, body: object, status: int) -> None:
    assert status == control.ask("POST", "consumers/cancel", body).status


def test_alarm_is_raised_and_cleared(control: Control, broker: FakeBroker, channel: Any) -> None:
    health = HTTPConnection(urlsplit(broker.management_url).netloc, timeout=30)
    login = {"authorization": "Basic Z3Vlc3Q6Z3Vlc3Q="}

    def health_after(path: str) -> int:
        control.ask("POST", path, {"reason": "low on disk"})
        health.request("GET", "/api/health/checks/alarms", headers=login)
        response = health.getresponse()
        response.read()
        return response.status

    assert 503 == health_after("block")
    assert 200 == health_after("unblock")
    health.close()


def test_reason_of_an_alarm_is_taken_as_text(control: Control, broker: FakeBroker) -> None:
    control.ask("POST", "block", {"reason": 5})
    assert (204, None) == control.ask("POST", "unblock", {"reason": 5})


def test_reset_begins_anew(control: Control, broker: FakeBroker, channel: Any) -> None:
    channel.exchange_declare("shop")
    channel.queue_bind("orders", "amq.direct")
    control.ask("POST", "faults", {"do": "nack_publishes"})
    broker.block()

    status, body = control.ask("POST", "reset")

    assert (200, broker.mark()) == (status, body["mark"])
    assert {} == broker.queues()
    assert "shop" not in broker.exchanges()
    assert () == broker.exchanges()["amq.direct"].bindings
    assert ((), ()) == (broker.connections, broker.faults.active)


def test_restart_keeps_what_is_durable(control: Control, broker: FakeBroker, channel: Any) -> None:
    channel.queue_declare("invoices", durable=True)

    assert 204 == control.ask("POST", "restart", {"politely": False}).status

    assert ["invoices"] == list(broker.queues())
    assert () == broker.connections
    pika.BlockingConnection(pika.URLParameters(broker.url)).close()


@pytest.mark.parametrize("body", [{"keep": "some"}, {"down_for": -1}, {"down_for": 61}, {"kep": 1}])
def test_unsuitable_restart_is_a_bad_request(control: Control, body: object) -> None:
    assert 400 == control.ask("POST", "restart", body).status


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        ("cut", {"reset": True}, "'reset' is unknown; expected connection"),
        ("reset", {"keep": "all"}, "'keep' is unknown; this request has no options"),
        ("block", {"raeson": "x"}, "'raeson' is unknown; expected reason, connection"),
        ("restart", {"kep": 1}, "'kep' is unknown; expected keep, down_for, politely"),
        ("close", [1], "the body is a list; expected an object"),
    ],
)
def test_unknown_option_of_an_action_is_a_bad_request(
    control: Control, path: str, body: object, reason: str
) -> None:
    status, answer = control.ask("POST", path, body)

    assert (400, "bad_request", reason) == (status, answer["error"], answer["reason"])


# -- the rest ----------------------------------------------------------------------------------


def test_restart_of_a_broker_that_is_down_is_refused(control: Control, broker: FakeBroker) -> None:
    broker.shut_down()
    answer = control.ask("POST", "restart")
    broker.start()

    assert (
        409,
        "the broker is down already: by another restart, or the test called shut_down()",
    ) == (answer.status, answer.json["reason"])


def test_restart_says_that_the_test_has_taken_the_broker_up(
    control: Control, broker: FakeBroker, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def start_meanwhile(_: float) -> None:
        broker.start()

    monkeypatch.setattr(restart, "asyncio", SimpleNamespace(sleep=start_meanwhile))

    answer = control.ask("POST", "restart", {"down_for": 1})

    assert (
        409,
        "the broker went down, and the test called start() or ended it before down_for was over",
    ) == (answer.status, answer.json["reason"])


def test_index_lists_all_paths(control: Control) -> None:
    listed = control.ask("GET", "").json

    assert "List the faults in force, newest first." == listed["GET /fake/faults"]


def test_unknown_path_and_method_are_refused(control: Control) -> None:
    assert 404 == control.ask("GET", "nowhere").status
    assert 405 == control.ask("PUT", "faults").status


def test_there_is_no_control_unless_it_is_asked_for(make_fakebroker: _MakeBroker) -> None:
    control = Control(make_fakebroker(management_port=0))

    assert 404 == control.ask("GET", "faults").status


def test_control_needs_a_management_port() -> None:
    with pytest.raises(ValueError, match="expected a management_port as well"):
        FakeBroker(control=True)


def test_nothing_of_it_is_imported_unless_it_is_asked_for() -> None:
    program = (
        "import sys, ammoo_fakebroker; ammoo_fakebroker.FakeBroker();"
        "rooms = 'ammoo_fakebroker.management', 'ammoo_fakebroker.control';"
        "print([name for name in sys.modules if name.startswith(rooms)])"
    )

    finished = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=50
    )

    assert "[]\n" == finished.stdout


async def test_control_works_in_the_brokers_own_loop() -> None:
    async with FakeBroker(management_port=0, control=True) as broker:
        answer = await asyncio.to_thread(Control(broker).ask, "GET", "faults")

    assert (200, []) == answer
