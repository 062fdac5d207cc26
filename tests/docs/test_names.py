"""What a user can write is explained on the site, outside of the reference: each option, method and command.

The reference is made from docstrings, so it has every name by itself; a reader of the guides must
meet each one too, where the task is that needs it.
"""

import inspect
import re
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

import ammoo
from ammoo_fakebroker import FakeBroker, Faults

DOCS = Path(__file__).parents[2] / "docs"
PROGRAMS = [*DOCS.glob("examples/*.py"), *DOCS.parent.glob("tests/downstream/**/*.py")]
PAGES = [path for path in DOCS.rglob("*.md") if not {"_build", "reference"} & set(path.parts)]
FENCED = re.compile(r"^ *```.*\n((?:.*\n)*?) *```$", re.MULTILINE)
INLINE = re.compile(r"`([^`]+)`")
NOT_FOR_USERS = frozenset(
    [
        "entered",  # for the client's other rooms
        "check_responders",  # the plugin calls it
        "is_from_stream",  # of a message, for recovery
        "random",  # for tests of recovery
    ]
)


def code_of(page: str) -> list[str]:
    """Return what a page sets as code: names such as `host` and `get` are common words in its prose."""
    return [*FENCED.findall(page), *INLINE.findall(FENCED.sub("", page))]


CODE = "\n".join(
    [
        *(path.read_text() for path in PROGRAMS),
        *(code for page in PAGES for code in code_of(page.read_text())),
    ]
)


def public_names(owner: type) -> list[str]:
    """Return the members of a class but for the twins of others that `await` needs."""
    names = [name for name in dir(owner) if not name.startswith("_")]
    return [name for name in names if name.removesuffix("_async") not in NOT_FOR_USERS]


def options_of(function: object) -> list[str]:
    """Return the names of the parameters that a caller can give."""
    assert callable(function)
    parameters = inspect.signature(function).parameters.values()
    return [each.name for each in parameters if each.kind is not each.VAR_KEYWORD]


def not_explained(names: Iterable[str]) -> list[str]:
    """Return those of the names that no guide has in its code."""
    return [
        name
        for name in names
        if name not in NOT_FOR_USERS
        and not re.search(rf"(?<![\w-]){re.escape(name.removesuffix('_async'))}(?![\w-])", CODE)
    ]


@pytest.mark.parametrize(
    "owner",
    [
        ammoo.Connection,
        ammoo.Channel,
        ammoo.Consumer,
        ammoo.DeliverMessage,
        ammoo.Publisher,
        ammoo.Rpc,
        ammoo.RpcServer,
        ammoo.Hooks,
        FakeBroker,
        Faults,
    ],
    ids=lambda owner: owner.__name__,
)
def test_each_method_is_explained(owner: type) -> None:
    assert [] == not_explained(public_names(owner))


@pytest.mark.parametrize(
    "function",
    [
        ammoo.connect,
        ammoo.Recovery,
        ammoo.Credentials,
        ammoo.Channel.declare_queue,
        ammoo.Channel.declare_exchange,
        ammoo.Channel.consume,
        ammoo.Channel.publisher,
        ammoo.Channel.rpc,
        ammoo.Consumer.run,
        FakeBroker,
    ],
    ids=lambda function: function.__qualname__,
)
def test_each_option_is_explained(function: object) -> None:
    assert [] == not_explained(options_of(function))


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["ammoo_fakebroker"], "--[a-z-]+"),
        (["ammoo_fakebroker", "ready"], "--[a-z-]+"),
        (["ammoo_wire", "decode"], "--[a-z-]+"),
        (["ammoo_wire", "proxy"], "--[a-z-]+"),
        (["pytest"], "--fakebroker-[a-z-]+|fakebroker_[a-z]+"),
    ],
    ids=["ammoo-fakebroker", "ready", "decode", "proxy", "pytest"],
)
def test_each_option_of_a_command_is_explained(arguments: list[str], option: str) -> None:
    shown = subprocess.run(
        [sys.executable, "-m", *arguments, "--help"], capture_output=True, check=True, text=True
    ).stdout

    named = set(re.findall(rf"(?<![\w-])(?:{option})", shown)) - {"--help", "--version"}
    assert named
    assert [] == not_explained(sorted(named))
