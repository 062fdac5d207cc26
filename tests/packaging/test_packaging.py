"""The three distributions agree with each other.

Versions move in lockstep and are written by hand in several places (each pyproject, the pins
between the members, each package's `__version__`); the licence must lie inside every member,
because a build cannot reach above its own folder. These tests are what makes the copies safe.
"""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
MEMBERS = {
    "ammoo-wire": "ammoo_wire",
    "ammoo": "ammoo",
    "ammoo-fakebroker": "ammoo_fakebroker",
}

each_member = pytest.mark.parametrize(("member", "package"), MEMBERS.items())


def _project(member: str) -> dict[str, Any]:
    text = (ROOT / "packages" / member / "pyproject.toml").read_text("utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


def _version_literal(member: str, package: str) -> object:
    """Read `__version__ = "…"` from the source, without importing it."""
    module = "version.py" if package == "ammoo" else "__init__.py"
    path = ROOT / "packages" / member / "src" / package / module
    literals = [
        ast.literal_eval(node.value)
        for node in ast.parse(path.read_text("utf-8")).body
        if isinstance(node, ast.Assign)
        and [ast.unparse(target) for target in node.targets] == ["__version__"]
    ]
    assert len(literals) == 1, f"{path} must assign __version__ exactly once, as a literal"
    return literals[0]


@each_member
def test_versions_move_in_lockstep(member: str, package: str) -> None:
    expected = _project("ammoo-wire")["version"]

    assert expected == _project(member)["version"]
    assert expected == _version_literal(member, package)


@pytest.mark.parametrize("member", ["ammoo", "ammoo-fakebroker"])
def test_members_pin_the_wire_exactly_and_need_nothing_else(member: str) -> None:
    project = _project(member)

    assert [f"ammoo-wire=={project['version']}"] == project["dependencies"]


def test_wire_depends_on_nothing() -> None:
    assert _project("ammoo-wire")["dependencies"] == []


@each_member
def test_member_ships_the_licence_of_the_repository(member: str, package: str) -> None:
    expected = (ROOT / "LICENSE").read_bytes()

    assert expected == (ROOT / "packages" / member / "LICENSE").read_bytes()
    assert _project(member)["license-files"] == ["LICENSE"]


@each_member
def test_member_is_marked_as_typed(member: str, package: str) -> None:
    assert (ROOT / "packages" / member / "src" / package / "py.typed").is_file()


@each_member
def test_member_has_what_a_release_shows(member: str, package: str) -> None:
    folder = ROOT / "packages" / member

    for name in ("README.md", "CHANGELOG.md", "changelog.d/README.md"):
        assert (folder / name).read_text("utf-8").strip(), f"{member}/{name} is empty"


def test_pytest_finds_the_plugin_of_the_fake_broker() -> None:
    entry_points = _project("ammoo-fakebroker")["entry-points"]

    assert entry_points == {"pytest11": {"ammoo_fakebroker": "ammoo_fakebroker.plugin"}}
