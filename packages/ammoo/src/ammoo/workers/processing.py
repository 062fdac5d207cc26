"""Settling messages by the way in which the block ends that processes them.

`ExpectedMessage.process` returns a `Processing`, which knows messages and a policy. A message
that can no longer be settled is no error here, because the server delivers it again.
"""

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType
from typing import TYPE_CHECKING, Generic, Literal, TypeVar, get_args

from ..exceptions.channel import ChannelClosed
from ..exceptions.connection import ConnectionClosed
from ..exceptions.message import UnknownDelivery
from ..exceptions.publishing import StaleDelivery

if TYPE_CHECKING:
    from ..messages import ExpectedMessage

__all__ = ["OnError", "Processing", "checked_policy"]

OnError = Literal["requeue", "reject", "dead-letter"]
"""What to do with a message whose processing has failed; see `ExpectedMessage.process`."""

T = TypeVar("T")


def checked_policy(on_error: OnError) -> OnError:
    """Return a policy if it is one of `OnError`.

    Raises:
        ValueError: It is not.
    """
    if on_error not in get_args(OnError):
        raise ValueError(f"on_error is {on_error!r}; expected 'requeue', 'reject' or 'dead-letter'")
    return on_error


class Processing(Generic[T]):
    """The block in which messages are processed: they are settled when the block is left.

    Args:
        target: The value of ``as``: the message, or the batch.
        messages: The messages.
        on_error: What to do with the messages if an exception leaves the block.
    """

    __slots__ = ("_messages", "_on_error", "_target")

    def __init__(self, target: T, messages: "Sequence[ExpectedMessage]", on_error: OnError) -> None:
        self._target = target
        self._messages = messages
        self._on_error: OnError = checked_policy(on_error)

    async def __aenter__(self) -> T:
        """Return the message, or the batch."""
        return self._target

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool:
        """Settle the messages, except those that the block has settled.

        Raises:
            ChannelClosed, ConnectionClosed: The block was left without an exception, and the
                channel is closed for good; the server delivers the messages again.
        """
        if exc is None:
            await self._ack()
        elif isinstance(exc, StaleDelivery) and self._has_lost(exc.delivery_tag):
            return True  # the block has tried to settle the message itself
        elif isinstance(exc, Exception):
            await self._reject(exc)
        else:
            for message in self._messages:
                message._give_back()  # the block was cancelled: the messages are not at fault
        return False

    def _has_lost(self, delivery_tag: int) -> bool:
        """Return whether the message with a tag is lost; another channel may use the same tag."""
        return any(
            message.is_stale and message.delivery_tag == delivery_tag for message in self._messages
        )

    async def _ack(self) -> None:
        for message in self._messages:
            # The server delivers it again; or the block has settled it; or it had no_ack.
            with suppress(StaleDelivery, UnknownDelivery):
                await message.ack()

    async def _reject(self, exc: Exception) -> None:
        """Apply the policy.

        It sends basic.reject, not basic.nack: RabbitMQ 4.3 counts only basic.reject towards the
        delivery limit of a quorum queue. The limit ends the retries of a message that always fails.
        """
        for message in self._messages:
            message._report_failure(exc)
            # As in `_ack`; the block's exception is raised, not this one.
            with suppress(StaleDelivery, UnknownDelivery, ChannelClosed, ConnectionClosed):
                await message.reject(self._on_error == "requeue")
