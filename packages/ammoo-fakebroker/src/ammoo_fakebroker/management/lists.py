"""Lists: pages, filters, sorting and columns, as the queries of a list's URL ask for them.

See https://www.rabbitmq.com/docs/http-api-reference#pagination
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from .call import json_response
from .http import Response
from .refusals import Refusal, bad_request

__all__ = ["list_response", "with_columns"]

_Item = dict[str, Any]

_USUAL_ORDER = (
    "vhost",
    "name",
    "user",
    "source",
    "destination",
    "routing_key",
    "properties_key",
)
_WHOLE = "arguments"
_LARGEST_PAGE = 500
_USUAL_PAGE = 100


def list_response(items: Iterable[_Item], query: Mapping[str, str]) -> Response:
    """Return the response with a list: all of it, or the page that a query asks for.

    Raises:
        Refusal: 400, there is no such page, or the query is invalid.
    """
    found = list(items)
    if "page" not in query:
        return json_response(with_columns(_sorted(found, query), query))
    number, size = _page(query)
    matching = _sorted(_filtered(found, query), query)
    page_count = -(-len(matching) // size)
    if number > max(page_count, 1):
        reason = f"Page out of range, page: {number} page size: {size}, len: {len(matching)}"
        raise Refusal(400, "page_out_of_range", reason)
    page = matching[(number - 1) * size : number * size]
    return json_response(
        {
            "filtered_count": len(matching),
            "item_count": len(page),
            "items": with_columns(page, query),
            "page": number,
            "page_count": page_count,
            "page_size": size,
            "total_count": len(found),
        }
    )


def _page(query: Mapping[str, str]) -> tuple[int, int]:
    try:
        number, size = int(query["page"]), int(query.get("page_size") or _USUAL_PAGE)
    except ValueError:
        raise bad_request("Pagination parameters are invalid") from None
    if number < 1 or not 1 <= size <= _LARGEST_PAGE:
        asked = query.get("page_size", "undefined")
        reason = f"Invalid pagination parameters: page number {number}, page size {asked}"
        raise Refusal(400, "invalid_pagination_parameters", reason)
    return number, size


def _filtered(items: list[_Item], query: Mapping[str, str]) -> list[_Item]:
    wanted = query.get("name", "")
    if not wanted:
        return items
    if query.get("use_regex") != "true":
        return [item for item in items if wanted.lower() in str(item.get("name", "")).lower()]
    try:
        pattern = re.compile(wanted, re.IGNORECASE)
    except re.error:
        return []
    return [item for item in items if pattern.search(str(item.get("name", "")))]


def _sorted(items: list[_Item], query: Mapping[str, str]) -> list[_Item]:
    columns = (query["sort"],) if query.get("sort") else _USUAL_ORDER
    items = sorted(
        items, key=lambda item: [_sort_key(_value_at(item, column)) for column in columns]
    )
    return items[::-1] if query.get("sort_reverse") == "true" else items


def _sort_key(value: Any) -> tuple[bool, float, str]:
    """Return a key by which values of any type can be sorted: numbers come before texts."""
    is_number = isinstance(value, int | float)
    return not is_number, value if is_number else 0, "" if is_number else str(value)


def with_columns(items: list[_Item], query: Mapping[str, str]) -> list[_Item]:
    """Return items with the members that a query asks for; all members if it names none."""
    columns = [column for column in query.get("columns", "").split(",") if column]
    if not columns:
        return items
    return [_picked(item, columns) for item in items]


def _picked(item: _Item, columns: list[str]) -> _Item:
    """Return a copy with some members; ``a.b`` names the member ``b`` of the member ``a``.

    Arguments are whole: RabbitMQ does not look into their table.
    """
    picked: _Item = {}
    for asked in columns:
        column = _WHOLE if asked.startswith(f"{_WHOLE}.") else asked
        value = _value_at(item, column)
        if value is None and not _has(item, column):
            continue
        *outer, last = column.split(".")
        place = picked
        for name in outer:
            place = place.setdefault(name, {})
        place[last] = value
    return picked


def _value_at(item: Any, column: str) -> Any:
    for name in column.split("."):
        if not isinstance(item, Mapping):
            return None
        item = item.get(name)
    return item


def _has(item: Any, column: str) -> bool:
    for name in column.split("."):
        if not isinstance(item, Mapping) or name not in item:
            return False
        item = item[name]
    return True
