"""Every public class and function has an example in its docstring, and the examples run."""

import re
import time
from inspect import getdoc
from textwrap import dedent
from types import FunctionType
from typing import Any, NamedTuple

import pytest

import ammoo_wire
from ammoo_wire import BasicPublishParameters, encode_command
from tests.wire.peers import running_server

PUBLIC = {name: getattr(ammoo_wire, name) for name in ammoo_wire.__all__}
BLOCK = re.compile(r"^::\n\n((?:    .*\n|\n)+)", re.MULTILINE)
OCTETS = encode_command(1, BasicPublishParameters("", "orders"), None, b"an order")


class Example(NamedTuple):
    """An indented block behind ``::`` in a docstring."""

    name: str
    code: str


class Connection:
    """Stands where an example has a socket."""

    def recv(self, size: int) -> bytes:
        return b""

    def sendall(self, octets: bytes | bytearray) -> None:
        pass


def documented() -> list[tuple[str, object]]:
    """Collect the package, its public classes and functions, and the classes' own functions."""
    explained = {
        name: public for name, public in PUBLIC.items() if isinstance(public, type | FunctionType)
    }
    return [
        ("ammoo_wire", ammoo_wire),
        *explained.items(),
        *(
            (f"{name}.{member_name}", member)
            for name, public in explained.items()
            for member_name, member in vars(public).items()
            if isinstance(member, FunctionType)
        ),
    ]


def examples() -> list[Example]:
    """Collect the examples in the public docstrings."""
    return [
        Example(name, dedent(code))
        for name, each in documented()
        for code in BLOCK.findall(f"{getdoc(each)}\n")
    ]


def needs_example(name: str) -> bool:
    """Return whether a public name is a class or a function that needs an example of its own.

    The package's docstring has the example of the methods' parameters. `AMQPError` and
    `ProtocolError` have those of the exceptions.
    """
    public = PUBLIC[name]
    if isinstance(public, type):
        return not issubclass(public, Exception) and not name.endswith("Parameters")
    return isinstance(public, FunctionType)


EXAMPLES = examples()


@pytest.mark.parametrize("name", [name for name in PUBLIC if needs_example(name)])
def test_public_class_and_function_is_shown_in_use(name: str) -> None:
    assert name in {example.name for example in EXAMPLES}


@pytest.mark.parametrize("name", ["ammoo_wire", "AMQPError", "ProtocolError"])
def test_what_many_names_have_in_common_is_shown_in_use(name: str) -> None:
    assert name in {example.name for example in EXAMPLES}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.name)
def test_example_runs(example: Example) -> None:
    """All public names are at hand, and stand-ins for what an example cannot make."""
    namespace: dict[str, Any] = {
        **PUBLIC,
        "capture": [("client", OCTETS)],
        "connection": Connection(),
        "octets": OCTETS,
        "protocol": running_server(),
        "time": time,
    }

    exec(example.code, namespace)  # noqa: S102  the code is this package's own
