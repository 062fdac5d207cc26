"""Reading streams whose oldest messages RabbitMQ drops meanwhile.

A message's body is its number.
"""

from typing import Any

from tests.support.brokers import Connect
from tests.support.channel import Channel
from tests.support.frames import ServerClosedConnection, WaitedTooLong

__all__ = ["read_from_first", "read_up_to"]


def read_up_to(reader: Channel, queue_name: str, last: int, **arguments: Any) -> dict[int, int]:
    """Read numbers up to a last one, and give the offsets of all."""
    tag = reader.consume(queue_name, **arguments)
    offsets: dict[int, int] = {}
    while last not in offsets:
        message = reader.delivery()
        offsets[int(message.body)] = (message.properties.headers or {})["x-stream-offset"]
        reader.ack(message.parameters.delivery_tag)
    reader.cancel(tag)
    return offsets


def read_from_first(connect: Connect, queue_name: str, last: int) -> dict[int, int]:
    """Read all numbers that are left up to a last one, and give the offsets of all.

    If RabbitMQ looks for the oldest segment just when that is dropped, it closes the connection
    (541), or 4.3 delivers nothing. So each look has a connection of its own, and another one
    follows behind such a close, or when nothing has come for some seconds.
    """
    while True:
        peer = connect(seconds=5)
        reader = peer.channel()
        reader.qos(10)
        try:
            return read_up_to(reader, queue_name, last, x_stream_offset="first")
        except ServerClosedConnection as closed:
            (close,) = closed.args
            assert 541 == close.reply_code
        except WaitedTooLong:
            continue
        finally:
            peer.close()
