"""Reading a capture: what a tool does with a million frames, by the readers of ammoo_wire and others'.

    hatch run bench:capture

The capture is of a client that publishes with confirms and consumes what it published: both
directions, bodies of 100 octets, four properties and two headers, bursts of 50. Every reader goes
through it in a process of its own, in pieces of 64 KiB; they take turns, and the best round counts.
Frames a second are of CPU time; memory is what the process needed at most above what it needed
after importing. pamqp decodes methods and properties of each frame and leaves contents in pieces;
py-amqp puts contents together, as ammoo_wire's CommandReader does.
"""

import argparse
import importlib.metadata
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import ammoo_wire as wire
from benchmarks import readme, results
from benchmarks.calibration import Calibration
from benchmarks.replay import BODY, CONSUMER_TAG, EXCHANGE, RICH, ROUTING_KEY

__all__ = ["main", "write_capture"]

BURST: Final = 50
PIECE: Final = 65536
GOAL: Final = 5.0
"""How many times as many frames a second as pamqp we want to read."""
FRAMES: Final = {"client": 4 * BURST, "server": 3 * BURST + 1}
"""In a burst, by direction: contents and their acks, contents and one confirm of all."""
DOCUMENT: Final = readme.ROOT / "packages/ammoo-wire/README.md"


def write_capture(folder: Path, bursts: int) -> int:
    """Write both directions, a file each; return how many frames they have."""
    properties = wire.encode_properties(RICH)
    with open(folder / "client", "wb") as client, open(folder / "server", "wb") as server:
        tag = 0
        for _ in range(bursts):
            tags = range(tag + 1, tag + BURST + 1)
            publish = wire.BasicPublishParameters(EXCHANGE, ROUTING_KEY)
            client.write(wire.encode_command(1, publish, properties, BODY) * BURST)
            for each in tags:
                deliver = wire.BasicDeliverParameters(
                    CONSUMER_TAG, each, False, EXCHANGE, ROUTING_KEY
                )
                server.write(wire.encode_command(1, deliver, properties, BODY))
                client.write(wire.encode_command(1, wire.BasicAckParameters(each)))
            tag = tags[-1]
            server.write(wire.encode_command(1, wire.BasicAckParameters(tag, True)))
    return bursts * sum(FRAMES.values())


def pieces(path: Path) -> Iterator[bytes]:
    """Read a file in pieces."""
    with open(path, "rb") as file:
        while octets := file.read(PIECE):
            yield octets


# --- readers: each returns how many frames or commands it saw ----------------------------------


def frames(folder: Path) -> int:
    """Read frames."""
    return sum(
        len(reader.receive_data(piece))
        for name in FRAMES
        for reader in [wire.FrameReader()]
        for piece in pieces(folder / name)
    )


def commands(folder: Path) -> int:
    """Read commands, their parameters decoded and their contents put together."""
    return sum(
        len(reader.receive_data(piece))
        for name in FRAMES
        for reader in [wire.CommandReader()]
        for piece in pieces(folder / name)
    )


def everything(folder: Path) -> int:
    """Read commands, and the properties of each."""
    count = 0
    for name in FRAMES:
        reader = wire.CommandReader()
        for piece in pieces(folder / name):
            for command in reader.receive_data(piece):
                count += 1
                if isinstance(command, wire.ReadCommand):
                    _ = command.properties
    return count


def conversation(folder: Path) -> int:
    """Read both directions, and find what answers what."""
    conversation = wire.Conversation()
    count = 0
    both: list[tuple[wire.Peer, Iterator[bytes]]] = [
        ("client", pieces(folder / "client")),
        ("server", pieces(folder / "server")),
    ]
    while both:
        for each in list(both):
            peer, octets = each
            piece = next(octets, None)
            if piece is None:
                both.remove(each)
            else:
                count += len(conversation.receive_data(peer, piece))
    return count


def pamqp(folder: Path) -> int:
    """Read frames with pamqp, cut for it by the sizes in their heads."""
    unmarshal = import_module("pamqp.frame").unmarshal
    count = 0
    for name in FRAMES:
        rest = b""
        for piece in pieces(folder / name):
            octets, start = rest + piece, 0
            while start + 7 < len(octets):
                end = start + int.from_bytes(octets[start + 3 : start + 7]) + 8
                if end > len(octets):
                    break
                unmarshal(octets[start:end])
                start, count = end, count + 1
            rest = octets[start:]
    return count


