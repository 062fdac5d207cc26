"""Errors of messages that arrived, and of operations on them."""

from .base import AmmooError

__all__ = ["ContentEncodingError", "UnknownDelivery"]


class ContentEncodingError(AmmooError, LookupError, ValueError):
    """The body of a message cannot be decoded with the encoding in its property content-encoding.

    Pass ``encoding=`` to `Message.decode` or `Message.json`, or use `Message.body`. The sender has
    caused the error: decoding fails again when the message is delivered again.

    Attributes:
        content_encoding: The property content-encoding.
        reason: What is wrong.
    """

    def __init__(self, content_encoding: str, reason: str) -> None:
        super().__init__(content_encoding, reason)
        self.content_encoding: str = content_encoding
        self.reason: str = reason

    def __str__(self) -> str:
        return f"the content-encoding {self.content_encoding!r} {self.reason}"


class UnknownDelivery(AmmooError, ValueError):
    """A delivery cannot be settled, because it is not unacked on its channel; nothing was sent.

    It was settled before, perhaps together with others (``multiple``), or it needs no
    acknowledgement (no_ack), or it was requeued (`Channel.recover`), or there is no such delivery.
    The server would close the channel for it; as nothing was sent, the channel stays open.

    Attributes:
        delivery_tag: The delivery tag.
        channel_id: The channel's number.
    """

    def __init__(self, delivery_tag: int, channel_id: int = 0) -> None:
        super().__init__(delivery_tag, channel_id)
        self.delivery_tag: int = delivery_tag
        self.channel_id: int = channel_id

    def __str__(self) -> str:
        return (
            f"delivery {self.delivery_tag!r} of channel {self.channel_id} is not unacked: a message"
            " can be settled once, on the channel it came on, and not at all with no_ack; nothing"
            " was sent"
        )
