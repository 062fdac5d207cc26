"""Messages that a test describes: a body or a value for JSON, and properties by their names."""

from __future__ import annotations

import json as json_module
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from ammoo_wire import BasicHeaderProperties, EncodeError, encode_properties

__all__ = ["body_and_properties", "encode_body"]


def body_and_properties(
    body: bytes | str | None, json: Any, properties: Mapping[str, Any]
) -> tuple[bytes, Mapping[str, Any]]:
    """Return the octets and the properties of a message; JSON gets its content type.

    Raises:
        TypeError: Both a body and json are given, one of them is of a wrong type, or there is no
            such property.
    """
    known = BasicHeaderProperties._fields
    for name in properties:
        if name not in known:
            close = get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}?" if close else f"they are {', '.join(known)}"
            raise TypeError(f"a message has no property {name!r}; {hint}")
    if json is not None:
        if body is not None:
            raise TypeError("both body and json are given; expected one of them")
        body = _encode_json(json)
        properties = {"content_type": "application/json", **properties}
    if body is not None and not isinstance(body, bytes | bytearray | memoryview | str):
        raise TypeError(f"body is {body!r}; expected bytes or a string, or json=…")
    return body.encode() if isinstance(body, str) else bytes(body or b""), properties


def encode_body(
    body: bytes | str | None, json: Any, properties: Mapping[str, Any]
) -> tuple[bytes, bytes]:
    """Return the encoded properties and the body of a message that a test describes.

    Raises:
        TypeError: Both a body and json are given, one of them is of a wrong type, or there is no
            such property.
        ValueError: The value of a property is invalid.
    """
    octets, properties = body_and_properties(body, json, properties)
    try:
        encoded = encode_properties(BasicHeaderProperties(**properties))
    except EncodeError as error:
        raise ValueError(str(error)) from None
    return encoded, octets


def _encode_json(value: Any) -> str:
    try:
        return json_module.dumps(value)
    except (TypeError, ValueError) as error:
        raise TypeError(f"json is {value!r}; expected what JSON can hold: {error}") from None
