"""Channels inside of the broker: what they execute, refuse and leave behind."""

import pytest

from ammoo_fakebroker.connections.direct_channel import DirectChannel
from ammoo_fakebroker.node.node import Node
from ammoo_wire import (
    ProtocolError,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    ReplyCode,
)
from tests.broker.link import make_node


def open_channel(node: Node) -> DirectChannel:
    return DirectChannel(node, node.users["guest"], node.virtualhost("/"))


def test_direct_channel_declares_and_returns_the_answer() -> None:
    node = make_node()

    answer = open_channel(node).call(QueueDeclareParameters("orders"))

    assert QueueDeclareOkParameters("orders", 0, 0) == answer
    assert ["orders"] == list(node.virtualhost("/").queues)


def test_direct_channel_raises_what_a_client_is_told() -> None:
    channel = open_channel(make_node())

    with pytest.raises(ProtocolError, match="no queue 'orders' in vhost '/'") as caught:
        channel.call(QueueDeclareParameters("orders", passive=True))

    assert ReplyCode.NOT_FOUND == caught.value.reply_code


def test_direct_channel_reports_whether_a_publish_was_routed() -> None:
    channel = open_channel(make_node())
    channel.call(QueueDeclareParameters("orders"))

    assert channel.publish("", "orders", b"\0\0", b"order 1")
    assert not channel.publish("", "invoices", b"\0\0", b"invoice 1")


def test_direct_channel_returns_what_it_has_not_settled() -> None:
    node = make_node()
    with open_channel(node) as channel:
        channel.call(QueueDeclareParameters("orders"))
        channel.publish("", "orders", b"\0\0", b"order 1")
        channel.publish("", "orders", b"\0\0", b"order 2")
        first = channel.get("orders")
        second = channel.get("orders")
        assert first is not None
        channel.acknowledge(first.parameters.delivery_tag)

    assert second is not None
    assert b"order 2" == second.body
    assert [b"order 2"] == [
        queued.message.body for queued in node.virtualhost("/").queues["orders"].ready_messages()
    ]


def test_direct_channel_is_no_connection_of_the_node() -> None:
    node = make_node()

    open_channel(node)

    assert {} == node.connections
