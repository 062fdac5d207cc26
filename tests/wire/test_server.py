"""The server's half of the opening, against a client that is written out by hand."""

from collections.abc import Callable, Iterator
from struct import pack
from typing import Any

import pytest

from ammoo_wire import (
    PROTOCOL_HEADER,
    Accepted,
    Challenge,
    ChannelError,
    ChannelOpenParameters,
    ConnectionCloseOkParameters,
    ConnectionCloseParameters,
    ConnectionOpenOkParameters,
    ConnectionOpenParameters,
    ConnectionSecureOkParameters,
    ConnectionSecureParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionState,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ConnectionUpdateSecretParameters,
    EncodeError,
    Parameters,
    ProtocolError,
    QueueDeclareParameters,
    Refused,
    ReplyCode,
    ServerProtocol,
    UnknownMethod,
    UnreadableField,
)
from tests.support.commands import Command
from tests.wire.peers import frame, method_frame, new_server, running_server, state_of

START_OK = ConnectionStartOkParameters({"product": "x"}, "PLAIN", b"\0guest\0guest", "en_US")
TUNE_OK = ConnectionTuneOkParameters(2047, 131072, 60)
OPEN = ConnectionOpenParameters("/")
CAN_BE_TOLD = {"capabilities": {"authentication_failure_close": True}}


def octets_of(*methods: Parameters) -> bytes:
    """Make the frames of methods on channel 0."""
    return b"".join(method_frame(0, method) for method in methods)


def started(**options: Any) -> ServerProtocol:
    """Make a server that has taken the header and written its connection.start."""
    server = new_server(**options)
    server.receive_data(PROTOCOL_HEADER)
    server.data_to_send()
    return server


# --- the header ---


def test_server_says_nothing_first() -> None:
    server = new_server()

    assert not server.has_data_to_send
    assert server.state is ConnectionState.STARTING


def test_header_is_answered_with_start() -> None:
    server = new_server(server_properties={"product": "ammoo"}, mechanisms=["PLAIN", "EXTERNAL"])

    commands = server.receive_data(PROTOCOL_HEADER)

    assert [] == commands
    assert server.state is ConnectionState.STARTING
    assert server.data_to_send() == octets_of(
        ConnectionStartParameters(0, 9, {"product": "ammoo"}, b"PLAIN EXTERNAL", b"en_US")
    )


def test_header_may_come_octet_by_octet() -> None:
    server = new_server()

    def answers(octet: int) -> bool:
        server.receive_data(bytes((octet,)))
        return server.has_data_to_send

    assert [False] * 7 + [True] == [answers(octet) for octet in PROTOCOL_HEADER]


def test_header_of_the_first_0_9_is_taken_too() -> None:
    server = new_server()

    server.receive_data(b"AMQP\x01\x01\x00\x09")

    assert server.has_data_to_send
    assert server.state is ConnectionState.STARTING


@pytest.mark.parametrize(
    "header", [b"AMQP\x00\x01\x00\x00", b"AMQP\x00\x00\x09\x02", b"GET / HT", bytes(8)]
)
def test_other_header_is_answered_with_ours_and_the_end(header: bytes) -> None:
    server = new_server()

    commands = server.receive_data(header + octets_of(START_OK))

    assert [] == commands
    assert PROTOCOL_HEADER == server.data_to_send()
    assert server.state is ConnectionState.CLOSED
    assert server.failure is None


def test_other_header_may_be_answered_otherwise() -> None:
    server = new_server(
        accepted_headers={b"AMQP\x00\x01\x00\x00": (1, 0)}, other_header_reply=b"other"
    )

    server.receive_data(PROTOCOL_HEADER)

    assert b"other" == server.data_to_send()
    assert server.state is ConnectionState.CLOSED


def test_other_header_may_be_answered_by_what_it_was() -> None:
    server = new_server(other_header_reply=lambda header: header[::-1])

    server.receive_data(b"AMQP\x03\x01\x00\x00")

    assert b"\x00\x00\x01\x03PQMA" == server.data_to_send()


