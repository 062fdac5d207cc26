"""Reading captures in several formats: raw octets, hexadecimal, recordings, packets."""

import re
import string
from collections.abc import Collection, Iterator
from io import BufferedReader
from typing import Final, Literal, get_args

from ..constants import PROTOCOL_HEADER
from ..onlookers.conversation import Conversation, Peer, expected_replies
from ..onlookers.reader import FrameReader
from .packets import PCAP_MAGICS, read_packets
from .recordings import Piece, read_recording

__all__ = ["FORMATS", "Format", "read_capture", "read_two_directions"]

Format = Literal["raw", "hex", "recording", "pcap"]
FORMATS: Final[tuple[Format, ...]] = get_args(Format)
_PIECE: Final = 65536  # octets that are read at once
_HEX: Final = re.compile(rb"[0-9a-fA-F\s:]{2,}\Z")
_MAGIC: Final = PROTOCOL_HEADER[:4]


def read_capture(
    file: BufferedReader, *, format: Format | None = None, ports: Collection[int] = (5672,)
) -> Iterator[Piece]:
    """Read a capture.

    Raw octets and hexadecimal have one direction of one connection: the client's if they begin with a
    protocol header, and otherwise the server's.

    Args:
        file: The capture.
        format: Its format; None to recognise it by its first octets.
        ports: The ports on which a server listens, for a capture of packets.

    Raises:
        ValueError: The file does not have that format.
        ModuleNotFoundError: scapy is needed, and is not installed.
    """
    match format or _format_of(file.peek()):
        case "pcap":
            yield from read_packets(file, ports=ports)
        case "recording":
            yield from read_recording(line.decode() for line in file)
        case "hex":
            yield from _pieces(_hex(file))
        case _:
            yield from _pieces(iter(lambda: file.read1(_PIECE), b""))


def _format_of(begin: bytes) -> Format:
    if begin.startswith((*PCAP_MAGICS, b"\x1f\x8b")):
        return "pcap"
    if begin.startswith(b'{"'):
        return "recording"
    return "hex" if _HEX.match(begin) else "raw"


def _hex(file: BufferedReader) -> Iterator[bytes]:
    """Read digits in pairs; ignore white space and colons between them."""
    odd = b""
    while text := file.read(_PIECE):
        digits = odd + text.translate(None, delete=string.whitespace.encode() + b":")
        even = len(digits) & ~1
        odd = digits[even:]
        yield bytes.fromhex(digits[:even].decode("ascii", "replace"))
    if odd:
        raise ValueError("the number of hexadecimal digits is odd")


def _pieces(octets: Iterator[bytes]) -> Iterator[Piece]:
    peer: Peer | None = None
    for piece in octets:
        peer = peer or ("client" if piece.startswith(_MAGIC) else "server")
        yield Piece(None, 1, peer, piece)


def read_two_directions(client: BufferedReader, server: BufferedReader) -> Iterator[Piece]:
    """Read both directions of a connection, each from a separate file (raw or hexadecimal).

    The files have no times. Therefore the client's octets are read up to a request that needs an
    answer, and then the server's up to the answer.

    Args:
        client: The file with the client's octets.
        server: The file with the server's octets.
    """
    conversation = Conversation(skip_broken=True)
    frames: dict[Peer, Iterator[bytes]] = {"client": _frames(client), "server": _frames(server)}
    peer: Peer = "client"
    awaited: set[int] = set()
    while frames:
        octets = next(frames[peer], None) if peer in frames else None
        if octets is None:
            frames.pop(peer, None)
            peer = "server" if peer == "client" else "client"
            continue
        yield Piece(None, 1, peer, octets)
        for said in conversation.receive_data(peer, octets):
            awaited -= set(said.answers)
            if said.peer == "client" and expected_replies(said.item):
                awaited.add(said.number)
        peer = "server" if awaited and "server" in frames else "client"


def _frames(file: BufferedReader) -> Iterator[bytes]:
    reader = FrameReader(frame_max=0, skip_broken=True)
    for piece in read_capture(file):
        yield from map(bytes, reader.receive_data(piece.octets))
