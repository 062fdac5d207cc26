"""The client's half of the opening, against a server that is written out by hand."""

from typing import Any

import pytest

from ammoo_wire import (
    DEFAULT_FRAME_MAX,
    PROTOCOL_HEADER,
    ChannelOpenParameters,
    ClientProtocol,
    CommandInvalid,
    ConnectionBlockedParameters,
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
    ConnectionUnblockedParameters,
    ConnectionUpdateSecretOkParameters,
    EncodeError,
    ForeignProtocol,
    FramingLost,
    Parameters,
    QueueDeclareParameters,
)
from tests.support.commands import Command, named
from tests.wire.peers import method_frame, new_client, running_client, state_of

START = ConnectionStartParameters(0, 9, {"product": "x"}, b"PLAIN AMQPLAIN", b"en_US")
TUNE = ConnectionTuneParameters(2047, 131072, 60)
SECURE = ConnectionSecureParameters(b"who?")
OPEN_OK = ConnectionOpenOkParameters()


def receive(client: ClientProtocol, *methods: Parameters) -> list[Command]:
    """Have a client receive methods on channel 0."""
    octets = b"".join(method_frame(0, method) for method in methods)
    return named(client.receive_data(octets))


def tuned(client: ClientProtocol, tune: ConnectionTuneParameters) -> ConnectionTuneOkParameters:
    """Give a client's answer to a proposal of limits."""
    receive(client, START)
    client.data_to_send()
    receive(client, tune)
    answer = ConnectionTuneOkParameters(
        client.channel_max, client.frame_max, client.heartbeat_interval
    )
    assert client.data_to_send().startswith(method_frame(0, answer))
    return answer


# --- the good way ---


def test_header_is_queued_at_once() -> None:
    client = new_client()

    assert PROTOCOL_HEADER == client.data_to_send()
    assert client.state is ConnectionState.STARTING
    assert DEFAULT_FRAME_MAX == client.frame_max


def test_start_is_answered_with_the_chosen_mechanism() -> None:
    asked: list[ConnectionStartParameters] = []

    def choose(start: ConnectionStartParameters) -> tuple[str, bytes]:
        asked.append(start)
        return "EXTERNAL", b"me"

    client = new_client(
        mechanism=choose,
        client_properties={"product": "ammoo", "capabilities": {"basic.nack": True}},
        locale="de_DE",
    )
    client.data_to_send()

    commands = receive(client, START)

    assert [] == commands
    assert [START] == asked
    assert START == client.server_start
    assert client.state is ConnectionState.SECURING
    assert client.data_to_send() == method_frame(
        0,
        ConnectionStartOkParameters(
            {"product": "ammoo", "capabilities": {"basic.nack": True}}, "EXTERNAL", b"me", "de_DE"
        ),
    )


def test_tune_is_answered_and_the_virtual_host_opened() -> None:
    client = new_client(virtualhost="test")
    receive(client, START)
    client.data_to_send()

    commands = receive(client, TUNE)

    assert [] == commands
    assert client.state is ConnectionState.OPENING
    assert client.data_to_send() == method_frame(
        0, ConnectionTuneOkParameters(2047, 131072, 60)
    ) + method_frame(0, ConnectionOpenParameters("test"))


def test_open_ok_ends_the_opening() -> None:
    client = new_client()

    commands = receive(client, START, TUNE, OPEN_OK)

    assert [] == commands
    assert client.state is ConnectionState.RUNNING
    assert client.failure is None


def test_commands_right_behind_open_ok_are_given() -> None:
    client = new_client()
    octets = b"".join(method_frame(0, method) for method in (START, TUNE, OPEN_OK))

    commands = client.receive_data(octets + method_frame(1, ChannelOpenParameters()))

    assert [Command(1, ChannelOpenParameters(), None, None)] == commands


@pytest.mark.parametrize("earlier", [0, 1, 2])
def test_challenges_are_given_out_and_answered_at_leisure(earlier: int) -> None:
    client = new_client()
    receive(client, START, *[SECURE] * earlier)
    client.data_to_send()

    assert [Command(0, SECURE, None, None)] == receive(client, SECURE)
    assert client.state is ConnectionState.SECURING
    assert not client.has_data_to_send
    client.answer_challenge(b"me")
    assert client.data_to_send() == method_frame(0, ConnectionSecureOkParameters(b"me"))

    receive(client, TUNE, OPEN_OK)
    assert state_of(client) is ConnectionState.RUNNING


