"""Class confirm (85): publisher confirms, an extension of RabbitMQ."""

from ...arguments import Arguments
from ...codec import method
from ...fields import Bit

__all__ = ["ConfirmSelectOkParameters", "ConfirmSelectParameters"]


@method(85, 10, replies=("confirm.select-ok",))
class ConfirmSelectParameters(Arguments):
    """Have every further publish on the channel confirmed."""

    no_wait: Bit = False


@method(85, 11)
class ConfirmSelectOkParameters(Arguments):
    """The channel is in confirm mode."""
