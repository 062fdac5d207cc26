"""JSON bodies: of requests, which are objects, and of responses."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from .http import Request, Response
from .refusals import bad_request, missing_key

__all__ = ["json_object", "json_response"]


def json_object(request: Request, *required: str) -> dict[str, Any]:
    """Return the body of a request, a JSON object; a missing body is an empty object.

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
    if not isinstance(decoded, dict):
        raise bad_request("not_json")
    for name in required:
        if name not in decoded:
            raise missing_key(name)
    return decoded


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
