"""Class confirm (85): publisher confirms, an extension of RabbitMQ."""

from typing import NamedTuple

from ...codec import method
from ...fields import Bit

__all__ = ["ConfirmSelectOkParameters", "ConfirmSelectParameters"]


@method(85, 10, replies=("confirm.select-ok",))
class ConfirmSelectParameters(NamedTuple):
    """Have every further publish on the channel confirmed."""

    no_wait: Bit = False


@method(85, 11)
class ConfirmSelectOkParameters(NamedTuple):
    """The channel is in confirm mode."""
