"""What a channel must not send yet.

A server that is committing a transaction takes nothing else on the channel but its
close: RabbitMQ ends the connection of who goes on (504, ``unexpected command while
processing 'tx.commit'``). Until it has answered, this stands in the protocol's place
for the channel; whoever sends need not know.
"""

from asyncio import Future
from typing import Any

from ammoo_wire import ClientProtocol, ContentHead, encode_method

__all__ = ["CommitBuffer"]


class CommitBuffer:
    """Takes what is to be sent on one channel, in order, and sends it when it is let go.

    Args:
        protocol: Whose place it takes.
        over: What is done when it has been let go.
    """

    def __init__(self, protocol: ClientProtocol, over: "Future[None]") -> None:
        self.over = over
        self._protocol = protocol
        self._writer = protocol.new_writer()

    def is_channel_closing(self, channel_number: int) -> bool:
        """As the protocol's."""
        return self._protocol.is_channel_closing(channel_number)

    def send(self, channel_number: int, parameters: tuple[Any, ...]) -> None:
        """As the protocol's, later.

        Raises:
            EncodeError: An argument cannot be encoded.
        """
        self._writer.method(channel_number, encode_method(parameters))

    def send_method(self, channel_number: int, payload: bytes) -> None:
        """As the protocol's, later."""
        self._writer.method(channel_number, payload)

    def send_content_behind(
        self, head: ContentHead, properties: bytes, body: bytes | bytearray
    ) -> int:
        """As the protocol's, later.

        Raises:
            EncodeError: The properties are larger than a frame may be.
        """
        return self._writer.content_behind(head, properties, body) + self._protocol.queued_size

    def let_go(self, *, send: bool) -> None:
        """End it, and send what was held; or drop that, for the channel is closed."""
        octets = self._writer.take()
        if send:
            self._protocol.send_written(octets)
        if not self.over.done():
            self.over.set_result(None)
