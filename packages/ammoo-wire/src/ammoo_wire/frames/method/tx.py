"""Class tx (90): transactions of publishes and acknowledgements on one channel."""

from ...arguments import Arguments
from ...codec import method

__all__ = [
    "TxCommitOkParameters",
    "TxCommitParameters",
    "TxRollbackOkParameters",
    "TxRollbackParameters",
    "TxSelectOkParameters",
    "TxSelectParameters",
]


@method(90, 10, replies=("tx.select-ok",))
class TxSelectParameters(Arguments):
    """Make the channel transactional."""


@method(90, 11)
class TxSelectOkParameters(Arguments):
    """The channel is transactional."""


@method(90, 20, replies=("tx.commit-ok",))
class TxCommitParameters(Arguments):
    """Carry out all since the last commit or roll-back."""


@method(90, 21)
class TxCommitOkParameters(Arguments):
    """The transaction was carried out."""


@method(90, 30, replies=("tx.rollback-ok",))
class TxRollbackParameters(Arguments):
    """Forget all since the last commit or roll-back."""


@method(90, 31)
class TxRollbackOkParameters(Arguments):
    """The transaction was forgotten."""
