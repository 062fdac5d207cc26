"""The codec of ammoo_wire beside pamqp's and py-amqp's, without a network and without a client.

    hatch run bench:codec

Nanoseconds a message, the minimum over rounds that take turns; in brackets how many times
ammoo_wire's. Encoding begins with the values and ends with octets ready to be written; decoding
begins with octets as they were read and ends with a method, properties and body. As programs
publish to few exchanges and keys again and again, ammoo_wire is used as our client uses it, which
writes the method out once for each; the row with another key each time is without that.
"""

import argparse
import importlib.metadata
import json
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from benchmarks import readme, replay, results
from benchmarks.calibration import Calibration
from benchmarks.replay import BODY, EXCHANGE, MESSAGES, PLAIN, RICH, ROUTING_KEY, Case

__all__ = ["main"]

OPERATIONS: Final = {
    "encode basic.publish, no properties": 12.0,
    "encode basic.publish, 4 properties, 2 headers": 5.0,
    "encode basic.publish, another key each": None,
    "encode basic.ack": 20.0,
    "decode basic.deliver": 5.0,
    "decode basic.deliver, 4 properties, 2 headers, all read": None,
}
"""What is measured, and how many times faster than pamqp we want to be at it."""
CODECS: Final = ("ammoo_wire", "pamqp", "py-amqp")

Run = Callable[[], None]


def ammoo_wire_runs() -> list[Run]:
    """Make the runs of our own codec; the same as `replay`'s."""
    return [
        replay.publish(None),
        replay.publish(RICH),
        replay.publish(None, keys=MESSAGES),
        replay.acknowledge,
        replay.receive(replay.deliveries(PLAIN)),
        replay.receive(replay.deliveries(RICH), decode=True),
    ]


def pamqp_runs() -> list[Run]:
    """Make the runs of pamqp, which decodes properties whether they are read or not."""
    return [case.run for case in replay.pamqp_cases()]  # type: ignore[misc]  # these give nothing


def py_amqp_runs() -> list[Run]:
    """Make the runs of py-amqp: its frame writer and frame handler, on a transport in memory."""
    try:
        message_type = import_module("amqp.basic_message").Message
    except ImportError:
        return []
    framing, spec = import_module("amqp.method_framing"), import_module("amqp.spec")
    serialization = import_module("amqp.serialization")
    dumps, loads = serialization.dumps, serialization.loads
    transport_type: Any = import_module("amqp.transport")._AbstractTransport
    written: list[bytes] = []

    class Connection:
        frame_max = 131072
        bytes_sent = bytes_recv = 0

    class Transport(transport_type):  # type: ignore[misc]  # untyped
        """Reads from memory, writes there."""

        def __init__(self, octets: bytes = b"") -> None:
            self.connected = False  # there is no socket to close
            self._octets = memoryview(octets)
            self._position = 0

        def write(self, octets: memoryview) -> None:
            written.append(bytes(octets))

        def _read(self, count: int, initial: bool = False) -> bytes:
            self._position += count
            return bytes(self._octets[self._position - count : self._position])

    write_frame = framing.frame_writer(Connection(), Transport())
    rich = {
        "content_type": RICH.content_type,
        "delivery_mode": RICH.delivery_mode,
        "correlation_id": RICH.correlation_id,
        "message_id": RICH.message_id,
        "application_headers": RICH.headers,
    }

    def publish(properties: dict[str, Any], *, keys: int = 1) -> Run:
        used = [f"{ROUTING_KEY}{number}" for number in range(keys)] * (MESSAGES // keys)

        def run() -> None:
            written.clear()
            for key in used:
                arguments = dumps("Bssbb", (0, EXCHANGE, key, False, False))
                message = message_type(BODY, **properties)
                write_frame(1, 1, spec.Basic.Publish, arguments, message)

        return run

    def ack() -> None:
        written.clear()
        for number in range(MESSAGES):
            write_frame(1, 1, spec.Basic.Ack, dumps("Lb", (number, False)), None)

    def receive(reads: list[bytes]) -> Run:
        octets = b"".join(reads)

        def on_method(channel: int, method: Any, arguments: bytes, content: Any) -> None:
            loads("sLbss", arguments, 4)
            _ = content.properties

        def run() -> None:
            transport = Transport(octets)
            on_frame = framing.frame_handler(Connection(), on_method)
            for _ in range(3 * MESSAGES):
                on_frame(transport.read_frame())

        return run

    return [
        publish({}),
        publish(rich),
        publish({}, keys=MESSAGES),
        ack,
        receive(replay.deliveries(PLAIN)),
        receive(replay.deliveries(RICH)),
    ]


def cases() -> list[Case]:
    """Make the cases of all codecs that are installed."""
    made = []
    for codec, runs in zip(CODECS, (ammoo_wire_runs(), pamqp_runs(), py_amqp_runs()), strict=True):
        made += [
            Case(f"{codec}: {operation}", None, run)
            for operation, run in zip(OPERATIONS, runs, strict=False)
        ]
    return made


def table(best: dict[str, float]) -> list[str]:
    """Write the nanoseconds of all codecs, and how far the goals are reached."""
    rows = []
    for operation, goal in OPERATIONS.items():
        ours = best[f"ammoo_wire: {operation}"]
        cells = [operation, f"{ours:.0f}"]
        for codec in CODECS[1:]:
            theirs = best.get(f"{codec}: {operation}")
            cells.append("-" if theirs is None else f"{theirs:.0f} ({theirs / ours:.1f}x)")
        pamqp = best.get(f"pamqp: {operation}")
        if goal is None or pamqp is None:
            cells += ["", ""]
        else:
            cells += [f"1/{goal:g}", "met" if pamqp / ours >= goal else "missed"]
        rows.append(cells)
    return results.table(["ns a message", *CODECS, "goal, of pamqp", ""], rows, ends_in_words=True)


def version(distribution: str) -> str:
    """Tell which version of another codec is here."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "left out: it is not installed"


def main(arguments: list[str] | None = None) -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:codec", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the nanoseconds there")
    parser.add_argument("--readme", action="store_true", help="write the table into benchmarks/")
    options = parser.parse_args(arguments)
    calibration = Calibration()
    best = replay.measure(cases(), options.rounds, calibration)
    about = {"pamqp": version("pamqp"), "py-amqp": version("amqp"), "rounds": str(options.rounds)}
    about["calibration"] = str(calibration)
    lines = [*table(best), "", readme.provenance("codec", arguments, about)]
    print("\n".join(lines))
    if options.json is not None:
        options.json.write_text(json.dumps(best, indent=1) + "\n")
    if options.readme:
        readme.write_section("codec", lines, calibration)


if __name__ == "__main__":
    main()
