"""A second codec for methods: it walks over the declared fields, where the real one is compiled.

It is slow and plain, so that it is right; where the two differ, the compiled one is wrong. It
knows the declarations and the codec of field tables, which has oracles of its own.
"""

from typing import Any

from ammoo_wire import Method, Parameters, decode_table, encode_table
from ammoo_wire.fields import WireType

_SIZES = {WireType.OCTET: 1, WireType.SHORT: 2, WireType.LONG: 4, WireType.LONGLONG: 8}
_LENGTHS = {WireType.SHORTSTR: 1, WireType.LONGSTR: 4}


def encode(method: Method, parameters: Parameters) -> bytes:
    """Write a method's payload, field after field."""
    octets = method.class_id.to_bytes(2) + method.method_id.to_bytes(2)
    octets += bytes(2) if method.reserved_short else b""
    bits = 0  # how many of the last octet are taken
    for (_, wire_type), value in zip(method.fields, parameters, strict=True):
        if wire_type is WireType.BIT:
            octets = octets + b"\x00" if bits % 8 == 0 else octets
            octets = octets[:-1] + bytes((octets[-1] | bool(value) << bits % 8,))
        elif wire_type is WireType.TABLE:
            octets += encode_table(value)
        elif wire_type in _LENGTHS:
            data = value.encode() if isinstance(value, str) else bytes(value)
            octets += len(data).to_bytes(_LENGTHS[wire_type]) + data
        else:
            octets += int(value).to_bytes(_SIZES[wire_type])
        bits = bits + 1 if wire_type is WireType.BIT else 0
    return octets


def decode(method: Method, octets: bytes) -> Parameters:
    """Read a method's payload, field after field."""
    position, bits, values = 6 if method.reserved_short else 4, 0, list[Any]()
    for _, wire_type in method.fields:
        if wire_type is WireType.BIT:
            position = position + 1 if bits % 8 == 0 else position
            values.append(bool(octets[position - 1] >> bits % 8 & 1))
            bits += 1
            continue
        bits = 0
        size = _SIZES.get(wire_type) or _LENGTHS.get(wire_type, 4)
        number = int.from_bytes(octets[position : position + size])
        data = octets[position + size : position + size + number]
        if wire_type is WireType.TABLE:
            values.append(decode_table(octets[position : position + 4] + data))
        elif wire_type in _LENGTHS:
            values.append(data if wire_type is WireType.LONGSTR else data.decode())
        else:
            values.append(number)
        position += size if wire_type in _SIZES else size + number
    assert position == len(octets)
    return tuple.__new__(method.parameters, values)
