"""Access tickets, which AMQP 0-9-1 has no more, and old clients still ask for.

Specification: class access of AMQP 0-8. RabbitMQ grants one ticket to everybody and reads none.
"""

import struct

import pytest

from ammoo_wire import (
    AccessRequestOkParameters,
    AccessRequestParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    TxRollbackOkParameters,
    TxRollbackParameters,
    TxSelectParameters,
)
from tests.support.brokers import Broker, Connect, Unique
from tests.support.channel import Channel
from tests.support.frames import METHOD, encode_method
from tests.support.peer import Peer

GRANTED = AccessRequestOkParameters(1)


@pytest.mark.parametrize(
    "request_",
    [
        AccessRequestParameters(),
        AccessRequestParameters("/admin", True, False, False, False, False),
        AccessRequestParameters("no such realm", False, True, False, True, True),
        AccessRequestParameters(""),
    ],
    ids=["default", "exclusive", "unknown realm", "no realm"],
)
def test_whoever_asks_is_granted_ticket_1(channel: Channel, request_: object) -> None:
    assert GRANTED == channel.call(request_)
    assert GRANTED == channel.call(request_)


def test_ticket_is_granted_whatever_the_user_may_do(connect: Connect, broker: Broker) -> None:
    channel = connect(broker.url_of("ammoo-limited")).channel()

    assert GRANTED == channel.call(AccessRequestParameters("/data", True))


@pytest.mark.parametrize("ticket", [0, 1, 0xFFFF])
def test_ticket_of_a_method_is_not_looked_at(channel: Channel, unique: Unique, ticket: int) -> None:
    name = unique("queue")
    declare = encode_method(QueueDeclareParameters(name))

    channel.peer.send_frame(METHOD, 1, declare[:4] + struct.pack(">H", ticket) + declare[6:])

    assert QueueDeclareOkParameters(name, 0, 0) == channel.receive()


def test_ticket_is_granted_in_its_turn(channel: Channel, unique: Unique) -> None:
    name = unique("queue")

    channel.send(QueueDeclareParameters(name))
    channel.send(AccessRequestParameters())
    channel.send(QueueDeclareParameters(name, passive=True))

    declared = QueueDeclareOkParameters(name, 0, 0)
    assert [declared, GRANTED, declared] == [channel.receive() for _ in range(3)]


def test_ticket_is_granted_within_a_transaction(channel: Channel) -> None:
    channel.call(TxSelectParameters())

    assert GRANTED == channel.call(AccessRequestParameters())
    assert TxRollbackOkParameters() == channel.call(TxRollbackParameters())


def test_no_ticket_on_a_channel_that_is_not_open(peer: Peer) -> None:
    refused = Channel(peer, 5).fatal(AccessRequestParameters())

    assert (
        ConnectionCloseParameters(504, "CHANNEL_ERROR - expected 'channel.open'", 30, 10) == refused
    )


def test_no_ticket_on_channel_0(peer: Peer) -> None:
    peer.send(0, AccessRequestParameters())

    assert (
        ConnectionCloseParameters(
            504, "CHANNEL_ERROR - unexpected method in connection state running", 30, 10
        )
        == peer.expect_connection_close()
    )


def test_no_ticket_while_the_channel_is_being_closed(channel: Channel) -> None:
    channel.send(QueueDeclareParameters("no such queue", passive=True))
    channel.expect(ChannelCloseParameters)

    channel.send(AccessRequestParameters())

    channel.send(ChannelCloseOkParameters())
    channel.reopen()
    assert [] == channel.arrived()
    assert GRANTED == channel.call(AccessRequestParameters())


def test_client_grants_no_ticket(channel: Channel) -> None:
    refused = channel.fatal(GRANTED)

    assert (
        ConnectionCloseParameters(503, "COMMAND_INVALID - unimplemented method", 30, 11) == refused
    )


def test_request_that_cannot_be_read(channel: Channel) -> None:
    channel.peer.send_frame(METHOD, 1, struct.pack(">HH", 30, 10) + b"\x00")

    assert (
        ConnectionCloseParameters(501, "FRAME_ERROR - cannot decode <<0>>", 30, 10)
        == channel.fatal()
    )
