"""What can be wrong with a message that arrived, or with what is done to it."""

from .base import AmmooError

__all__ = ["ContentEncodingError"]


class ContentEncodingError(AmmooError, LookupError, ValueError):
    """The body of a message cannot be decoded as its property content-encoding says.

    Pass ``encoding=`` to `Message.decode` or `Message.json`, or use `Message.body`. It is the
    sender's fault: the message will not decode when it is delivered again either.

    Attributes:
        content_encoding: What the property says.
        reason: What is wrong.
    """

    def __init__(self, content_encoding: str, reason: str) -> None:
        super().__init__(content_encoding, reason)
        self.content_encoding = content_encoding
        self.reason = reason

    def __str__(self) -> str:
        return f"the content-encoding {self.content_encoding!r} {self.reason}"
