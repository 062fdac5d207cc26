"""Properties with other headers: the octets that consumers get if the broker adds or removes one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ammoo_wire import BasicHeaderProperties, encode_properties

__all__ = ["with_headers"]


def with_headers(
    properties: BasicHeaderProperties, headers: Mapping[str, Any], *, sort: bool = True
) -> bytes:
    """Encode properties with other headers.

    Args:
        properties: All but the headers.
        headers: The headers.
        sort: Whether to sort them by name, as RabbitMQ does when it adds one.
    """
    if sort:
        headers = {name: headers[name] for name in sorted(headers)}
    return encode_properties(properties._replace(headers=dict(headers)))
