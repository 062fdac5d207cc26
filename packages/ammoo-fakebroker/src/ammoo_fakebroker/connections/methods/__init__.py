"""The handlers of AMQP's methods: one module for each class, one function for each method.

A handler gets the channel and the method's parameters. It answers by sending on the channel, and
refuses by raising a `ProtocolError` from `errors`. The type of the parameters selects the handler. A
server does not support a method that is not in the table (COMMAND_INVALID).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import access, basic, channel, confirm, exchange, queue, tx
from .basic import publish

__all__ = ["HANDLERS", "publish"]

HANDLERS: dict[type, Callable[..., Any]] = {
    parameters: handler
    for module in (access, basic, channel, confirm, exchange, queue, tx)
    for parameters, handler in module.HANDLERS.items()
}
