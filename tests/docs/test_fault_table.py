"""The site's table of faults: each line of it is a call that there is, with options that there are."""

import ast
import inspect
import re
from pathlib import Path
from typing import NamedTuple

import pytest

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.faults.faults import fault_names

PAGE = Path(__file__).parents[2] / "docs" / "testing" / "faults.md"
ROW = re.compile(r"^\| (?P<wish>[^|`]+) \| (?P<code>`[^|]*broker\.[^|]*) \|$", re.MULTILINE)
CODE = re.compile(r"`([^`]+)`")


class Line(NamedTuple):
    """One call of the table."""

    wish: str
    code: str


def lines() -> list[Line]:
    """Return all calls of the table; a call that begins with a dot goes on from ``broker.faults``."""
    found = []
    for row in ROW.finditer(PAGE.read_text()):
        for code in CODE.findall(row["code"]):
            stripped = re.sub(r"^(with |\w+ = )|:$", "", code)
            if stripped.startswith((".", "broker.")):
                found.append(Line(row["wish"], re.sub(r"^\.", "broker.faults.", stripped)))
    return found


@pytest.mark.parametrize("line", lines(), ids=lambda line: line.code)
def test_line_of_the_table_is_a_call_with_known_options(line: Line) -> None:
    call = ast.parse(line.code, mode="eval").body
    assert isinstance(call, ast.Call)
    broker = FakeBroker()
    function = eval(ast.unparse(call.func), {"broker": broker})
    arguments = [ast.literal_eval(each) for each in call.args]
    options = {str(each.arg): ast.literal_eval(each.value) for each in call.keywords}

    bound = inspect.signature(function).bind(*arguments, **options)

    assert len(arguments) + len(options) == len(bound.arguments)


def test_table_names_all_faults() -> None:
    text = "".join(line.code for line in lines())

    assert [] == [name for name in fault_names() if f".{name}(" not in text]


TESTS = "".join(
    (Path(__file__).parents[1] / name).read_text()
    for name in ("behaviour/test_faults.py", "broker/test_restart_as_rabbitmq.py")
)
REAL_ROW = re.compile(r"^\| (?P<faults>`[^|]+) \| [^|]+ \| (?P<tests>[^|]*) ?\|$", re.MULTILINE)


def test_table_of_real_things_names_all_faults_and_tests_that_there_are() -> None:
    rows = list(REAL_ROW.finditer(PAGE.read_text()))
    faults = [name for row in rows for name in CODE.findall(row["faults"])]
    tests = [name for row in rows for name in CODE.findall(row["tests"])]

    assert fault_names() == sorted(name for name in faults if name in fault_names())
    assert [] == [name for name in tests if f"def {name}(" not in TESTS]


@pytest.mark.parametrize("name", fault_names())
def test_help_says_what_becomes_of_traffic_and_who_does_such_a_thing(name: str) -> None:
    text = inspect.getdoc(getattr(FakeBroker().faults, name)) or ""

    assert "In flight" in text
    assert "t removal" in text
    assert re.search(r"RabbitMQ|network", text)
