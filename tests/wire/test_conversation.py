"""Two readers joined: who said what, and which requests a command answers."""

from typing import Any

import pytest

from ammoo_wire import (
    BasicAckParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicGetOkParameters,
    BasicGetParameters,
    BasicNackParameters,
    BasicPublishParameters,
    BasicRejectParameters,
    BrokenFrame,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConfirmSelectOkParameters,
    ConfirmSelectParameters,
    ConnectionTuneOkParameters,
    Conversation,
    OversizedContent,
    Parameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    QueuePurgeOkParameters,
    QueuePurgeParameters,
    ReadCommand,
    Said,
    encode_command,
)
from ammoo_wire.onlookers import conversation as module
from tests.wire.peers import HEARTBEAT, method_frame, new_client, new_server

CLIENT, SERVER = "client", "server"


def hold(*said: tuple[Any, Parameters] | tuple[Any, Parameters, int]) -> list[tuple[int, ...]]:
    """Have peers say something, each on channel 1 or another, and give what each answers."""
    conversation = Conversation()
    answers = []
    for peer, parameters, *channel in said:
        octets = encode_command(channel[0] if channel else 1, parameters)
        answers += [tuple(each.answers) for each in conversation.receive_data(peer, octets)]
    return answers


def publish_and(*said: tuple[Any, Parameters]) -> list[tuple[int, ...]]:
    """Give the answers in a conversation that begins with three publishes in confirm mode."""
    publish = (CLIENT, BasicPublishParameters("", "q"))
    select = [(CLIENT, ConfirmSelectParameters()), (SERVER, ConfirmSelectOkParameters())]
    return hold(*select, publish, publish, publish, *said)[5:]


def opening() -> list[Said]:
    """Have a client and a server open a connection, and give what they say."""
    client, server = new_client(), new_server()
    conversation = Conversation()
    said: list[Said] = []
    while client.has_data_to_send or server.has_data_to_send:
        octets = bytes(client.data_to_send())
        server.receive_data(octets)
        said += conversation.receive_data("client", octets)
        octets = bytes(server.data_to_send())
        client.receive_data(octets)
        said += conversation.receive_data("server", octets)
    return said


def deliver(tag: int) -> tuple[Any, Parameters]:
    return SERVER, BasicDeliverParameters("tag", tag, False, "", "q")


def test_opening_is_a_conversation_of_answers() -> None:
    said = opening()

    assert [
        (0, "client", "protocol header", ()),
        (1, "server", "connection.start", (0,)),
        (2, "client", "connection.start-ok", (1,)),
        (3, "server", "connection.tune", (2,)),
        (4, "client", "connection.tune-ok", (3,)),
        (5, "client", "connection.open", ()),
        (6, "server", "connection.open-ok", (5,)),
    ] == [(each.number, each.peer, each.name, tuple(each.answers)) for each in said]


def test_reply_answers_the_oldest_request_of_its_kind_on_its_channel() -> None:
    declare, purge = QueueDeclareParameters("q"), QueuePurgeParameters("q")
    declare_ok = QueueDeclareOkParameters("q", 0, 0)

    assert [(), (), (), (), (2,), (0,), (1,), (3,), ()] == hold(
        (CLIENT, declare, 1),
        (CLIENT, purge, 1),
        (CLIENT, declare, 2),
        (CLIENT, declare, 1),
        (SERVER, declare_ok, 2),
        (SERVER, declare_ok, 1),
        (SERVER, QueuePurgeOkParameters(0), 1),
        (SERVER, declare_ok, 1),
        (SERVER, declare_ok, 1),
    )


def test_request_that_asks_for_no_reply_gets_none() -> None:
    assert [(), (), (1,)] == hold(
        (CLIENT, QueueDeclareParameters("q", no_wait=True)),
        (CLIENT, QueueDeclareParameters("q")),
        (SERVER, QueueDeclareOkParameters("q", 0, 0)),
    )


def test_request_of_one_peer_is_not_answered_by_itself() -> None:
    assert [(), (), (0,)] == hold(
        (CLIENT, ChannelOpenParameters()),
        (CLIENT, ChannelOpenOkParameters()),
        (SERVER, ChannelOpenOkParameters()),
    )