@pytest.mark.parametrize(
    ("ours", "theirs", "agreed"),
    [
        ((2047, 131072, None), (2047, 131072, 60), (2047, 131072, 60)),
        ((10, 4096, None), (2047, 131072, 60), (10, 4096, 60)),
        ((2047, 131072, None), (10, 4096, 5), (10, 4096, 5)),
        ((0, 0, 0), (2047, 131072, 60), (2047, 131072, 0)),
        ((2047, 131072, 7), (0, 0, 0), (2047, 131072, 7)),
        ((0, 0, None), (0, 0, 0), (0, 0, 0)),
        ((65535, 0xFFFF_FFFF, 65535), (0, 0, 0), (65535, 0xFFFF_FFFF, 65535)),
    ],
)
def test_limits_are_the_lower_ones_where_0_is_none(
    ours: tuple[int, int, int | None], theirs: tuple[int, int, int], agreed: tuple[int, int, int]
) -> None:
    client = new_client(channel_max=ours[0], frame_max=ours[1], heartbeat_interval=ours[2])

    assert agreed == tuned(client, ConnectionTuneParameters(*theirs))


def test_agreed_frame_max_holds_for_what_is_sent() -> None:
    client = running_client(frame_max=4096)

    with pytest.raises(EncodeError, match="at most 4096"):
        client.send_method(1, bytes(4089))


def test_agreed_frame_max_holds_for_what_is_received() -> None:
    client = running_client(frame_max=4096)

    client.receive_data(b"\x01\x00\x01\x00\x00\x10\x01\x00")

    assert client.failure is not None
    assert 501 == client.failure.reply_code


@pytest.mark.parametrize(
    "parameters",
    [
        ConnectionBlockedParameters("low on memory"),
        ConnectionUnblockedParameters(),
        ConnectionUpdateSecretOkParameters(),
    ],
    ids=lambda parameters: type(parameters).__name__,
)
def test_methods_for_a_client_on_channel_0_are_given(parameters: Parameters) -> None:
    assert [Command(0, parameters, None, None)] == receive(running_client(), parameters)


# --- the other ways ---


def test_error_of_the_mechanism_is_kept_and_nothing_is_said() -> None:
    error = LookupError("no mechanism in common")

    def refuse(start: ConnectionStartParameters) -> tuple[str, bytes]:
        raise error

    client = new_client(mechanism=refuse)
    client.data_to_send()

    commands = receive(client, START, TUNE)

    assert [] == commands
    assert client.opening_error is error
    assert START == client.server_start
    assert client.state is ConnectionState.CLOSED
    assert client.failure is None
    assert not client.has_data_to_send


@pytest.mark.parametrize(
    ("answer", "text"),
    [
        (("M" * 256, b""), "connection.start-ok: mechanism is 256 bytes long in UTF-8;"),
        (("PLAIN", "hunter2"), "connection.start-ok: response is of type str; expected bytes"),
        (("PLAIN", bytes(200_000)), "the method with its parameters takes a frame of 2000"),
    ],
    ids=["name", "type", "size"],
)
def test_answer_of_the_mechanism_that_cannot_be_sent_is_kept(
    answer: tuple[str, Any], text: str
) -> None:
    client = new_client(mechanism=lambda start: answer)
    client.data_to_send()

    assert [] == receive(client, START)

    assert isinstance(client.opening_error, EncodeError)
    assert str(client.opening_error).startswith(text)
    assert client.state is ConnectionState.CLOSED
    assert not client.has_data_to_send


@pytest.mark.parametrize("frame_max", [8, 4095])
def test_frame_max_proposed_below_the_minimum_is_not_allowed(frame_max: int) -> None:
    client = new_client()

    receive(client, START, ConnectionTuneParameters(2047, frame_max, 60))

    assert (
        ConnectionCloseParameters(530, f"NOT_ALLOWED - frame_max {frame_max} is below 4096", 10, 30)
        == client.close_sent
    )


@pytest.mark.parametrize(
    ("methods", "state"),
    [
        ([TUNE], "starting"),
        ([SECURE], "starting"),
        ([OPEN_OK], "starting"),
        ([START, START], "securing"),
        ([START, OPEN_OK], "securing"),
        ([START, TUNE, TUNE], "opening"),
        ([START, TUNE, SECURE], "opening"),
        ([START, TUNE, ConnectionBlockedParameters("")], "opening"),
        ([START, TUNE, OPEN_OK, OPEN_OK], "running"),
        ([START, TUNE, OPEN_OK, START], "running"),
        ([START, TUNE, OPEN_OK, SECURE], "running"),
        ([START, TUNE, OPEN_OK, QueueDeclareParameters()], "running"),
        ([START, TUNE, OPEN_OK, ConnectionCloseOkParameters()], "running"),
    ],
)
def test_method_out_of_turn_is_invalid(methods: list[Parameters], state: str) -> None:
    client = new_client()

    commands = receive(client, *methods)

    assert [] == commands
    assert isinstance(client.failure, CommandInvalid)
    assert client.failure.text.endswith(f" on channel 0 while {state}")
    assert client.close_sent is not None
    assert 503 == client.close_sent.reply_code
    assert client.state is ConnectionState.CLOSING


