"""Which messages are sent again after a loss, and which one makes the server close the channel.

A close names a method, but no message. If it names basic.publish, or no method, each message in
flight is a suspect. The publisher sends suspects again one at a time. If the server closes again
each time, it has refused the only message in flight.

This module only decides; `sending` sends.
"""

from collections import Counter, deque
from typing import Final

from ammoo_wire import BasicPublishParameters, method_of

from ..exceptions.base import ServerRefusal
from ..exceptions.publishing import PublishFailed, PublishRefused, PublishUnknown
from .confirmation import Confirmation

__all__ = ["Resending"]

_PUBLISH: Final = method_of(BasicPublishParameters)
_NO_METHOD: Final = (0, 0)
_MOST_CLOSES: Final = 3
"""A suspect counts as refused after so many closes while it was sent alone. Fewer prove nothing,
because other channels of the connection publish, too."""


class Resending:
    """The lost messages of one publisher, in their order."""

    def __init__(self) -> None:
        self._lost: list[Confirmation] = []
        self._last_suspect = 0
        self._closes: Counter[int] = Counter()
        self._may_be_stored: set[int] = set()  # lost without a close that may be about a message

    def is_suspect(self, confirmation: Confirmation) -> bool:
        """Return whether a message has to be sent alone."""
        return confirmation.publish_sequence_number <= self._last_suspect

    def take(
        self, confirmation: Confirmation, loss: PublishUnknown | PublishRefused
    ) -> PublishFailed | None:
        """Keep a message whose channel was lost, or refuse to send it again.

        A refused message counts as not stored if each sending ended in a close that may be about it.

        Args:
            confirmation: The message.
            loss: Its outcome if it is not sent again; refused messages never are.

        Returns:
            The outcome if the message is not sent again; None if it is.
        """
        number = confirmation.publish_sequence_number
        if not self._lost:  # the oldest message of a loss: all older ones have their outcomes
            self._may_be_stored = {each for each in self._may_be_stored if each >= number}
        if isinstance(loss, PublishRefused):
            return self._refused(number, loss)
        if _may_be_about_a_publish(loss.exc):
            if self.is_suspect(confirmation):
                self._closes[number] += 1
                if self._closes[number] >= _MOST_CLOSES:
                    refused = PublishRefused(loss.exc)
                    refused.__cause__ = loss.exc
                    return self._refused(number, refused)
            else:
                self._closes.clear()
            self._last_suspect = max(self._last_suspect, number)
        else:
            self._may_be_stored.add(number)
        confirmation._loss = loss
        self._lost.append(confirmation)
        return None

    def _refused(self, number: int, refused: PublishRefused) -> PublishRefused | PublishUnknown:
        """Return the outcome of a message that the server has refused at its last sending."""
        if number not in self._may_be_stored:
            return refused
        unknown = PublishUnknown(refused)
        unknown.__cause__ = refused
        return unknown

    def give_back_to(self, queue: deque[Confirmation]) -> None:
        """Put the lost messages in front of those that were never sent."""
        queue.extendleft(reversed(self._lost))
        self._lost.clear()


def _may_be_about_a_publish(error: Exception) -> bool:
    """Return whether the server may have closed the channel or connection because of a message."""
    if not isinstance(error, ServerRefusal):
        return False
    method = (error.class_id, error.method_id)
    return method == _PUBLISH.id or (method == _NO_METHOD and error.reply_code >= 500)
