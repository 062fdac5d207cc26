"""The paths of the control API, and the handler of each."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from ..management.http import Request, Response
from ..management.json_bodies import json_response
from ..management.path_tree import PathTree
from ..management.refusals import Refusal
from .actions import advance, block, close, cut, reset, restart, unblock
from .call import ControlCall
from .faults import add_faults, clear_faults, list_faults, remove_fault, show_fault
from .history import show_history, show_mark

if TYPE_CHECKING:
    from ..node.node import Node
    from .ports import ControlledBroker

__all__ = ["ControlApi"]

_Handler: TypeAlias = Callable[[ControlCall], Response | Awaitable[Response]]

_PATHS: dict[str, dict[str, _Handler]] = {
    "faults": {"GET": list_faults, "POST": add_faults, "DELETE": clear_faults},
    "faults/:id": {"GET": show_fault, "DELETE": remove_fault},
    "history": {"GET": show_history},
    "mark": {"GET": show_mark},
    "clock/advance": {"POST": advance},
    "cut": {"POST": cut},
    "close": {"POST": close},
    "block": {"POST": block},
    "unblock": {"POST": unblock},
    "restart": {"POST": restart},
    "reset": {"POST": reset},
}


class ControlApi:
    """Answers requests below ``/fake``.

    There is no login, because the broker belongs to the test, which has chosen its address.

    Args:
        broker: The broker that is controlled.
        node: A function that returns its current node.
    """

    def __init__(self, broker: ControlledBroker, node: Callable[[], Node]) -> None:
        self._broker = broker
        self._node = node
        self._paths: PathTree[dict[str, _Handler]] = PathTree()
        self._paths.add("", {"GET": _list_paths})
        for path, handlers in _PATHS.items():
            self._paths.add(path, handlers)

    async def answer(self, request: Request) -> Response:
        """Answer a request; the response to a wrong request says what is wrong."""
        found = self._paths.find(request.path[1:])
        try:
            if found is None:
                path = "/".join(request.path)
                raise Refusal(HTTPStatus.NOT_FOUND, "not_found", f"there is no /{path}; GET /fake")
            handlers, names = found
            if request.method not in handlers:
                allowed = ", ".join(handlers)
                raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", allowed)
            call = ControlCall(self._broker, self._node(), request, names)
            answer = handlers[request.method](call)
            return answer if isinstance(answer, Response) else await answer
        except Refusal as refusal:
            return refusal.response()


def _list_paths(call: ControlCall) -> Response:
    """List the paths, and what each does."""
    return json_response(
        {
            f"{method} /fake/{path}": (handler.__doc__ or "").partition("\n")[0]
            for path, handlers in _PATHS.items()
            for method, handler in handlers.items()
        }
    )
