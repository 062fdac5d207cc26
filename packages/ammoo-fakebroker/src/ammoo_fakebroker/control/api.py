"""The paths of the control API, and the handler of each."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import TYPE_CHECKING, TypeAlias

from ..management.http import Request, Response
from ..management.json_bodies import json_response
from ..management.path_tree import PathTree
from ..management.refusals import Refusal, bad_request
from .actions import advance, block, cancel_consumers, close, cut, reset, restart, unblock
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
    "consumers/cancel": {"POST": cancel_consumers},
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
                reason = f"there is no /{path}; GET /fake lists what there is"
                raise Refusal(HTTPStatus.NOT_FOUND, "not_found", reason)
            handlers, names = found
            if request.method not in handlers:
                allowed = ", ".join(handlers)
                reason = f"the path has no {request.method}; it has {allowed}"
                raise Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method_not_allowed", reason)
            _check_json(request)
            call = ControlCall(self._broker, self._node(), request, names)
            answer = handlers[request.method](call)
            return answer if isinstance(answer, Response) else await answer
        except Refusal as refusal:
            return refusal.response()


def _check_json(request: Request) -> None:
    """Check that a body is JSON: an object or a list.

    Raises:
        Refusal: 400, it is not; the reason names the place.
    """
    if not request.body:
        return
    try:
        decoded = json.loads(request.body)
    except (ValueError, RecursionError) as error:
        raise bad_request(f"the body is not JSON: {error}") from None
    if not isinstance(decoded, dict | list):
        raise bad_request(f"the body is {decoded!r}; expected an object")


def _summary(handler: _Handler) -> str:
    """Return the first line of a handler's docstring, in plain text."""
    return (handler.__doc__ or "").partition("\n")[0].replace("``", "'")


def _list_paths(call: ControlCall) -> Response:
    """List the paths, and what each does."""
    return json_response(
        {
            f"{method} /fake/{path}": _summary(handler)
            for path, handlers in _PATHS.items()
            for method, handler in handlers.items()
        }
    )
