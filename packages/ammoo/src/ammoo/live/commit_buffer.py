"""Keeps what a channel sends until the server has answered tx.commit.

A server that is committing a transaction accepts nothing else on the channel but
channel.close: RabbitMQ closes the connection otherwise (504, ``unexpected command
while processing 'tx.commit'``). Until it has answered, a `CommitBuffer` replaces the protocol
as the channel's `Sender`; the code that sends need not know.
"""

from asyncio import Future
from typing import Any

from ammoo_wire import ClientProtocol, ContentHead, encode_method

__all__ = ["CommitBuffer"]


class CommitBuffer:
    """A `Sender` that keeps what is sent on one channel, in order, until it is ended.

    Args:
        protocol: The protocol that it replaces.
        ended: The future that is done when the buffer has been ended.
    """

    def __init__(self, protocol: ClientProtocol, ended: "Future[None]") -> None:
        self.ended = ended
        self._protocol = protocol
        self._writer = protocol.new_writer()

    def is_channel_closing(self, channel_number: int) -> bool:
        """Return whether channel.close was sent and channel.close-ok has not arrived."""
        return self._protocol.is_channel_closing(channel_number)

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        """Keep a method without content.

        Raises:
            EncodeError: A parameter cannot be encoded.
        """
        self._writer.method(channel_number, encode_method(parameters))

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """Keep a method that is encoded already."""
        self._writer.method(channel_number, payload)

    def send_content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray
    ) -> int:
        """Keep a method with content, and return how many octets are queued in all.

        Raises:
            EncodeError: The properties are larger than a frame may be.
        """
        return self._writer.content_behind(head, properties, body) + self._protocol.queued_size

    def end(self, *, send: bool) -> None:
        """End the buffer.

        Args:
            send: Whether to send what it keeps; False if the channel is closed.
        """
        octets = self._writer.take()
        if send:
            self._protocol.send_written(octets)
        if not self.ended.done():
            self.ended.set_result(None)
