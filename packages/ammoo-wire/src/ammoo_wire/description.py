"""What was read, as a line of text for people and as plain values for JSON.

A password is in ``connection.start-ok``, and a token in ``connection.update-secret``:
what may be secret is shown by its size alone, unless it is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from .codec import Parameters, method_of
from .command import OversizedContent
from .exceptions import ProtocolError
from .fields import WireType
from .frames.header import BasicHeaderProperties
from .reader import BrokenFrame, Frame, ProtocolHeader, ReadCommand

if TYPE_CHECKING:
    from .conversation import Said

__all__ = ["describe", "to_json"]

_SECRETS: Final = {"challenge", "new_secret", "response"}
_MOST_OF_BODY: Final = 60  # octets
_MOST_OF_VALUE: Final = 200  # characters

Item = ReadCommand | Frame | ProtocolHeader | BrokenFrame


# --- text ----------------------------------------------------------------------------------


def describe(item: "Item | Said", *, secrets: bool = False) -> str:
    """Return a line of text that says what was read.

    Args:
        item: What a reader or a `Conversation` returned.
        secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
    """
    if isinstance(item, ReadCommand):
        return _command(item, secrets)
    if isinstance(item, Frame):
        frame_type = "" if item.name == "heartbeat" else f" ({len(item.payload)} octets)"
        return f"{_channel(item.channel_number)}{item.name}{frame_type}"
    if isinstance(item, ProtocolHeader):
        return f"protocol header {'-'.join(map(str, item.version))}"
    if isinstance(item, BrokenFrame):
        return f"broken frame: {item.error} [{item.octets[:16].hex(' ')}]"
    answers = f" (answers {_numbers(item.answers)})" if item.answers else ""
    return f"#{item.number} {item.peer}: {describe(item.item, secrets=secrets)}{answers}"


def _channel(number: int) -> str:
    return f"channel {number} " if number else ""


def _numbers(numbers: Sequence[int]) -> str:
    shown = ", ".join(f"#{number}" for number in numbers[:5])
    return f"{shown} and {len(numbers) - 5} more" if len(numbers) > 5 else shown


def _command(command: ReadCommand, secrets: bool) -> str:
    parameters = command.parameters
    words = [f"{_channel(command.channel_number)}{command.name}"]
    if isinstance(parameters, OversizedContent):
        body = f"body of {parameters.body_size} octets, too large to keep"
        return " ".join([*words, *_parameters(parameters.parameters, secrets), body])
    words += _parameters(parameters, secrets)
    if command.body is not None:
        words += [_properties(command), f"body {len(command.body)}:"]
        body_octets = bytes(command.body[:_MOST_OF_BODY])
        words.append(repr(body_octets) + ("…" if len(command.body) > _MOST_OF_BODY else ""))
    return " ".join(filter(None, words))


def _parameters(parameters: Parameters, secrets: bool) -> list[str]:
    """Show a method's parameters by name, except those that say nothing."""
    shown = []
    for (name, wire_type), value in zip(method_of(parameters).fields, parameters, strict=True):
        if name in _SECRETS and not secrets:
            shown.append(f"{name}=<{len(value)} octets>")
        elif wire_type is WireType.LONGSTR:
            shown.append(f"{name}={_text(value)}")
        elif value or (wire_type in _COUNTS and name not in _RESERVED):
            shown.append(f"{name}={_cut(value)}")
    return shown


_COUNTS: Final = {WireType.SHORT, WireType.LONG, WireType.LONGLONG, WireType.OCTET}
_RESERVED: Final = {"reserved_1", "reserved_2", "class_id", "method_id"}


def _properties(command: ReadCommand) -> str:
    try:
        properties = command.properties
    except ProtocolError as error:
        return f"{{properties that cannot be decoded: {error}}}"
    present = [
        f"{name.rstrip('_')}={_cut(str(value) if name == 'timestamp' else value)}"
        for name, value in _present(properties).items()
    ]
    return f"{{{', '.join(present)}}}" if present else ""


def _present(properties: BasicHeaderProperties | None) -> dict[str, Any]:
    values = properties._asdict() if properties else {}
    return {name: value for name, value in values.items() if value is not None}


def _text(octets: bytes) -> str:
    try:
        return _cut(octets.decode())
    except UnicodeDecodeError:
        return _cut(octets)


def _cut(value: object) -> str:
    try:
        shown = repr(value)
    except RecursionError:
        shown = f"<a {type(value).__name__} nested too deeply to show>"
    return shown if len(shown) <= _MOST_OF_VALUE else f"{shown[:_MOST_OF_VALUE]}…"


# --- JSON ----------------------------------------------------------------------------------


def to_json(item: "Item | Said", *, secrets: bool = False) -> dict[str, Any]:
    """Return what was read as values that the module `json` writes.

    Octets are an object ``{"hex": "…"}``, unless they are UTF-8 text; timestamps are strings in
    the form of ISO 8601; decimals are strings.

    Args:
        item: What a reader or a `Conversation` returned.
        secrets: Whether to show passwords, tokens and other responses of SASL mechanisms.
    """
    if isinstance(item, ReadCommand):
        return _json_of_command(item, secrets)
    if isinstance(item, Frame):
        payload = {"size": len(item.payload)}
        return {"name": item.name, "channel": item.channel_number, "offset": item.offset} | payload
    if isinstance(item, ProtocolHeader):
        version = ".".join(map(str, item.version))
        return {"name": item.name, "channel": 0, "offset": item.offset, "version": version}
    if isinstance(item, BrokenFrame):
        return {
            "name": item.name,
            "channel": item.channel_number,
            "offset": item.offset,
            "error": str(item.error),
            "octets": {"hex": item.octets.hex()},
        }
    said = {"number": item.number, "peer": item.peer, "answers": list(item.answers)}
    return said | to_json(item.item, secrets=secrets)


def _json_of_command(command: ReadCommand, secrets: bool) -> dict[str, Any]:
    parameters = command.parameters
    made: dict[str, Any] = {
        "name": command.name,
        "channel": command.channel_number,
        "offset": command.offset,
    }
    if isinstance(parameters, OversizedContent):
        made["body_size"] = parameters.body_size
        parameters = parameters.parameters
    names = [name for name, _ in method_of(parameters).fields]
    made["parameters"] = {
        name.rstrip("_"): (
            {"size": len(value)} if name in _SECRETS and not secrets else _json_value(value)
        )
        for name, value in zip(names, parameters, strict=True)
    }
    if command.body is not None:
        try:
            present = _present(command.properties)
        except ProtocolError as error:
            made["properties_error"] = str(error)
        else:
            made["properties"] = {
                name.rstrip("_"): _json_value(value) for name, value in present.items()
            }
        made["body_size"] = len(command.body)
        made["body"] = _json_value(bytes(command.body))
    return made


def _json_value(value: Any) -> Any:
    try:
        return _plain(value)
    except RecursionError:
        return f"<a {type(value).__name__} nested too deeply to show>"


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