def test_challenge_while_closing_is_dropped() -> None:
    client = new_client()
    receive(client, START)
    client.close()

    assert [] == receive(client, SECURE)


def test_challenge_behind_a_fault_is_dropped() -> None:
    client = new_client()

    assert [] == receive(client, START, OPEN_OK, SECURE)


@pytest.mark.parametrize("methods", [[], [START], [START, TUNE]], ids=len)
def test_close_in_the_middle_of_the_opening_is_answered(methods: list[Parameters]) -> None:
    client = new_client()
    close = ConnectionCloseParameters(403, "ACCESS_REFUSED - no", 0, 0)

    commands = receive(client, *methods, close)

    assert [] == commands
    assert close == client.close_received
    assert client.state is ConnectionState.CLOSED
    assert client.data_to_send().endswith(method_frame(0, ConnectionCloseOkParameters()))


def test_other_protocol_than_amqp_is_a_frame_error() -> None:
    client = new_client()

    client.receive_data(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    assert client.failure is not None
    assert 501 == client.failure.reply_code


def test_servers_header_is_told_apart_from_a_frame() -> None:
    """A server that speaks another version answers with its header (section 4.2.2)."""
    client = new_client()

    client.receive_data(b"AMQP\x00\x01\x00\x00")

    assert client.failure is not None
    assert client.state is ConnectionState.CLOSING


# --- what the caller may ask for ---


@pytest.mark.parametrize("frame_max", [1, 4095])
def test_frame_max_below_the_minimum_is_the_callers_error(frame_max: int) -> None:
    with pytest.raises(EncodeError) as caught:
        new_client(frame_max=frame_max)

    assert f"frame_max is {frame_max}; expected at least 4096, or 0 for no limit" == (
        str(caught.value)
    )


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"virtualhost": "v" * 256}, "virtualhost is 256 bytes long"),
        ({"virtualhost": b"/"}, "virtualhost is b'/'; expected a str"),
        ({"client_properties": {"k": {1}}}, "client_properties['k'] is {1}, of type set"),
        ({"locale": "l" * 256}, "locale is 256 bytes long"),
        ({"channel_max": 65536}, "channel_max is 65536; expected an integer from 0 to 65535"),
        ({"channel_max": -1}, "channel_max is -1; expected an integer from 0 to 65535"),
        ({"frame_max": 1 << 32}, "frame_max is 4294967296; expected an integer from 0 to"),
        ({"frame_max": -1}, "frame_max is -1; expected"),
        ({"heartbeat_interval": 65536}, "heartbeat is 65536; expected an integer from 0 to 65535"),
        ({"heartbeat_interval": 0.5}, "heartbeat is 0.5; expected an integer from 0 to 65535"),
        ({"heartbeat_interval": -1}, "heartbeat is -1; expected an integer from 0 to 65535"),
    ],
    ids=str,
)
def test_option_that_could_not_be_sent_is_the_callers_error_at_once(
    options: dict[str, Any], text: str
) -> None:
    with pytest.raises(EncodeError) as caught:
        new_client(**options)

    assert text in str(caught.value)


# --- a server that speaks something else ---


@pytest.mark.parametrize(
    "octets",
    [
        b"AMQP\x00\x01\x00\x00",
        b"AMQP\x00\x00\x09\x01",
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"\x15\x03\x01\x00\x02\x02\x28",
        b"SSH-2.0-OpenSSH_9.2\r\n",
        b"-ERR unknown command 'AMQP'\r\n",
    ],
)
def test_first_octets_of_another_protocol(octets: bytes) -> None:
    client = new_client()

    assert [] == client.receive_data(octets)

    assert isinstance(client.failure, ForeignProtocol)
    assert client.failure.octets == octets[:7]
    assert client.state is ConnectionState.CLOSING


@pytest.mark.parametrize("octets", [b"N", b"\x15\x03\x01\x00\x02\x02\x28", b"AMQP"])
def test_end_behind_octets_of_another_protocol(octets: bytes) -> None:
    client = new_client(frame_max=0)
    client.receive_data(octets)
    before = client.failure

    client.receive_eof()

    assert before is None
    assert isinstance(client.failure, ForeignProtocol)
    assert octets == client.failure.octets


@pytest.mark.parametrize("octets", [b"", b"\x01", b"\x08\x00\x00"])
def test_end_behind_the_beginning_of_a_frame(octets: bytes) -> None:
    client = new_client()
    client.receive_data(octets)

    client.receive_eof()

    assert client.failure is None


def test_fault_behind_the_first_frame_is_no_other_protocol() -> None:
    client = new_client()

    client.receive_data(method_frame(0, START) + b"HTTP/1.1")

    assert type(client.failure) is FramingLost
