"""``python -m ammoo_wire decode``: every form of capture, as text and as JSON."""

import gzip
import io
import itertools
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ammoo_wire import (
    BasicPublishParameters,
    ConnectionStartOkParameters,
    ConnectionStartParameters,
    ConnectionTuneParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    encode_command,
    encode_frame,
    encode_protocol_header,
)
from ammoo_wire.__main__ import main
from ammoo_wire.tools.recordings import Piece, write_piece
from tests.support.programs import running_program

HEADER = encode_protocol_header()
START = encode_command(0, ConnectionStartParameters(0, 9, {}, b"PLAIN", b"en_US"))
START_OK = encode_command(0, ConnectionStartOkParameters({}, "PLAIN", b"secret", "en_US"))
TUNE = encode_command(0, ConnectionTuneParameters(0, 4096, 0))
DECLARE = encode_command(1, QueueDeclareParameters("q"))
DECLARE_OK = encode_command(1, QueueDeclareOkParameters("q", 0, 0))
PUBLISH = encode_command(1, BasicPublishParameters("", "q"), None, b"hello")
CLIENT = HEADER + START_OK + DECLARE + PUBLISH
SERVER = START + TUNE + DECLARE_OK

CLIENT_TEXT = [
    "[1] #0 client: protocol header 0-9-1",
    "[1] #1 client: connection.start-ok mechanism='PLAIN' response=<6 octets> locale='en_US'",
    "[1] #2 client: channel 1 queue.declare queue_name='q'",
    "[1] #3 client: channel 1 basic.publish routing_key='q' body 5: b'hello'",
]


