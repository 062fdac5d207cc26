"""All exceptions of the client, in one module for each thing that can end.

`AmmooError` is the base of all. `ammoo.exceptions.connection`,
`ammoo.exceptions.channel` and `ammoo.exceptions.consumer` draw their trees.
"""

from .base import AmmooError, OperationTimeout, ServerRefusal

__all__ = ["AmmooError", "OperationTimeout", "ServerRefusal"]
