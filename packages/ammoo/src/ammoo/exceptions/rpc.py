"""Why a call got no reply.

::

    RpcFailed
    ├── RpcTimeout                            no reply came in time
    └── RpcInterrupted                        the channel ended before the reply

If the request was not routed, refused or not sent, the call raises an exception of publishing:
`PublishReturned`, `PublishNack` or `PublishNotSent`.
"""

from typing import Any

from .base import AmmooError

__all__ = ["RpcFailed", "RpcInterrupted", "RpcTimeout"]


class RpcFailed(AmmooError):
    """A request was sent, and no reply came. It may have been processed.

    Attributes:
        exchange_name: The exchange that the request was published to.
        routing_key: Its routing key.
    """

    recoverable = True

    def __init__(self, exchange_name: str = "", routing_key: str = "") -> None:
        super().__init__(exchange_name, routing_key)
        self.exchange_name = exchange_name
        self.routing_key = routing_key

    def _request(self) -> str:
        return (
            f"the request to exchange {self.exchange_name!r} with routing key {self.routing_key!r}"
        )


class RpcTimeout(RpcFailed, TimeoutError):
    """No reply came in time. The request is not processed later: it has expired, too.

    Attributes:
        timeout: How long the call has waited, in seconds.
    """

    def __init__(self, exchange_name: str = "", routing_key: str = "", timeout: float = 0) -> None:
        RpcFailed.__init__(self, exchange_name, routing_key)
        self.args: tuple[Any, ...] = (exchange_name, routing_key, timeout)
        self.timeout = timeout

    def __str__(self) -> str:
        return (
            f"{self._request()} got no reply within {self.timeout:g} s; it may have been processed,"
            " or it has expired"
        )


class RpcInterrupted(RpcFailed):
    """The channel or the connection ended before the reply came. The reply is lost.

    Attributes:
        exc: The exception that ended it.
    """

    def __init__(self, exchange_name: str, routing_key: str, exc: Exception) -> None:
        super().__init__(exchange_name, routing_key)
        self.args: tuple[Any, ...] = (exchange_name, routing_key, exc)
        self.exc = exc

    def __str__(self) -> str:
        return f"{self._request()} was sent, and may have been processed; its reply is lost: {self.exc}"
