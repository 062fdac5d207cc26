"""The router: it finds the handler of a request, and checks the user before calling it.

The order of checks is RabbitMQ's: the path, the method, the user, the types of answer and body, and
then what the handler checks.
"""

from __future__ import annotations

import binascii
import logging
from base64 import b64decode
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING

from ..auth.users import User
from .call import Call, Host, Role
from .http import Request, Response
from .media_types import refuse_media_types
from .path_tree import PathTree
from .refusals import Refusal, not_authorised, not_found
from .releases import api_release

if TYPE_CHECKING:
    from ..node.node import Node
    from .route import Route, Routes
    from .statistics.statistics import Statistics

__all__ = ["Router"]

_logger = logging.getLogger("ammoo_fakebroker.management")

_CHALLENGE = {"www-authenticate": 'Basic realm="RabbitMQ Management"'}
_METHODS = ("GET", "POST", "PUT", "DELETE")
_ALLOWED_ELSEWHERE = "HEAD, GET, OPTIONS"
_NO_USER = User("", None)
"""The user of calls that need no login."""


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
        method = "GET" if request.method == "HEAD" else request.method
        found = self._find(request)
        if found is None:
            return _unknown(request, method)
        route, names = found
        allow = _allowed(route)
        if method == "OPTIONS":
            return Response(HTTPStatus.OK).allowing(allow)
        if method not in route.handlers:
            return Response(HTTPStatus.METHOD_NOT_ALLOWED).allowing(allow)
        user = _NO_USER if route.role is None else self._log_in(request)
        if isinstance(user, Response):
            return user.allowing(allow)
        call = Call(self._node(), self._statistics, self._host(), user, request, names)
        try:
            if route.role is not None:
                call.require(Role.MANAGEMENT)
                call.require(route.role)
            refused = refuse_media_types(request, requires_json=route.requires_json)
            answer = route.handlers[method](call) if refused is None else refused
        except Refusal as refusal:
            answer = refusal.response()
        return answer.allowing(allow)

    def _find(self, request: Request) -> tuple[Route, dict[str, str]] | None:
        """Return the route of a request and the names in its path; None for an unknown path."""
        found = self._routes.find(request.path[1:]) if request.path[:1] == ("api",) else None
        if found is None or self._node().profile.name not in found[0].releases:
            return None
        return found

    def _log_in(self, request: Request) -> User | Response:
        """Return the user whose name and password the request has, or the refusal."""
        if "authorization" not in request.headers:
            return Response(HTTPStatus.UNAUTHORIZED, headers=_CHALLENGE)
        scheme, _, credentials = request.headers["authorization"].partition(" ")
        if scheme.lower() != "basic":
            return self._wrong_password()
        try:
            name, colon, password = b64decode(credentials, validate=True).decode().partition(":")
        except (ValueError, binascii.Error):
            colon = ""
        if not colon:
            return Response(HTTPStatus.BAD_REQUEST)
        users = self._node().users
        user = users.authenticate(name, password, from_loopback=True)
        self._statistics.logins.count("http", succeeded=user is not None)
        if user is None:
            return self._wrong_password()
        if users.find(name, from_loopback=request.is_from_loopback) is None:
            return not_authorised("User can only log in via localhost").response()
        return user

    def _wrong_password(self) -> Response:
        reason = api_release(self._node().profile.name).wrong_password
        return Refusal(HTTPStatus.UNAUTHORIZED, "not_authorized", reason).response()


def _allowed(route: Route) -> str:
    methods = [method for method in _METHODS if method in route.handlers]
    head = ["HEAD"] if "GET" in methods else []
    return ", ".join([*head, *methods, "OPTIONS"])


def _unknown(request: Request, method: str) -> Response:
    """Answer as RabbitMQ does, and log that the fake broker has no such path."""
    _logger.warning("the fake broker has no %s /%s", request.method, "/".join(request.path))
    if method == "GET":
        return not_found().response()
    is_question = method == "OPTIONS"
    status = HTTPStatus.OK if is_question else HTTPStatus.METHOD_NOT_ALLOWED
    return Response(status).allowing(_ALLOWED_ELSEWHERE)