def py_amqp(folder: Path) -> int:
    """Read commands with py-amqp, parameters and properties decoded."""
    framing = import_module("amqp.method_framing")
    loads = import_module("amqp.serialization").loads
    transport_type: Any = import_module("amqp.transport")._AbstractTransport
    formats = {(60, 40): ("Bssbb", True), (60, 60): ("sLbss", True), (60, 80): ("Lb", False)}
    content_methods = framing._CONTENT_METHODS | {(60, 40)}  # a client receives no basic.publish
    count = 0

    class Connection:
        frame_max = 131072
        bytes_sent = bytes_recv = 0

    class Transport(transport_type):  # type: ignore[misc]  # untyped
        """Reads from a file."""

        def __init__(self, path: Path) -> None:
            self.connected = False  # there is no socket to close
            self._file = open(path, "rb", buffering=PIECE)  # noqa: SIM115  closed by its reader
            self.close_file = self._file.close

        def _read(self, size: int, initial: bool = False) -> bytes:
            octets = self._file.read(size)
            if len(octets) < size:
                raise EOFError
            return octets

    def on_method(channel: int, method: Any, arguments: bytes, content: Any) -> None:
        nonlocal count
        count += 1
        format_, has_content = formats[method]
        loads(format_, arguments, 4)
        if has_content:
            _ = content.properties

    for name in FRAMES:
        transport = Transport(folder / name)
        on_frame = framing.frame_handler(Connection(), on_method, content_methods=content_methods)
        try:
            while True:
                on_frame(transport.read_frame())
        except EOFError:
            transport.close_file()
    return count


READERS: Final[dict[str, tuple[str, Callable[[Path], int]]]] = {
    "frames": ("ammoo_wire FrameReader", frames),
    "commands": ("ammoo_wire CommandReader", commands),
    "everything": ("the same, all properties read", everything),
    "conversation": ("ammoo_wire Conversation", conversation),
    "pamqp": ("pamqp, frames decoded", pamqp),
    "py-amqp": ("py-amqp, all properties read", py_amqp),
}
OURS: Final = ("frames", "commands", "everything")
"""Those that the goal is for."""


# --- measuring ---------------------------------------------------------------------------------


def peak() -> int:
    """Tell how much memory this process has needed at most, in KiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def measure_here(reader: str, folder: Path, tiny: Path) -> dict[str, float]:
    """Read a capture in this process, once it has read a tiny one; return seconds and KiB."""
    _, run = READERS[reader]
    run(tiny)
    before = peak()
    start = time.process_time()
    run(folder)
    return {"seconds": time.process_time() - start, "memory": peak() - before}


def measure(reader: str, folder: Path, tiny: Path) -> dict[str, float]:
    """Read a capture in a process of its own."""
    command = [
        sys.executable,
        "-m",
        "benchmarks.capture",
        "--worker",
        reader,
        str(folder),
        str(tiny),
    ]
    run = subprocess.run(command, check=True, capture_output=True, cwd=readme.ROOT)
    figures: dict[str, float] = json.loads(run.stdout)
    return figures


def table(best: dict[str, dict[str, float]], count: int) -> list[str]:
    """Write frames a second and memory, and how far the goal is reached."""
    theirs = best["pamqp"]["seconds"]
    rows = []
    for reader, figures in best.items():
        times = theirs / figures["seconds"]
        rows.append(
            [
                READERS[reader][0],
                f"{count / figures['seconds']:,.0f}",
                f"{figures['memory']:,.0f}",
                f"{times:.1f}",
                ("met" if times >= GOAL else "missed") if reader in OURS else "",
            ]
        )
    head = [f"{count:,} frames", "frames/s", "memory, KiB", "x pamqp", f"goal: {GOAL:g}"]
    return results.table(head, rows, ends_in_words=True)


def version(distribution: str) -> str | None:
    """Tell which version of another codec is here, if it is."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:capture", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--frames", type=int, default=1_000_000, help="at least, in the capture")
    parser.add_argument("--readme", action="store_true", help="write into ammoo-wire's README")
    parser.add_argument("--worker", nargs=3, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    calibration = Calibration()
    if options.worker:
        reader, folder, tiny = options.worker
        print(json.dumps(measure_here(reader, Path(folder), Path(tiny))))
        return
    versions = {"pamqp": version("pamqp"), "py-amqp": version("amqp")}
    readers = [name for name in READERS if versions.get(name, "ours")]
    best: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        whole, tiny = Path(folder) / "whole", Path(folder) / "tiny"
        whole.mkdir()
        tiny.mkdir()
        write_capture(tiny, 2)
        count = write_capture(whole, -(-options.frames // sum(FRAMES.values())))
        for _ in calibration.rounds(options.rounds):
            for reader in readers:
                figures = measure(reader, whole, tiny)
                known = best.setdefault(reader, figures)
                best[reader] = {name: min(known[name], figures[name]) for name in known}
    about = {name: value or "left out: it is not installed" for name, value in versions.items()}
    about["rounds"] = str(options.rounds)
    about["calibration"] = str(calibration)
    lines = [*table(best, count), "", readme.provenance("capture", arguments, about)]
    print("\n".join(lines))
    if options.readme:
        readme.write_section("capture", lines, calibration, DOCUMENT)


if __name__ == "__main__":
    main()