@pytest.mark.parametrize(
    ("parameters", "answers"),
    [
        (BasicAckParameters(2), (3,)),
        (BasicNackParameters(2), (3,)),
        (BasicAckParameters(2, True), (2, 3)),
        (BasicNackParameters(0, True), (2, 3, 4)),
        (BasicAckParameters(4), ()),
        (BasicAckParameters(9, True), (2, 3, 4)),
    ],
)
def test_confirm_answers_the_publishes_it_confirms(
    parameters: Parameters, answers: tuple[int, ...]
) -> None:
    assert [answers] == publish_and((SERVER, parameters))


def test_publish_is_confirmed_once() -> None:
    ack = (SERVER, BasicAckParameters(2, True))

    assert [(2, 3), ()] == publish_and(ack, ack)


def test_publish_outside_of_confirm_mode_is_not_answered() -> None:
    assert [(), ()] == hold((CLIENT, BasicPublishParameters()), (SERVER, BasicAckParameters(1)))


@pytest.mark.parametrize(
    ("parameters", "answers"),
    [
        (BasicAckParameters(2), (1,)),
        (BasicNackParameters(2, True), (0, 1)),
        (BasicRejectParameters(1), (0,)),
        (BasicAckParameters(0, True), (0, 1, 2)),
    ],
)
def test_ack_answers_the_deliveries_it_settles(
    parameters: Parameters, answers: tuple[int, ...]
) -> None:
    assert [(), (), (), answers] == hold(deliver(1), deliver(2), deliver(3), (CLIENT, parameters))


def test_message_that_was_fetched_answers_its_request_and_is_settled() -> None:
    assert [(), (0,), (1,)] == hold(
        (CLIENT, BasicGetParameters("q")),
        (SERVER, BasicGetOkParameters(1, False, "", "q", 0)),
        (CLIENT, BasicAckParameters(1)),
    )


def test_delivery_that_is_too_large_is_settled_too() -> None:
    conversation = Conversation(max_body_size=2)
    delivery = BasicDeliverParameters("tag", 1, False, "", "q")

    (said,) = conversation.receive_data("server", encode_command(1, delivery, None, b"abc"))
    (ack,) = conversation.receive_data("client", method_frame(1, BasicAckParameters(1)))

    assert isinstance(said.item, ReadCommand)
    assert OversizedContent(delivery, 3, 2) == said.item.parameters
    assert (0,) == ack.answers


def test_channel_close_answers_the_request_it_names() -> None:
    assert [(), (), (1,), (2,), ()] == hold(
        (CLIENT, BasicConsumeParameters("q")),
        (CLIENT, QueueDeclareParameters("q")),
        (SERVER, ChannelCloseParameters(406, "PRECONDITION_FAILED", 50, 10)),
        (CLIENT, ChannelCloseOkParameters()),
        (SERVER, BasicConsumeOkParameters("tag")),
    )


def test_channel_that_was_closed_begins_anew() -> None:
    assert [(), (), (6,), (), (), (), (), (), (12,)] == publish_and(
        deliver(1),
        (CLIENT, ChannelCloseParameters()),
        (SERVER, ChannelCloseOkParameters()),
        (CLIENT, ChannelOpenParameters()),
        (SERVER, BasicAckParameters(1)),
        (CLIENT, BasicAckParameters(1)),
        (CLIENT, ConfirmSelectParameters()),
        (CLIENT, BasicPublishParameters()),
        (SERVER, BasicAckParameters(1)),
    )


def test_heartbeats_and_what_is_broken_are_said_too() -> None:
    conversation = Conversation()

    said = conversation.receive_data("server", HEARTBEAT + b"\x01\x00\x00\xff\xff\xff\xff")

    assert ["heartbeat", "broken frame"] == [each.name for each in said]
    assert isinstance(said[1].item, BrokenFrame)
    assert conversation.server.failure is not None
    assert conversation.client.failure is None


def test_limit_of_frames_is_what_the_client_settles() -> None:
    conversation = Conversation()

    conversation.receive_data("client", method_frame(0, ConnectionTuneOkParameters(0, 4096, 0)))

    assert (4096, 4096) == (conversation.client.frame_max, conversation.server.frame_max)


def test_number_of_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_MOST_TAGGED", 2)

    assert [(1, 2)] == hold(
        deliver(1), deliver(2), deliver(3), (CLIENT, BasicAckParameters(3, True))
    )[3:]


def test_number_of_requests_that_are_remembered_is_bounded() -> None:
    requests = [(CLIENT, BasicGetParameters("q"))] * 65
    got = (SERVER, BasicGetOkParameters(1, False, "", "q", 0))

    assert [(1,)] == hold(*requests, got)[65:]
