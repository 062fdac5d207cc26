"""The router: it finds the handler of a request, and checks the user before calling it.

The order of checks is RabbitMQ's: the path, the method, the user, and then what the handler checks.
"""

from __future__ import annotations

import binascii
import logging
from base64 import b64decode
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from .call import Call, Host, Role
from .http import Request, Response
from .path_tree import PathTree
from .refusals import Refusal, not_authorised, not_found

if TYPE_CHECKING:
    from ..auth.users import User
    from ..node.node import Node
    from .route import Route, Routes
    from .statistics.statistics import Statistics

__all__ = ["Router"]

_logger = logging.getLogger("ammoo_fakebroker.management")

_CHALLENGE = {"www-authenticate": 'Basic realm="RabbitMQ Management"'}
_METHODS = ("GET", "POST", "PUT", "DELETE")


class Router:
    """Answers requests to the management API.

    Args:
        node: A function that returns the current node.
        statistics: What the broker has counted.
        host: A function that returns the data of the server.
        routes: The routes below ``/api``, module by module.
    """

    def __init__(
        self,
        node: Callable[[], Node],
        statistics: Statistics,
        host: Callable[[], Host],
        routes: Iterable[Routes],
    ) -> None:
        self._node = node
        self._statistics = statistics
        self._host = host
        self._routes: PathTree[Route] = PathTree()
        for each in routes:
            for path, route in each.items():
                self._routes.add(path, route)

    def answer(self, request: Request) -> Response:
        """Answer a request; the response to a wrong request says what is wrong."""
        found = self._routes.find(request.path[1:]) if request.path[:1] == ("api",) else None
        if found is None:
            return _unknown(request)
        route, names = found
        method = "GET" if request.method == "HEAD" else request.method
        allow = _allowed(route)
        if method == "OPTIONS":
            return Response(HTTPStatus.OK).allowing(allow)
        if method not in route.handlers:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED).allowing(allow)
        user = self._log_in(request)
        if isinstance(user, Response):
            return user.allowing(allow)
        call = Call(self._node(), self._statistics, self._host(), user, request, names)
        try:
            call.require(Role.MANAGEMENT)
            call.require(route.role)
            answer = route.handlers[method](call)
        except Refusal as refusal:
            answer = refusal.response()
        return answer.allowing(allow)

    def _log_in(self, request: Request) -> User | Response:
        """Return the user whose name and password the request has, or the refusal."""
        scheme, _, credentials = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "basic":
            return Response(HTTPStatus.UNAUTHORIZED, headers=_CHALLENGE)
        try:
            name, _, password = b64decode(credentials).decode().partition(":")
        except (ValueError, binascii.Error):
            return Response(HTTPStatus.UNAUTHORIZED, headers=_CHALLENGE)
        users = self._node().users
        user = users.authenticate(name, password, from_loopback=True)
        if user is None:
            return Refusal(HTTPStatus.UNAUTHORIZED, "not_authorized", "Not_Authorized").response()
        if users.find(name, from_loopback=request.is_from_loopback) is None:
            return not_authorised("User can only log in via localhost").response()
        return user


def _allowed(route: Route) -> str:
    methods = [method for method in _METHODS if method in route.handlers]
    head = ["HEAD"] if "GET" in methods else []
    return ", ".join([*head, *methods, "OPTIONS"])


def _unknown(request: Request) -> Response:
    """Answer as RabbitMQ does, and log that the fake broker has no such path."""
    _logger.warning("the fake broker has no %s /%s", request.method, "/".join(request.path))
    return not_found().response()
