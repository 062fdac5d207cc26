"""JSON bodies: of requests, which are objects, and of responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from .http import Request, Response
from .refusals import bad_request, missing_keys

__all__ = ["check_nulls", "json_object", "json_response", "read_table", "read_text"]

_ENCODED_TWICE = (
    "invalid payload: the request body JSON-decoded to a string. Is the input doubly-JSON-encoded?"
)


def json_object(request: Request, *required: str) -> dict[str, Any]:
    """Return the body of a request, a JSON object; a missing body or null is an empty object.

    Args:
        request: The request.
        required: The members that the object must have.

    Raises:
        Refusal: 400, the body is not a JSON object, or lacks one of these members.
    """
    decoded: Any = {}
    if request.body:
        try:
            decoded = json.loads(request.body)
        except (ValueError, RecursionError):
            raise bad_request("not_json") from None
    if isinstance(decoded, str):
        raise bad_request(_ENCODED_TWICE)
    if not isinstance(decoded, dict | None):
        raise bad_request("not_json")
    missing = [name for name in required if name not in (decoded or {})]
    if missing:
        raise missing_keys(*missing)
    return decoded or {}


def read_text(body: Mapping[str, Any], name: str, default: str = "") -> str:
    """Return a member that is a string.

    Raises:
        Refusal: 400, the member is not a string.
    """
    value = body.get(name, default)
    if not isinstance(value, str):
        raise bad_request(["not_string", name])
    return value


def read_table(body: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a member that is a table of AMQP; an empty list is an empty table, as in Erlang.

    Raises:
        Refusal: 400, the member is not an object, or has null in it.
    """
    value = body.get(name) or {}
    if not isinstance(value, dict):
        raise bad_request(["not_object", name])
    check_nulls(value)
    return value


def check_nulls(value: Any) -> None:
    """Check that there is no null in a value for a table of AMQP.

    Raises:
        Refusal: 400, there is one.
    """
    unchecked = [value]  # a table may be nested deeper than Python's stack
    while unchecked:
        each = unchecked.pop()
        if each is None:
            raise bad_request("null_not_allowed")
        if isinstance(each, dict):
            unchecked.extend(each.values())
        elif isinstance(each, list):
            unchecked.extend(each)


def json_response(value: Any, status: int = HTTPStatus.OK) -> Response:
    """Return a response with a value in JSON."""
    body = json.dumps(value, separators=(",", ":"), default=_plain).encode()
    return Response(status, body, {"content-type": "application/json"})


def _plain(value: object) -> object:
    """Return a JSON value for a field value of a type that JSON does not have."""
    if isinstance(value, bytes | bytearray):
        return value.decode("utf-8", "replace")
    if isinstance(value, Mapping):
        return dict(value)
    timestamp: Callable[[], float] | None = getattr(value, "timestamp", None)
    return int(timestamp()) if timestamp is not None else str(value)
