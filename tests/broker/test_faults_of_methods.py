"""What each fault does to methods as they arrive, and to logins."""

import pytest

from ammoo_fakebroker.rabbitmq.errors import login_refused_text
from ammoo_wire import (
    BasicConsumeParameters,
    ChannelCloseParameters,
    ChannelOpenParameters,
    ConnectionCloseParameters,
    QueueDeclareParameters,
)
from tests.broker.link import Line
from tests.broker.scripted import Stage, names


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.fixture
def line(stage: Stage) -> Line:
    return stage.connect()


def test_channel_is_closed_before_the_method_acts(stage: Stage, line: Line) -> None:
    line.ask(ChannelOpenParameters(), channel=2)
    fault = stage.faults.close_channels(406, "no more", method="queue.declare", times=1)

    other = line.ask(BasicConsumeParameters("no such"), channel=2)
    closed = line.ask(QueueDeclareParameters("queue"))

    assert [ChannelCloseParameters(406, "PRECONDITION_FAILED - no more", 0, 0)] == closed
    assert ["NOT_FOUND - no queue 'no such' in vhost '/'"] == [
        parameters[1] for parameters in other
    ]
    assert {} == stage.node.virtualhosts["/"].queues
    assert ["queue.declare on channel 1"] == [strike.description for strike in fault.events]


def test_text_of_a_close_may_begin_with_its_code(stage: Stage, line: Line) -> None:
    stage.faults.close_channels(404, "NOT_FOUND - no such thing")

    assert [ChannelCloseParameters(404, "NOT_FOUND - no such thing", 0, 0)] == line.ask(
        QueueDeclareParameters("queue")
    )


def test_connection_is_closed_before_the_method_acts(stage: Stage, line: Line) -> None:
    stage.faults.close_connections(method="queue.declare", queue_name="queue")

    fine = line.ask(QueueDeclareParameters("other"))
    line.send(QueueDeclareParameters("queue"))
    line.run()

    assert 1 == len(fine)
    assert line.client.close_received == ConnectionCloseParameters(
        320, "CONNECTION_FORCED - closed by the test", 0, 0
    )
    assert ["other"] == list(stage.node.virtualhosts["/"].queues)


def test_method_fails_as_if_it_were_refused(stage: Stage, line: Line) -> None:
    stage.faults.fail_method("queue.declare", 403, "not now", queue_name="queue", times=1)

    assert [ChannelCloseParameters(403, "ACCESS_REFUSED - not now", 50, 10)] == line.ask(
        QueueDeclareParameters("queue")
    )


def test_methods_error_may_close_the_connection(stage: Stage, line: Line) -> None:
    stage.faults.fail_method("queue.declare", 541, "gone")
    line.send(QueueDeclareParameters("queue"))
    line.run()

    assert line.client.close_received is not None
    assert 541 == line.client.close_received.reply_code


def test_publish_can_fail(stage: Stage, line: Line) -> None:
    stage.faults.fail_method("basic.publish", routing_key="a")

    assert [[], ["ChannelClose"]] == [names(line.publish("b")), names(line.publish("a"))]


def test_delayed_method_keeps_what_comes_behind_it_on_its_channel(stage: Stage, line: Line) -> None:
    line.ask(ChannelOpenParameters(), channel=2)
    fault = stage.faults.delay_method("queue.declare", seconds=5, times=1)

    kept = line.ask(QueueDeclareParameters("queue"), QueueDeclareParameters("other"))
    beside = line.ask(QueueDeclareParameters("third"), channel=2)
    stage.advance(5)
    answered = line.run()

    assert ([], ["third"]) == (kept, [parameters[0] for parameters in beside])
    assert ["queue", "other"] == [command.parameters[0] for command in answered]
    assert 1 == fault.count


def test_delayed_method_is_executed_when_the_fault_is_removed(stage: Stage, line: Line) -> None:
    fault = stage.faults.delay_method("queue.declare", seconds=5)
    line.ask(QueueDeclareParameters("queue"))

    fault.remove()
    stage.advance(5)

    assert ["QueueDeclareOk"] == names(line.run())


def test_delayed_method_of_a_closed_connection_is_dropped(stage: Stage, line: Line) -> None:
    fault = stage.faults.delay_method("queue.declare", seconds=5)
    line.ask(QueueDeclareParameters("queue"))
    line.connection.disconnected()

    fault.remove()

    assert {} == stage.node.virtualhosts["/"].queues


# -- logins ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            None,
            f"ACCESS_REFUSED - {login_refused_text('PLAIN')}",
        ),
        ("ACCESS_REFUSED - no", "ACCESS_REFUSED - no"),
    ],
)
def test_login_fails_as_if_the_password_were_wrong(
    stage: Stage, text: str | None, told: str
) -> None:
    fault = stage.faults.fail_logins(text=text, user="guest", times=1)
    line = stage.connect(capabilities=("authentication_failure_close",))

    assert line.client.close_received == ConnectionCloseParameters(403, told, 0, 0)
    assert 1 == fault.count
    assert 1 == len(stage.connect().ask(QueueDeclareParameters("queue")))


def test_expired_credentials_close_connections(stage: Stage) -> None:
    stage.node.users.add("other", "other").permissions = dict(stage.node.users["guest"].permissions)
    line, other = stage.connect(), stage.connect(login="other")
    fault = stage.faults.expire_credentials("guest")
    line.run()

    refused = stage.connect(capabilities=("authentication_failure_close",))
    fault.remove()

    assert line.client.close_received == ConnectionCloseParameters(
        320, "CONNECTION_FORCED - credential expired", 0, 0
    )
    assert refused.client.close_received is not None
    assert 403 == refused.client.close_received.reply_code
    assert 1 == len(other.ask(QueueDeclareParameters("queue")))
    assert 1 == len(stage.connect().ask(QueueDeclareParameters("queue")))
    assert 2 == fault.count


def test_expired_credentials_fail_methods_before_4_3() -> None:
    stage = Stage("4.0")
    line = stage.connect()
    stage.faults.expire_credentials("guest")

    (close,) = line.ask(QueueDeclareParameters("queue"))

    assert line.client.close_received is None
    assert isinstance(close, ChannelCloseParameters)
    assert 403 == close.reply_code
    assert close.reply_text == (
        "ACCESS_REFUSED - access to queue 'queue' in vhost '/' refused for user 'guest', backend"
        ' rabbit_auth_backend_oauth2 returned an error: "Provided JWT token has expired at'
        ' timestamp 1700000000 (validated at 1700000000)"'
    )


def test_credentials_of_no_user_cannot_expire(stage: Stage) -> None:
    with pytest.raises(LookupError, match="no user 'nobody'"):
        stage.faults.expire_credentials("nobody")
    assert () == stage.faults.active
