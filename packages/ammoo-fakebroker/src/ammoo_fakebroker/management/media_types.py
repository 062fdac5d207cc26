"""Media types: which answers a client accepts, and of which type a body is (RFC 9110, section 8.3)."""

from __future__ import annotations

import re
from http import HTTPStatus

from .http import Request, Response

__all__ = ["refuse_media_types"]

_JSON = "application/json"
_ACCEPTED = frozenset((_JSON, "application/*", "*/*"))
_MEDIA_TYPE = re.compile(r"[\w!#$%&'*+.^`|~-]+/[\w!#$%&'*+.^`|~-]+\Z")


def refuse_media_types(request: Request, *, requires_json: bool) -> Response | None:
    """Return the refusal of a request for the types that its headers name; None if they are right.

    RabbitMQ takes each body for JSON, whatever type it is said to be of, but for some paths.

    Args:
        request: The request.
        requires_json: Whether the type of the body must be that of JSON.
    """
    headers = request.headers
    if "accept" in headers:
        accepted = [_media_type(each) for each in headers["accept"].split(",")]
        if not any(each in _ACCEPTED for each in accepted):
            is_broken = headers["accept"] and not all(map(_MEDIA_TYPE.match, accepted))
            return Response(HTTPStatus.BAD_REQUEST if is_broken else HTTPStatus.NOT_ACCEPTABLE)
    if request.method not in ("PUT", "POST"):
        return None
    sent = _media_type(headers.get("content-type", "" if requires_json else _JSON))
    if sent != _JSON and (requires_json or not _MEDIA_TYPE.match(sent)):
        return Response(HTTPStatus.UNSUPPORTED_MEDIA_TYPE)
    return None


def _media_type(text: str) -> str:
    """Return a media type without its parameters."""
    return text.partition(";")[0].strip().lower()
