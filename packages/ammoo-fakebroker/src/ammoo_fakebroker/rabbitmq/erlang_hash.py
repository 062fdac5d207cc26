"""Erlang's portable hash and one of its random number generators, for the consistent hash exchange.

RabbitMQ's consistent hash exchange hashes with `erlang:phash2/1`, and chooses a place on its ring with
the numbers of `rand` (exs1024). Both return the same numbers on each machine and in each release of
Erlang/OTP, so the fake routes a message to the same queue as RabbitMQ. Terms that no message contains
(maps and lists) are left out.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

__all__ = ["Atom", "Term", "phash2", "uniform_numbers"]

_MASK_32: Final = 0xFFFF_FFFF
_MASK_64: Final = 0xFFFF_FFFF_FFFF_FFFF
_GOLDEN: Final = 0x9E37_79B9
"""The golden ratio; its multiples distinguish the kinds of terms."""


class Atom(NamedTuple):
    """An atom of Erlang."""

    name: str


Term = int | float | bytes | Atom | tuple[Any, ...]
"""A term; the elements of a tuple are terms."""


def phash2(term: Term) -> int:
    """Return the portable hash of a term, below 2 ** 27."""
    return _hash(term, 0) & 0x7FF_FFFF


def _hash(term: Term, state: int) -> int:
    """Mix a term into the state of a hash."""
    if isinstance(term, Atom):
        value = _hash_of_name(term.name.encode())
        return value if state == 0 else _mix_in(value, 0, 3, state)
    if isinstance(term, tuple):
        state = _mix_in(len(term), 0, 9, state)
        for element in term:
            state = _hash(element, state)
        return state
    if isinstance(term, bytes):
        start = _times(13) + state & _MASK_32
        return _hash_of_octets(term, start) if term else start
    if isinstance(term, float):
        low, high = struct.unpack("<II", struct.pack("<d", term or 0.0))
        return _mix_in(high, low, 12, state)
    return _hash_of_integer(term, state)


def _hash_of_integer(number: int, state: int) -> int:
    if -(1 << 27) <= number < 1 << 27:
        if number < 0:
            state = _mix_in(-number, 0, 1, state)
        return _mix_in(number & _MASK_32, 0, 1, state)
    kind = 10 if number < 0 else 11
    rest = abs(number)
    while rest:
        state = _mix_in(rest & _MASK_32, rest >> 32 & _MASK_32, kind, state)
        rest >>= 64
    return state


def _hash_of_name(name: bytes) -> int:
    """Return the hash of an atom's name (hashpjw)."""
    value = 0
    for octet in name:
        value = (value << 4) + octet & _MASK_32
        high = value & 0xF000_0000
        value = (value ^ high >> 24) & ~high
    return value


def _hash_of_octets(octets: bytes, state: int) -> int:
    """Return the hash of a binary (Bob Jenkins, 1996)."""
    a = b = _GOLDEN
    c = state
    whole = len(octets) - len(octets) % 12
    for offset in range(0, whole, 12):
        first, second, third = struct.unpack_from("<III", octets, offset)
        a, b, c = _mix(a + first, b + second, c + third)
    # The lowest octet of the last word is left out: the length is in its place.
    rest = octets[whole:]
    rest = (rest[:8].ljust(8, b"\0") + b"\0" + rest[8:]).ljust(12, b"\0")
    first, second, third = struct.unpack("<III", rest)
    return _mix(a + first, b + second, c + len(octets) + third)[2]


def _times(factor: int) -> int:
    return factor * _GOLDEN & _MASK_32


def _mix_in(first: int, second: int, kind: int, state: int) -> int:
    return _mix(_times(kind) + first, _times(kind) + second, state)[2]


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    """Mix three numbers of 32 bits (Bob Jenkins, 1996)."""
    a = (a - b - c ^ (c & _MASK_32) >> 13) & _MASK_32
    b = (b - c - a ^ a << 8) & _MASK_32
    c = (c - a - b ^ b >> 13) & _MASK_32
    a = (a - b - c ^ c >> 12) & _MASK_32
    b = (b - c - a ^ a << 16) & _MASK_32
    c = (c - a - b ^ b >> 5) & _MASK_32
    a = (a - b - c ^ c >> 3) & _MASK_32
    b = (b - c - a ^ a << 10) & _MASK_32
    c = (c - a - b ^ b >> 15) & _MASK_32
    return a, b, c


# -- random numbers --------------------------------------------------------------------------------


def uniform_numbers(seed: int) -> Iterator[float]:
    """Yield the numbers of `rand:uniform_s(rand:seed_s(exs1024, {Seed, Seed, Seed}))`, from 0 to 1."""
    state = _first_states(seed)
    position = 0
    while True:
        following = (position + 1) % 16
        first, second = state[position], state[following]
        second ^= (second & (1 << 33) - 1) << 31
        second ^= second >> 11
        mixed = first ^ first >> 30 ^ second
        state[following] = mixed
        position = following
        yield (mixed * 1_181_783_497_276_652_981 & _MASK_64) / 2.0**64


def _first_states(seed: int) -> list[int]:
    """Return the 16 numbers that a generator begins with."""
    mask = (1 << 21) - 1
    low = (seed & mask) + 1
    parts = [low * factor & mask for factor in (2_097_131, 2_097_133, 2_097_143)]
    number = parts[0] << 43 | parts[1] << 22 | parts[2] << 1 | 1
    states = []
    for _ in range(16):
        number ^= number >> 12
        number ^= (number & (1 << 39) - 1) << 25
        number ^= number >> 27
        states.append(number * 2_685_821_657_736_338_717 & _MASK_64)
    states.reverse()
    return states