def test_properties_may_depend_on_the_version() -> None:
    server = new_server(server_properties=lambda version: {"version": f"{version}"})

    server.receive_data(PROTOCOL_HEADER)

    assert server.data_to_send() == octets_of(
        ConnectionStartParameters(0, 9, {"version": "(0, 9)"}, b"PLAIN AMQPLAIN", b"en_US")
    )


def test_accepted_headers_name_the_version_to_answer() -> None:
    server = new_server(accepted_headers={b"AMQP\x00\x01\x00\x00": (1, 2)}, mechanisms=[])

    server.receive_data(b"AMQP\x00\x01\x00\x00")

    assert server.data_to_send() == octets_of(ConnectionStartParameters(1, 2, {}, b"", b"en_US"))


# --- the good way ---


def test_opening_goes_through_its_states() -> None:
    opened: list[str] = []
    asked: list[tuple[str, bytes]] = []

    def authenticate(mechanism: str, response: bytes) -> Accepted:
        asked.append((mechanism, response))
        return Accepted()

    server = started(
        authenticate=authenticate,
        open_virtualhost=opened.append,
        channel_max=10,
        frame_max=8192,
        heartbeat_interval=30,
    )

    assert [] == server.receive_data(octets_of(START_OK))
    assert state_of(server) is ConnectionState.TUNING
    assert server.data_to_send() == octets_of(ConnectionTuneParameters(10, 8192, 30))
    assert {"product": "x"} == server.client_properties
    assert [("PLAIN", b"\0guest\0guest")] == asked

    assert [] == server.receive_data(octets_of(ConnectionTuneOkParameters(5, 4096, 7)))
    assert state_of(server) is ConnectionState.OPENING
    assert not server.has_data_to_send
    assert (5, 4096, 7) == (server.channel_max, server.frame_max, server.heartbeat_interval)

    assert [] == server.receive_data(octets_of(ConnectionOpenParameters("test")))
    assert state_of(server) is ConnectionState.RUNNING
    assert server.data_to_send() == octets_of(ConnectionOpenOkParameters())
    assert ["test"] == opened
    assert "test" == server.virtualhost


def test_client_need_not_wait_for_answers() -> None:
    server = new_server()

    commands = server.receive_data(
        PROTOCOL_HEADER
        + octets_of(START_OK, TUNE_OK, OPEN)
        + method_frame(1, ChannelOpenParameters())
    )

    assert [Command(1, ChannelOpenParameters(), None, None)] == commands
    assert server.state is ConnectionState.RUNNING


def test_update_secret_is_given() -> None:
    update = ConnectionUpdateSecretParameters(b"secret", "expires")

    assert [Command(0, update, None, None)] == running_server().receive_data(octets_of(update))


@pytest.mark.parametrize(
    ("client_properties", "capabilities"),
    [
        ({}, {}),
        ({"capabilities": {"basic.nack": True}}, {"basic.nack": True}),
        ({"capabilities": "all"}, {}),
    ],
)
def test_capabilities_are_those_in_the_clients_properties(
    client_properties: dict[str, Any], capabilities: dict[str, Any]
) -> None:
    server = started()

    server.receive_data(octets_of(START_OK._replace(client_properties=client_properties)))

    assert capabilities == server.client_capabilities


# --- logging in ---


def asking(*verdicts: Accepted | Challenge | Refused) -> Callable[[str, bytes], Any]:
    """Make a function that gives these verdicts, one after the other."""
    remaining: Iterator[Any] = iter(verdicts)
    return lambda mechanism, response: next(remaining)


def test_challenges_are_sent_until_the_client_is_accepted() -> None:
    server = started(authenticate=asking(Challenge(b"who?"), Challenge(b"sure?"), Accepted()))

    server.receive_data(octets_of(START_OK))
    assert state_of(server) is ConnectionState.SECURING
    assert server.data_to_send() == octets_of(ConnectionSecureParameters(b"who?"))
    server.receive_data(octets_of(ConnectionSecureOkParameters(b"me")))
    assert server.data_to_send() == octets_of(ConnectionSecureParameters(b"sure?"))
    server.receive_data(octets_of(ConnectionSecureOkParameters(b"yes")))

    assert state_of(server) is ConnectionState.TUNING


