"""Class confirm (85): publisher confirms, an extension of RabbitMQ."""

from ...fields import Bit
from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = ["ConfirmSelectOkParameters", "ConfirmSelectParameters"]


@method(85, 10, replies=("confirm.select-ok",))
class ConfirmSelectParameters(LightNamedTuple):
    """Put the channel in confirm mode: the server confirms each further publish."""

    no_wait: Bit = False
    """Whether the server sends no answer."""


@method(85, 11)
class ConfirmSelectOkParameters(LightNamedTuple):
    """The channel is in confirm mode."""
