"""Clients that send half of something, or nothing, or never read: their own trouble, no one else's."""

from ammoo_wire import QueueDeclareOkParameters, QueueDeclareParameters, encode_method
from tests.support.brokers import Connect, Unique
from tests.support.channel import Channel


def test_half_a_frame_waits_for_the_other_half(
    connect: Connect, channel: Channel, unique: Unique
) -> None:
    name = unique("queue")
    slow = connect()
    slow.channel(1)
    payload = encode_method(QueueDeclareParameters(name))
    frame = b"\x01\x00\x01" + len(payload).to_bytes(4, "big") + payload + b"\xce"
    slow.send_octets(frame[:10])

    had_queue = channel.has_queue(name)
    slow.send_octets(frame[10:])

    assert not had_queue
    assert QueueDeclareOkParameters(name, 0, 0) == slow.receive(1)


def test_client_that_never_reads_leaves_messages_in_the_queue(
    connect: Connect, channel: Channel, queue: str
) -> None:
    """Although they need no acknowledgement: what its socket holds, a few MiB of 32, is gone."""
    deaf = connect()
    deaf.channel(1).consume(queue, no_ack=True)
    body = bytes(16_384)

    channel.fill(queue, *[body] * 2_048)

    assert 1_024 < channel.message_count(queue)
    deaf.drop()