def test_refused_client_is_told_if_it_can_be() -> None:
    server = started(authenticate=asking(Challenge(b"who?"), Refused("go away")))

    server.receive_data(
        octets_of(
            START_OK._replace(client_properties=CAN_BE_TOLD), ConnectionSecureOkParameters(b"me")
        )
    )

    assert ConnectionCloseParameters(403, "ACCESS_REFUSED - go away", 0, 0) == server.close_sent
    assert server.failure is not None
    assert server.failure.reply_code is ReplyCode.ACCESS_REFUSED
    assert server.state is ConnectionState.CLOSING
    assert server.login_pause
    server.receive_data(octets_of(ConnectionCloseOkParameters()))
    assert state_of(server) is ConnectionState.CLOSED


@pytest.mark.parametrize(
    ("text", "client_properties"),
    [
        ("go away", {}),
        ("go away", {"capabilities": {"authentication_failure_close": False}}),
        (None, CAN_BE_TOLD),
    ],
    ids=["no-capabilities", "not-capable", "nothing-to-say"],
)
def test_refused_client_is_left_waiting_otherwise(
    text: str | None, client_properties: dict[str, Any]
) -> None:
    server = started(authenticate=asking(Refused(text)))

    server.receive_data(octets_of(START_OK._replace(client_properties=client_properties), TUNE_OK))

    assert server.login_pause
    assert server.state is ConnectionState.CLOSED
    assert server.failure is None
    assert not server.has_data_to_send


def test_mechanism_that_was_not_offered_is_refused_unasked() -> None:
    server = started(mechanisms=["EXTERNAL"], authenticate=asking())

    server.receive_data(octets_of(START_OK._replace(client_properties=CAN_BE_TOLD)))

    assert server.login_pause
    assert server.state is ConnectionState.CLOSED


def test_error_in_authenticate_is_the_callers_own() -> None:
    def fail(mechanism: str, response: bytes) -> Accepted:
        raise RuntimeError("no database")

    server = started(authenticate=fail)

    with pytest.raises(RuntimeError, match="no database"):
        server.receive_data(octets_of(START_OK))

    server.receive_data(octets_of(TUNE_OK, OPEN))
    assert server.state is not ConnectionState.RUNNING


# --- limits ---


@pytest.mark.parametrize(
    ("offered", "chosen", "is_acceptable"),
    [
        ((2047, 131072), (2047, 131072), True),
        ((2047, 131072), (1, 4096), True),
        ((2047, 131072), (2048, 131072), False),
        ((2047, 131072), (2047, 131073), False),
        ((2047, 131072), (0, 131072), False),
        ((2047, 131072), (2047, 0), False),
        ((2047, 131072), (2047, 4095), False),
        ((0, 0), (0, 0), True),
        ((0, 0), (65535, 0xFFFF_FFFF), True),
        ((0, 0), (1, 4096), True),
        ((0, 0), (1, 4095), False),
    ],
)
def test_limits_must_be_within_the_offered_ones(
    offered: tuple[int, int], chosen: tuple[int, int], is_acceptable: bool
) -> None:
    server = started(channel_max=offered[0], frame_max=offered[1])

    server.receive_data(octets_of(START_OK, ConnectionTuneOkParameters(*chosen, 0)))

    assert (server.state is ConnectionState.OPENING) is is_acceptable
    assert (server.state is ConnectionState.CLOSED) is not is_acceptable
    assert server.login_pause is not is_acceptable


@pytest.mark.parametrize(("frame_max", "is_acceptable"), [(8191, False), (8192, True)])
def test_frames_must_not_be_smaller_than_the_server_wants(
    frame_max: int, is_acceptable: bool
) -> None:
    server = started(smallest_frame_max=8192)

    server.receive_data(octets_of(START_OK, ConnectionTuneOkParameters(2047, frame_max, 0)))

    assert (server.state is ConnectionState.OPENING) is is_acceptable
    assert server.login_pause is not is_acceptable


def test_client_may_choose_any_heartbeat() -> None:
    server = started(heartbeat_interval=10)

    server.receive_data(octets_of(START_OK, ConnectionTuneOkParameters(2047, 131072, 65535)))

    assert 65535 == server.heartbeat_interval


