"""Making new octets of old ones: by octets, and by frames where they are frames."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

__all__ = ["join_frames", "mutate", "mutate_frames", "split_frames"]

INTERESTING = (
    b"",
    b"\x00",
    b"\xff",
    b"\x7f",
    b"\x80",
    b"\xce",
    b"\xff" * 2,
    b"\xff" * 4,
    b"\x7f" + b"\xff" * 3,
    b"\x00\x01\x00\x00",
    b"\xff" * 8,
    b"AMQP",
    b"\x00\x3c\x00\x28",
    b"x-death",
    "\u00fc".encode(),
)
LONGEST = 100_000


def mutate(random: Random, parents: list[bytes]) -> bytes:
    """Change an input in one to four places."""
    octets = bytearray(random.choice(parents))
    for _ in range(random.choice((1, 1, 1, 2, 4))):
        random.choice(_CHANGES)(random, octets, parents)
    return bytes(octets[:LONGEST])


def _flip_bit(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    if octets:
        octets[random.randrange(len(octets))] ^= 1 << random.randrange(8)


def _set_octet(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    if octets:
        octets[random.randrange(len(octets))] = random.randrange(256)


def _overwrite(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    value, place = random.choice(INTERESTING), random.randint(0, len(octets))
    octets[place : place + len(value)] = value


def _insert(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    place = random.randint(0, len(octets))
    octets[place:place] = random.choice((random.choice(INTERESTING), random.randbytes(3)))


def _delete(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    place = random.randint(0, len(octets))
    del octets[place : place + random.choice((1, 1, 2, 4, 16))]


def _repeat(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    place = random.randint(0, len(octets))
    piece = octets[place : place + random.choice((1, 4, 16, 64))]
    octets[place:place] = piece * random.choice((1, 2, 8))


def _cut(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    del octets[random.randint(0, len(octets)) :]


def _splice(random: Random, octets: bytearray, parents: list[bytes]) -> None:
    other = random.choice(parents)
    octets[random.randint(0, len(octets)) :] = other[random.randint(0, len(other)) :]


_CHANGES: tuple[Callable[[Random, bytearray, list[bytes]], None], ...] = (
    _flip_bit,
    _set_octet,
    _overwrite,
    _insert,
    _delete,
    _repeat,
    _cut,
    _splice,
)


# --- frames -----------------------------------------------------------------------------------


def split_frames(octets: bytes) -> list[bytes]:
    """Cut octets into frames as far as they go; what is left over is the last piece."""
    frames: list[bytes] = []
    while len(octets) >= 8:
        end = 8 + int.from_bytes(octets[3:7], "big")
        if end > len(octets):
            break
        frames.append(octets[:end])
        octets = octets[end:]
    return [*frames, octets] if octets else frames


def join_frames(frames: list[bytes]) -> bytes:
    """Put frames together again."""
    return b"".join(frames)


def mutate_frames(random: Random, parents: list[bytes]) -> bytes:
    """Change the order, number or contents of frames; a payload that changes keeps its frame sound."""
    frames = split_frames(random.choice(parents))
    for _ in range(random.choice((1, 1, 2, 3))):
        place = random.randint(0, len(frames))
        choice = random.randrange(6)
        if choice == 0:
            del frames[place : place + random.choice((1, 2))]
        elif choice == 1:
            frames[place:place] = frames[place : place + 2] * random.choice((1, 2, 20))
        elif choice == 2:
            other = split_frames(random.choice(parents))
            frames[place:place] = random.sample(other, min(len(other), 3))
        elif choice == 3 and len(frames) > 1:
            random.shuffle(frames)
        elif choice == 4 and frames:
            place %= len(frames)
            frames[place] = _change_payload(random, frames[place])
        elif frames:
            place %= len(frames)
            frames[place] = _change_head(random, frames[place])
    return join_frames(frames)[:LONGEST]


def _change_payload(random: Random, frame: bytes) -> bytes:
    payload = mutate(random, [frame[7:-1]])
    return frame[:3] + len(payload).to_bytes(4, "big") + payload + b"\xce"


def _change_head(random: Random, frame: bytes) -> bytes:
    changed = bytearray(frame)
    if len(changed) >= 3:
        if random.random() < 0.3:
            changed[0] = random.choice((1, 2, 3, 8, 9))
        changed[1:3] = random.choice((0, 1, 1, 2, 3, 65535)).to_bytes(2, "big")
    return bytes(changed)
