"""Class tx (90): transactions of publishes and acknowledgements on one channel."""

from ...light_named_tuple import LightNamedTuple
from ...method_codecs import method

__all__ = [
    "TxCommitOkParameters",
    "TxCommitParameters",
    "TxRollbackOkParameters",
    "TxRollbackParameters",
    "TxSelectOkParameters",
    "TxSelectParameters",
]


@method(90, 10, replies=("tx.select-ok",))
class TxSelectParameters(LightNamedTuple):
    """Make the channel transactional."""


@method(90, 11)
class TxSelectOkParameters(LightNamedTuple):
    """The channel is transactional."""


@method(90, 20, replies=("tx.commit-ok",))
class TxCommitParameters(LightNamedTuple):
    """Carry out all since the last commit or roll-back."""


@method(90, 21)
class TxCommitOkParameters(LightNamedTuple):
    """The transaction was carried out."""


@method(90, 30, replies=("tx.rollback-ok",))
class TxRollbackParameters(LightNamedTuple):
    """Discard all since the last commit or roll-back."""


@method(90, 31)
class TxRollbackOkParameters(LightNamedTuple):
    """The transaction was discarded."""