def test_large_frames_are_taken_only_once_they_are_agreed_on() -> None:
    early, late = started(), running_server(frame_max=131072)
    head = b"\x01\x00\x00\x00\x00\x10\x01\x00"

    early.receive_data(head)
    late.receive_data(head)

    assert early.failure is not None
    assert 501 == early.failure.reply_code
    assert late.failure is None


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"server_properties": {"k": {1}}}, "server_properties['k'] is {1}, of type set"),
        ({"channel_max": 65536}, "channel_max is 65536; expected an integer from 0 to 65535"),
        ({"frame_max": 4095}, "frame_max is 4095; expected at least 4096, or 0 for no limit"),
        ({"frame_max": -1}, "frame_max is -1; expected a number of octets, 0 or more"),
        ({"heartbeat_interval": 0.5}, "heartbeat is 0.5; expected an integer from 0 to 65535"),
    ],
    ids=str,
)
def test_option_that_could_not_be_sent_is_the_callers_error_at_once(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        new_server(**options)

    assert text in str(caught.value)


# --- the other ways ---


def test_virtual_host_may_be_refused() -> None:
    def refuse(virtualhost: str) -> None:
        raise ProtocolError(ReplyCode.NOT_ALLOWED, f"vhost {virtualhost} not found", (10, 40))

    server = started(open_virtualhost=refuse)

    server.receive_data(octets_of(START_OK, TUNE_OK, OPEN))

    assert (
        ConnectionCloseParameters(530, "NOT_ALLOWED - vhost / not found", 10, 40)
        == server.close_sent
    )
    assert server.state is ConnectionState.CLOSING
    assert "" == server.virtualhost


@pytest.mark.parametrize(
    ("methods", "state"),
    [
        ([START_OK, TUNE_OK, TUNE_OK], "opening"),
        ([START_OK, TUNE_OK, ConnectionCloseParameters()], "opening"),
        ([START_OK, TUNE_OK, ConnectionCloseOkParameters()], "opening"),
        ([START_OK, TUNE_OK, ConnectionUpdateSecretParameters(b"", "")], "opening"),
        ([START_OK, TUNE_OK, OPEN, OPEN], "running"),
        ([START_OK, TUNE_OK, OPEN, QueueDeclareParameters()], "running"),
        ([START_OK, TUNE_OK, OPEN, ConnectionCloseOkParameters()], "running"),
    ],
)
def test_method_out_of_turn_is_a_channel_error(methods: list[Parameters], state: str) -> None:
    server = started()

    commands = server.receive_data(octets_of(*methods))

    assert [] == commands
    assert isinstance(server.failure, ChannelError)
    assert f"unexpected method in connection state {state}" == server.failure.text
    assert server.state is ConnectionState.CLOSING


def test_method_that_does_not_exist_ends_the_connection_without_a_word() -> None:
    server = running_server()

    commands = server.receive_data(
        method_frame(1, ChannelOpenParameters()) + frame(1, 1, bytes((0, 60, 0, 99)))
    )

    assert [Command(1, ChannelOpenParameters(), None, None)] == commands
    assert isinstance(server.failure, UnknownMethod)
    assert server.state is ConnectionState.CLOSED
    assert server.close_sent is None
    assert not server.has_data_to_send


def test_method_that_does_not_exist_is_a_fault_like_another_while_closing() -> None:
    server = running_server()
    server.close()

    server.receive_data(frame(1, 0, bytes((0, 10, 0, 99))))

    assert server.failure is None or isinstance(server.failure, UnknownMethod)
    assert server.state in (ConnectionState.CLOSING, ConnectionState.CLOSED)


# --- before limits are agreed on ---


@pytest.mark.parametrize(
    ("methods", "answers"),
    [([], []), ([START_OK], [ConnectionTuneParameters(2047, 131072, 60)])],
    ids=["starting", "tuning"],
)
@pytest.mark.parametrize(
    "octets",
    [
        octets_of(ConnectionCloseParameters()),
        octets_of(ConnectionCloseOkParameters()),
        octets_of(OPEN),
        octets_of(QueueDeclareParameters()),
        method_frame(1, ChannelOpenParameters()),
        frame(3, 0, b"x"),
        frame(9, 0, b""),
        frame(8, 1, b""),
        frame(1, 0, bytes((0, 10, 0, 11, 0))),
        b"\x01\0\0\0\0\0\1ab",
        b"\x01\0\0\0\0\x10\x01\0",
    ],
    ids=str,
)
def test_fault_before_limits_are_agreed_on_is_told_to_nobody(
    methods: list[Parameters], answers: list[Parameters], octets: bytes
) -> None:
    server = started()

    commands = server.receive_data(octets_of(*methods) + octets + octets_of(TUNE_OK))

    assert [] == commands
    assert server.login_pause
    assert server.failure is not None
    assert server.close_sent is server.close_received is None
    assert server.state is ConnectionState.CLOSED
    assert server.data_to_send() == octets_of(*answers)


def test_open_that_cannot_be_read_is_told_to_nobody_either() -> None:
    server = started()

    server.receive_data(octets_of(START_OK, TUNE_OK) + frame(1, 0, bytes((0, 10, 0, 40, 255))))

    assert server.login_pause
    assert server.close_sent is None
    assert server.state is ConnectionState.CLOSED


# --- closing ---


def test_each_close_is_answered_and_close_ok_ends_it() -> None:
    server = running_server()
    close = ConnectionCloseParameters(200, "bye", 0, 0)

    server.receive_data(octets_of(close, close) + method_frame(1, ChannelOpenParameters()))
    answered = server.data_to_send()
    server.receive_data(octets_of(ConnectionCloseParameters(200, "once more")))

    assert answered == octets_of(ConnectionCloseOkParameters(), ConnectionCloseOkParameters())
    assert server.data_to_send() == octets_of(ConnectionCloseOkParameters())
    assert close == server.close_received
    assert server.state is ConnectionState.CLOSING
    server.receive_data(octets_of(ConnectionCloseOkParameters()))
    assert state_of(server) is ConnectionState.CLOSED


def test_error_that_came_with_the_clients_close_is_told_in_place_of_the_answer() -> None:
    server = running_server()
    server.receive_data(octets_of(ConnectionCloseParameters()))

    server.close(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)

    assert server.data_to_send() == octets_of(
        ConnectionCloseParameters(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)
    )
    assert server.state is ConnectionState.CLOSING


def test_error_that_comes_behind_the_answer_is_told_to_nobody() -> None:
    server = running_server()
    server.receive_data(octets_of(ConnectionCloseParameters()))
    server.data_to_send()

    server.close(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)

    assert not server.has_data_to_send
    assert server.close_sent is None


def test_frame_without_an_end_is_noticed_while_closing() -> None:
    server = running_server()
    server.close()

    server.receive_data(b"\x01\0\0\0\0\0\1ab")

    assert server.has_lost_framing
    assert server.failure is None


# --- what RabbitMQ cannot parse ---


@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
@pytest.mark.parametrize("wrap", [lambda v: v, lambda v: [1, v], lambda v: {"a": [{"b": v}]}])
def test_number_that_is_not_finite_costs_the_socket(
    value: float, wrap: Callable[[Any], Any]
) -> None:
    server = running_server()
    octets = method_frame(1, QueueDeclareParameters(arguments={"x": wrap(4.0)}))

    commands = server.receive_data(octets.replace(pack(">d", 4.0), pack(">d", value)))

    assert [] == commands
    assert isinstance(server.failure, UnreadableField)
    assert server.state is ConnectionState.CLOSED
    assert not server.has_data_to_send


def test_value_of_unknown_type_costs_the_socket() -> None:
    server = running_server()
    octets = method_frame(1, QueueDeclareParameters(arguments={"x": 4.0}))

    server.receive_data(octets.replace(b"d" + pack(">d", 4.0), b"?" + pack(">d", 4.0)))

    assert isinstance(server.failure, UnreadableField)
    assert server.state is ConnectionState.CLOSED


def test_number_that_is_not_finite_on_channel_0_is_an_internal_error() -> None:
    server = running_server()
    octets = method_frame(0, QueueDeclareParameters(arguments={"x": 4.0}))

    server.receive_data(octets.replace(pack(">d", 4.0), pack(">d", float("nan"))))

    assert ConnectionCloseParameters(541, "INTERNAL_ERROR", 0, 0) == server.close_sent
