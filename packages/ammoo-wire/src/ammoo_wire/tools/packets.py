"""Connections from a capture of packets (pcap, pcapng), assembled from their segments.

scapy, which the extra ``pcap`` installs, reads the files and parses packets. This module assembles the
streams: it orders segments by their sequence numbers, drops repeated octets, and skips a gap that is
not closed within a limit.
"""

from collections.abc import Collection, Iterator
from importlib import import_module
from typing import Any, BinaryIO, Final, NamedTuple

from ..onlookers.conversation import Peer
from .recordings import Piece

__all__ = ["PCAP_MAGICS", "read_packets"]

PCAP_MAGICS: Final = (
    b"\xa1\xb2\xc3\xd4",
    b"\xd4\xc3\xb2\xa1",
    b"\xa1\xb2\x3c\x4d",
    b"\x4d\x3c\xb2\xa1",
    b"\x0a\x0d\x0d\x0a",
)
"""The first four octets of a capture: pcap in either byte order, and pcapng."""

_MOST_WAITING: Final = 1 << 20  # octets behind a gap
_SEQUENCE_NUMBERS: Final = 1 << 32
_FIN, _SYN, _RST = 0x01, 0x02, 0x04

Endpoint = tuple[str, int]


class _Segment(NamedTuple):
    """A segment of a TCP connection."""

    time: float
    source: Endpoint
    target: Endpoint
    sequence_number: int
    flags: int
    octets: bytes


class _Stream:
    """One direction of a connection."""

    def __init__(self) -> None:
        self._next: int | None = None
        self._waiting: dict[int, bytes] = {}

    def add(self, segment: _Segment) -> bytes:
        """Take a segment; return the octets that are now in order."""
        sequence_number, octets = segment.sequence_number, segment.octets
        if segment.flags & _SYN:
            self._next = (sequence_number + 1) % _SEQUENCE_NUMBERS
            self._waiting.clear()
            return b""
        if self._next is None:  # the capture began after the connection did
            self._next = sequence_number
        if octets and len(octets) > len(self._waiting.get(sequence_number, b"")):
            self._waiting[sequence_number] = octets
        found = self._in_order()
        if not found and sum(map(len, self._waiting.values())) > _MOST_WAITING:
            self._next = min(self._waiting, key=self._distance)
            found = self._in_order()
        return found

    def _in_order(self) -> bytes:
        assert self._next is not None
        found = bytearray()
        for sequence_number in sorted(self._waiting, key=self._distance):
            distance = self._distance(sequence_number)
            if distance > 0:
                break
            octets = self._waiting.pop(sequence_number)[-distance:]
            found += octets
            self._next = (self._next + len(octets)) % _SEQUENCE_NUMBERS
        return bytes(found)

    def _distance(self, sequence_number: int) -> int:
        """Return how far a sequence number is ahead of the next one; they wrap around to 0."""
        assert self._next is not None
        half = _SEQUENCE_NUMBERS // 2
        return (sequence_number - self._next + half) % _SEQUENCE_NUMBERS - half


class _Connection:
    """A connection: its number, the client's endpoint, and both streams."""

    def __init__(self, number: int, client: Endpoint) -> None:
        self.number = number
        self.client = client
        self.streams: dict[Peer, _Stream] = {"client": _Stream(), "server": _Stream()}


def read_packets(file: BinaryIO, *, ports: Collection[int]) -> Iterator[Piece]:
    """Read the connections to a server's ports from a capture.

    Args:
        file: A file of pcap or pcapng, compressed by gzip or not.
        ports: The ports on which a server listens.

    Raises:
        ModuleNotFoundError: scapy is not installed.
    """
    connections: dict[frozenset[Endpoint], _Connection] = {}
    count, began = 0, None
    for segment in _segments(file):
        if segment.target[1] not in ports and segment.source[1] not in ports:
            continue
        began = segment.time if began is None else began
        ends = frozenset((segment.source, segment.target))
        connection = connections.get(ends)
        if connection is None or segment.flags & (_SYN | 0x10) == _SYN:  # 0x10: an answer to one
            count += 1
            is_from_client = segment.target[1] in ports
            client = segment.source if is_from_client else segment.target
            connection = connections[ends] = _Connection(count, client)
        peer: Peer = "client" if segment.source == connection.client else "server"
        time = segment.time - began
        octets = connection.streams[peer].add(segment)
        if octets:
            yield Piece(time, connection.number, peer, octets)
        if segment.flags & (_FIN | _RST):
            yield Piece(time, connection.number, peer, b"")


def _segments(file: BinaryIO) -> Iterator[_Segment]:
    scapy = _import_scapy()
    packet: Any
    for packet in scapy.utils.PcapReader(file):
        tcp = packet.getlayer("TCP")
        if tcp is None:
            continue
        ip = tcp.underlayer
        # Short packets are padded; the IP header has the size. It is 0 for large packets that the
        # network card splits.
        size = ip.plen if ip.name == "IPv6" else ip.len - 4 * ip.ihl
        size -= 4 * tcp.dataofs
        octets = bytes(tcp.payload)[: size if size >= 0 else None]
        yield _Segment(
            float(packet.time),
            (ip.src, tcp.sport),
            (ip.dst, tcp.dport),
            tcp.seq,
            int(tcp.flags),
            octets,
        )


def _import_scapy() -> Any:
    try:
        for name in ("layers.l2", "layers.inet", "layers.inet6"):
            import_module(f"scapy.{name}")  # scapy parses only layers that have been imported
        import_module("scapy.utils")
        return import_module("scapy")
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "reading pcap and pcapng takes scapy: pip install 'ammoo-wire[pcap]'"
        ) from error