def decoded(
    capsys: pytest.CaptureFixture[str], path: Path, octets: bytes, *options: str
) -> list[str]:
    """Give the lines that the command prints of a file."""
    path.write_bytes(octets)
    assert 0 == main(["decode", str(path), *options])
    return capsys.readouterr().out.splitlines()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where to put a capture."""
    return tmp_path / "capture"


# --- octets ---


@pytest.mark.parametrize(
    "octets",
    [CLIENT, CLIENT.hex().encode(), CLIENT.hex(":").encode(), CLIENT.hex("\n", 16).encode()],
    ids=["raw", "hex", "colons", "lines"],
)
def test_one_direction_is_shown(
    capsys: pytest.CaptureFixture[str], path: Path, octets: bytes
) -> None:
    assert CLIENT_TEXT == decoded(capsys, path, octets)


def test_form_may_be_named(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    """These octets are digits, too."""
    (line,) = decoded(capsys, path, b"41" * 10, "--format", "raw")

    assert line.startswith("[1] #0 server: broken frame: FRAME_ERROR - a frame of type 52")


def test_what_begins_without_a_protocol_header_is_the_servers(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    assert [
        "[1] #0 server: channel 1 queue.declare-ok queue_name='q' message_count=0 consumer_count=0"
    ] == decoded(capsys, path, DECLARE_OK)


def test_two_files_are_both_directions_of_a_connection(
    capsys: pytest.CaptureFixture[str], path: Path, tmp_path: Path
) -> None:
    server = tmp_path / "server"
    server.write_bytes(SERVER)

    lines = decoded(capsys, path, CLIENT, str(server))

    assert [
        "#0 client: protocol header 0-9-1",
        "#1 server: connection.start version_",
        "#2 client: connection.start-ok mecha",
        "#3 server: connection.tune channel_m",
        "#4 client: channel 1 queue.declare q",
        "#5 server: channel 1 queue.declare-o",
        "#6 client: channel 1 basic.publish r",
    ] == [line.partition(" ")[2][:36] for line in lines]
    assert [
        "",
        "#0)",
        "#1)",
        "#2)",
        "",
        "#4)",
        "",
    ] == [line.partition(" (answers ")[2] for line in lines]


def test_standard_input_is_read() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "ammoo_wire", "decode", "-"],
        input=CLIENT,
        capture_output=True,
        check=True,
    )

    assert CLIENT_TEXT == run.stdout.decode().splitlines()


# --- what is shown ---


def test_json_is_an_object_a_line(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    lines = decoded(capsys, path, CLIENT, "--json")

    made = [json.loads(line) for line in lines]
    assert [
        (0, "protocol header"),
        (1, "connection.start-ok"),
        (2, "queue.declare"),
        (3, "basic.publish"),
    ] == [(each["number"], each["name"]) for each in made]
    assert "hello" == made[3]["body"]


def test_secrets_are_shown_if_asked(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    assert "response='secret'" in decoded(capsys, path, CLIENT, "--secrets")[1]


def test_large_bodies_are_shown_by_their_size(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    assert [
        "[1] #0 server: channel 1 basic.publish routing_key='q' body of 5 octets, too large to keep"
    ] == decoded(capsys, path, PUBLISH, "--max-body", "4")


def test_what_is_broken_is_shown_and_read_past(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    lines = decoded(capsys, path, encode_frame(9, 0, b"x") + DECLARE_OK)

    assert [
        "[1] #0 server: broken fr",
        "[1] #1 server: channel 1",
    ] == [line[:24] for line in lines]


# --- recordings ---


def recording(*pieces: Piece) -> bytes:
    file = io.StringIO()
    for piece in pieces:
        write_piece(file, piece)
    return file.getvalue().encode()


def test_recording_is_shown_with_times_and_connections(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    octets = recording(
        Piece(0.0004, 1, "client", DECLARE),
        Piece(0.1, 2, "client", DECLARE),
        Piece(0.2, 1, "server", DECLARE_OK),
        Piece(0.3, 1, "client", b""),
        Piece(0.3, 1, "client", b""),
        Piece(0.4, 1, "server", b""),
        Piece(None, 3, "client", HEADER),
    )

    assert [
        "[1] 0.000 #0 client: channel 1 queue.declare queue_name='q'",
        "[2] 0.100 #0 client: channel 1 queue.declare queue_name='q'",
        (
            "[1] 0.200 #1 server: channel 1 queue.declare-ok queue_name='q' message_count=0"
            " consumer_count=0 (answers #0)"
        ),
        "[1] the client stopped writing",
        "[1] the server stopped writing",
        "[3] #0 client: protocol header 0-9-1",
    ] == decoded(capsys, path, octets)


def test_notes_are_json_too(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    (line,) = decoded(capsys, path, recording(Piece(0, 1, "client", b"")), "--json")

    assert {"connection": 1, "note": "the client stopped writing"} == json.loads(line)


# --- packets ---

CLIENT_END, SERVER_END = (b"\x0a\x00\x00\x01", 40000), (b"\x0a\x00\x00\x02", 5672)
SYN, ACK, FIN = 0x02, 0x10, 0x01


def packet(
    sequence_number: int,
    octets: bytes,
    *,
    flags: int = ACK,
    from_server: bool = False,
    padding: bytes = b"",
) -> bytes:
    """Make a packet of IPv4 with its frame of Ethernet."""
    ends = (SERVER_END, CLIENT_END) if from_server else (CLIENT_END, SERVER_END)
    (source, source_port), (target, target_port) = ends
    tcp = struct.pack(
        ">HHIIBBHHH", source_port, target_port, sequence_number, 0, 0x50, flags, 65535, 0, 0
    )
    size = 20 + len(tcp) + len(octets)
    ip = struct.pack(">BBHHHBBH4s4s", 0x45, 0, size, 0, 0, 64, 6, 0, source, target)
    return bytes(12) + b"\x08\x00" + ip + tcp + octets + padding


def packet_of_ipv6(sequence_number: int, octets: bytes) -> bytes:
    """Make a packet of IPv6 with its frame of Ethernet, which is padded."""
    tcp = struct.pack(">HHIIBBHHH", 40000, 5672, sequence_number, 0, 0x50, ACK, 65535, 0, 0)
    ip = struct.pack(">IHBB", 6 << 28, len(tcp) + len(octets), 6, 64) + bytes(31) + b"\x01"
    return bytes(12) + b"\x86\xdd" + ip + tcp + octets + bytes(6)


def pcap(*packets: bytes) -> bytes:
    """Make a file of pcap."""
    head = struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 65535, 1)
    records = [
        struct.pack("<IIII", number, 0, len(each), len(each)) + each
        for number, each in enumerate(packets)
    ]
    return head + b"".join(records)


def pcapng(*packets: bytes) -> bytes:
    """Make a file of pcapng."""

    def block(kind: int, body: bytes) -> bytes:
        size = 12 + len(body)
        return struct.pack("<II", kind, size) + body + struct.pack("<I", size)

    blocks = [
        block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)),
        block(1, struct.pack("<HHI", 1, 0, 65535)),
    ]
    for number, each in enumerate(packets):
        head = struct.pack("<IIIII", 0, 0, number * 1_000_000, len(each), len(each))
        blocks.append(block(6, head + each + bytes(-len(each) % 4)))
    return b"".join(blocks)


SESSION = (
    packet(99, b"", flags=SYN),
    packet(499, b"", flags=SYN | ACK, from_server=True),
    packet(100, DECLARE[:10]),
    packet(110, DECLARE[10:]),
    packet(500, DECLARE_OK, from_server=True),
    packet(100 + len(DECLARE), b"", flags=FIN | ACK),
)
SESSION_TEXT = [
    "[1] 3.000 #0 client: channel 1 queue.declare queue_name='q'",
    (
        "[1] 4.000 #1 server: channel 1 queue.declare-ok queue_name='q' message_count=0"
        " consumer_count=0 (answers #0)"
    ),
    "[1] the client stopped writing",
]


@pytest.mark.parametrize(
    "capture",
    [pcap(*SESSION), pcapng(*SESSION), gzip.compress(pcap(*SESSION))],
    ids=["pcap", "pcapng", "gzip"],
)
def test_packets_are_put_together(
    capsys: pytest.CaptureFixture[str], path: Path, capture: bytes
) -> None:

    assert SESSION_TEXT == decoded(capsys, path, capture)


@pytest.mark.parametrize(
    "packets",
    [
        (packet(110, DECLARE[10:]), packet(100, DECLARE[:10])),
        (packet(100, DECLARE[:10]), packet(100, DECLARE[:10]), packet(110, DECLARE[10:])),
        (packet(100, DECLARE[:10]), packet(105, DECLARE[5:])),
        (packet(100, DECLARE[:10]), packet(100, DECLARE)),
        (packet(100, DECLARE[:10], padding=b"\0" * 6), packet(110, DECLARE[10:])),
    ],
    ids=["out of order", "sent twice", "overlapping", "sent again with more", "padded"],
)
def test_segments_are_taken_once_and_in_order(
    capsys: pytest.CaptureFixture[str], path: Path, packets: tuple[bytes, ...]
) -> None:

    lines = decoded(capsys, path, pcap(packet(99, b"", flags=SYN), *packets))

    assert ["#0 client: channel 1 queue.declare queue_name='q'"] == [
        line.partition(" ")[2].partition(" ")[2] for line in lines
    ]


def test_packets_of_ipv6_are_read_and_those_without_tcp_are_left_out(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)

    lines = decoded(
        capsys,
        path,
        pcap(arp, packet_of_ipv6(5, DECLARE[:9]), packet_of_ipv6(14, DECLARE[9:])),
    )

    assert ["[1] 1.000 #0 client: channel 1 queue.declare queue_name='q'"] == lines


def test_sequence_numbers_begin_again_at_0(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    packets = packet((1 << 32) - 5, DECLARE[:10]), packet(5, DECLARE[10:])

    lines = decoded(capsys, path, pcap(packet((1 << 32) - 6, b"", flags=SYN), *packets))

    assert 1 == len(lines)


def packets_in_a_row(position: int, contents: list[bytes]) -> list[bytes]:
    """Return packets without a gap between them, the first at a position of the stream."""
    positions = itertools.accumulate(map(len, contents), initial=position)
    return [packet(start, octets) for start, octets in zip(positions, contents, strict=False)]


def test_gap_that_is_not_closed_is_skipped(capsys: pytest.CaptureFixture[str], path: Path) -> None:
    body = b"x" * 30_000
    first = encode_command(1, BasicPublishParameters("", "q"), None, body)
    packets = [packet(100, DECLARE), packet(10_000, first[5:])]
    later = [
        encode_command(1, BasicPublishParameters("", str(number)), None, body)
        for number in range(40)
    ]
    packets += packets_in_a_row(10_000 + len(first) - 5, later)

    lines = decoded(capsys, path, pcap(*packets))

    assert "queue.declare" in lines[0]
    assert {"broken frame"} == {line.partition("client: ")[2][:12] for line in lines[1:4]}
    assert "routing_key='0'" in lines[4]
    assert "routing_key='39'" in lines[-1]


def test_other_ports_are_left_out_unless_they_are_named(
    capsys: pytest.CaptureFixture[str], path: Path
) -> None:

    assert [] == decoded(capsys, path, pcap(*SESSION), "--port", "1", "--port", "2")
    assert SESSION_TEXT == decoded(capsys, path, pcap(*SESSION), "--port", "5672")


def test_packets_without_scapy_name_the_extra(
    capsys: pytest.CaptureFixture[str], path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scapy.layers.l2", None)
    path.write_bytes(pcap(*SESSION))

    assert 1 == main(["decode", str(path)])

    assert (
        "python -m ammoo_wire decode: reading pcap and pcapng takes scapy:"
        " pip install 'ammoo-wire[pcap]'\n"
    ) == (capsys.readouterr().err)


# --- errors ---


@pytest.mark.parametrize(
    ("octets", "options", "text"),
    [
        (b"414", ["--format", "hex"], "the number of hexadecimal digits is odd"),
        (b'{"time": 1}\n', [], "line 1 is not one of a recording: KeyError('peer')"),
        (
            b'{"time": 0, "connection": 1, "peer": "me", "octets": ""}\n',
            [],
            "line 1: peer is 'me'; expected 'client' or 'server'",
        ),
        (b"", ["a", "b"], "there are 3 files; expected one or two"),
    ],
)
def test_file_that_is_not_what_it_seems_is_an_error(
    capsys: pytest.CaptureFixture[str], path: Path, octets: bytes, options: list[str], text: str
) -> None:
    path.write_bytes(octets)

    assert 1 == main(["decode", str(path), *options])
    assert f"python -m ammoo_wire decode: {text}\n" == capsys.readouterr().err


def test_missing_file_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["decode", "no-such-file"])
    assert "No such file or directory: 'no-such-file'" in capsys.readouterr().err


def test_reader_of_the_output_may_leave(path: Path) -> None:
    path.write_bytes(DECLARE_OK * 20_000)
    with running_program(
        *(sys.executable, "-m", "ammoo_wire", "decode", path),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.readline()
        process.stdout.close()

        assert "" == process.stderr.read()
        assert 1 == process.wait()
