"""Showing items: as text for people, and as plain values for JSON.

``connection.start-ok`` contains a password, and ``connection.update-secret`` a token. Of a value that
may be secret only the size is shown, unless the caller asks for secrets.
"""

from collections.abc import Mapping
from typing import Any, Final

from ..exceptions import ProtocolError
from ..fields import WireType
from ..frames.header import decode_properties
from ..method_codecs import Parameters, method_of

__all__ = [
    "describe_body",
    "describe_channel",
    "describe_parameters",
    "describe_properties",
    "json_of_parameters",
    "json_of_properties",
    "json_value",
]

_SECRETS: Final = {"challenge", "new_secret", "response"}
_MOST_OF_BODY: Final = 60  # octets
_MOST_OF_VALUE: Final = 80  # characters
_MOST_LEVELS: Final = 64
_TOO_DEEP: Final = "<nested too deeply to show>"
_NUMBERS: Final = {WireType.SHORT, WireType.LONG, WireType.LONGLONG, WireType.OCTET}
_UNSAID: Final = {"reserved_1", "reserved_2", "class_id", "method_id"}  # if they are 0


# --- text ----------------------------------------------------------------------------------


def describe_channel(number: int) -> str:
    """Return the words in front of an item that was read on a channel; empty for channel 0."""
    return f"channel {number} " if number else ""


def describe_parameters(parameters: Parameters, *, secrets: bool) -> list[str]:
    """Return a method's parameters as words, without those that are False, "" or {}."""
    shown = []
    for (name, wire_type), value in zip(method_of(parameters).fields, parameters, strict=True):
        label = name.rstrip("_")
        if name in _SECRETS and not secrets:
            shown.append(f"{label}=<{len(value)} octets>")
        elif value or (wire_type in _NUMBERS and name not in _UNSAID):
            shown.append(f"{label}={_cut(_text(value))}")
    return shown


def describe_properties(encoded: bytes) -> str:
    """Return a message's properties as words; empty if it has none."""
    try:
        present = _present(encoded)
    except ProtocolError as error:
        return f"{{properties that cannot be decoded: {error}}}"
    words = [
        f"{name}={_cut(str(value) if name == 'timestamp' else value)}"
        for name, value in present.items()
    ]
    return f"{{{', '.join(words)}}}" if words else ""


def describe_body(body: bytes | bytearray) -> str:
    """Return a body's size, and its first octets."""
    end = "…" if len(body) > _MOST_OF_BODY else ""
    return f"body {len(body)}: {bytes(body[:_MOST_OF_BODY])!r}{end}"


def _present(encoded: bytes) -> dict[str, Any]:
    values = decode_properties(encoded)._asdict()
    return {name.rstrip("_"): value for name, value in values.items() if value is not None}


def _text(value: Any) -> Any:
    """Return octets as text if they are UTF-8."""
    try:
        return value.decode() if isinstance(value, bytes) else value
    except UnicodeDecodeError:
        return value


def _cut(value: object) -> str:
    shown = _TOO_DEEP if _is_deep(value) else repr(value)
    return shown if len(shown) <= _MOST_OF_VALUE else f"{shown[:_MOST_OF_VALUE]}…"


def _is_deep(value: object) -> bool:
    """Return whether tables and arrays are nested too deeply for Python and JSON."""
    level = [value]
    for _ in range(_MOST_LEVELS):
        level = [
            inner
            for each in level
            if isinstance(each, dict | list)
            for inner in (each.values() if isinstance(each, dict) else each)
        ]
    return bool(level)


# --- JSON ----------------------------------------------------------------------------------


def json_of_parameters(parameters: Parameters, *, secrets: bool) -> dict[str, Any]:
    """Return a method's parameters by name."""
    names = (name for name, _ in method_of(parameters).fields)
    return {
        name.rstrip("_"): (
            {"size": len(value)} if name in _SECRETS and not secrets else json_value(value)
        )
        for name, value in zip(names, parameters, strict=True)
    }


def json_of_properties(encoded: bytes) -> dict[str, Any]:
    """Return a message's properties under the key ``properties``, or why they cannot be read."""
    try:
        present = _present(encoded)
    except ProtocolError as error:
        return {"properties_error": str(error)}
    return {"properties": {name: json_value(value) for name, value in present.items()}}


def json_value(value: Any) -> Any:
    """Return a field's value as a type that JSON has."""
    return _TOO_DEEP if _is_deep(value) else _plain(value)


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        # JSON has no NaN and no infinities.
        return float(value) if value - value == 0 else str(value)
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"hex": value.hex()}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    isoformat = getattr(value, "isoformat", None)  # a datetime; else a Decimal
    return isoformat() if isoformat else str(value)
