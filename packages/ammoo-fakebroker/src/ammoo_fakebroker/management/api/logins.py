"""Logins: how many there were, and the one of RabbitMQ's web interface."""

from __future__ import annotations

from base64 import b64encode
from http import HTTPStatus
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

from ..call import Call, Role, done, json_response
from ..lists import list_response
from ..refusals import Refusal
from ..releases import UNTIL_4_0
from ..route import Route, Routes
from .nodes import check_node
from .users import whoami_item

if TYPE_CHECKING:
    from ..http import Response

__all__ = ["ROUTES"]


def list_attempts(call: Call) -> Response:
    """List how often clients have tried to log in, by protocol."""
    check_node(call)
    items = [
        {
            "protocol": protocol,
            "auth_attempts": counts.succeeded + counts.failed,
            "auth_attempts_failed": counts.failed,
            "auth_attempts_succeeded": counts.succeeded,
        }
        for protocol, counts in call.statistics.logins.items()
    ]
    return json_response(items)


def list_sources(call: Call) -> Response:
    """List the attempts by address: none, because RabbitMQ tracks addresses only if it is configured to."""
    check_node(call)
    return list_response([], call.request.query)


def forget_attempts(call: Call) -> Response:
    """Count attempts anew."""
    check_node(call)
    call.statistics.logins.clear()
    return done()


def log_in(call: Call) -> Response:
    """Check the name and the password of a form."""
    form = parse_qs(call.request.body.decode("utf-8", "replace"))
    name, password = (form.get(member, [""])[0] for member in ("username", "password"))
    loopback = call.request.is_from_loopback
    user = call.node.users.authenticate(name, password, from_loopback=loopback)
    if user is None:
        raise Refusal(HTTPStatus.UNAUTHORIZED, "not_authorized", call.release.wrong_password)
    token = b64encode(f"{name}:{password}".encode()).decode()
    if not call.release.answers_logins_with_users:
        return json_response("ok")._replace(headers=_cookie(token))
    shown: dict[str, Any] = {"user": whoami_item(user, call.release)}
    return json_response({**shown, "token": {"type": "basic", "value": token}})


def _cookie(token: str) -> dict[str, str]:
    return {"content-type": "application/json", "set-cookie": f"auth={token}; Version=1"}


def show_web_login(call: Call) -> Response:
    """Answer that users of the web interface log in with a password."""
    return json_response(call.release.web_login)


_ATTEMPTS = Route({"GET": list_attempts, "DELETE": forget_attempts}, Role.MONITORING)
_SOURCES = Route({"GET": list_sources, "DELETE": forget_attempts}, Role.MONITORING)

ROUTES: Routes = {
    "auth": Route({"GET": show_web_login}, role=None, releases=UNTIL_4_0),
    "auth/attempts/:node": _ATTEMPTS,
    "auth/attempts/:node/source": _SOURCES,
    "login": Route({"POST": log_in}, role=None),
}
