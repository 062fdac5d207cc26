"""The three distributions agree with each other.

Versions move in lockstep and are written by hand in several places (each pyproject, the pins
between the members, each package's `__version__`); the licence must lie inside every member,
because a build cannot reach above its own folder. These tests are what makes the copies safe.
"""

import ast
import subprocess
import sys
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


def _tool(name: str, folder: Path) -> dict[str, Any]:
    text = (folder / "pyproject.toml").read_text("utf-8")
    settings: dict[str, Any] = tomllib.loads(text)["tool"][name]
    return settings


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
    assert 1 == len(literals), f"{path} must assign __version__ exactly once, as a literal"
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
    assert [] == _project("ammoo-wire")["dependencies"]


@each_member
def test_member_ships_the_licence_of_the_repository(member: str, package: str) -> None:
    expected = (ROOT / "LICENSE").read_bytes()

    assert expected == (ROOT / "packages" / member / "LICENSE").read_bytes()
    assert ["LICENSE"] == _project(member)["license-files"]


@each_member
def test_member_is_marked_as_typed(member: str, package: str) -> None:
    assert (ROOT / "packages" / member / "src" / package / "py.typed").is_file()


@each_member
def test_member_has_what_a_release_shows(member: str, package: str) -> None:
    folder = ROOT / "packages" / member

    names = ("README.md", "CHANGELOG.md", "changelog.d/README.md")
    assert [] == [name for name in names if not (folder / name).read_text("utf-8").strip()]


@each_member
def test_member_names_its_home_and_where_its_documents_are(member: str, package: str) -> None:
    urls = _project(member)["urls"]
    home = _project("ammoo-wire")["urls"]["Source"]

    assert {
        "Documentation": f"{home}packages/{member}/README.md",
        "Source": home,
        "Issues": f"{home}issues",
        "Changelog": f"{home}packages/{member}/CHANGELOG.md",
    } == urls


@each_member
def test_changelog_fragments_have_a_kind_that_is_collected(member: str, package: str) -> None:
    settings = _tool("towncrier", ROOT / "packages" / member)
    kinds = {kind["directory"] for kind in settings["type"]}

    fragments = (ROOT / "packages" / member / "changelog.d").glob("*.md")

    assert [] == [
        path.name
        for path in fragments
        if path.name != "README.md" and path.name.split(".")[-2] not in kinds
    ]


def test_building_the_root_says_in_one_sentence_what_to_do_instead() -> None:
    code = "import nothing_to_build; nothing_to_build.get_requires_for_build_wheel()"
    backend = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["build-system"]

    built = subprocess.run(
        [sys.executable, "-c", code], check=False, cwd=ROOT / ".ci", capture_output=True, text=True
    )

    assert ("nothing_to_build", [".ci"]) == (backend["build-backend"], backend["backend-path"])
    assert 1 == built.returncode
    assert 1 == len(built.stderr.splitlines())
    assert "`hatch build --all`" in built.stderr


def test_pytest_finds_the_plugin_of_the_fake_broker() -> None:
    entry_points = _project("ammoo-fakebroker")["entry-points"]

    assert {"pytest11": {"ammoo_fakebroker": "ammoo_fakebroker.plugin"}} == entry_points
