"""The package as a whole: what it exports, and what it must not import."""

import ast
import importlib
import pkgutil
import subprocess
import sys
from pathlib import Path
from types import FunctionType

import pytest

import ammoo_wire

SHELLS = ("ammoo_wire.__main__", "ammoo_wire.tools.")
MODULES = sorted(
    module.name
    for module in pkgutil.walk_packages(ammoo_wire.__path__, "ammoo_wire.")
    if not module.ispkg and not module.name.startswith(SHELLS)
)
FORBIDDEN = {"asyncio", "random", "select", "selectors", "socket", "ssl", "threading", "time"}

# Exported by a module for other modules of the package alone.
INTERNAL = {
    "Described",
    "DiscardingWriter",
    "ResumingAssembler",
    "ItemT",
    "SHALLOW",
    "compile_codec",
    "malformed",
    "malformed_string",
    "misfit",
    "kind",
    "too_large",
    "bad_end",
    "unknown_frame",
    "unexpected_on_channel",
    "on_channel_zero",
    "out_of_place",
    "MAX_ANNOUNCED_SIZE",
    "LightNamedTuple",
    "CommandAssembler",
    "describe_body",
    "describe_channel",
    "describe_parameters",
    "describe_properties",
    "json_of_parameters",
    "json_of_properties",
    "json_value",
    "ENCODERS",
    "Misfit",
    "READERS",
    "WHOLE_IDS",
    "WholeContents",
    "as_octets",
    "check_callable",
    "check_frame_max",
    "check_size",
    "encode_array",
    "encode_deep",
    "encode_mapping",
    "encode_name",
    "encode_short_string",
    "encode_timestamp",
    "encoder_by_inheritance",
    "enter",
    "expected_replies",
    "is_unsigned",
    "method",
    "read_deep",
    "read_table",
    "shorten",
    "show",
    "show_octets",
    "timestamp_from_wire",
    "unknown_type",
}
# What a declaration of parameters is written with; the package's users need only the results.
FOR_DECLARATIONS = {
    "Bit",
    "EMPTY_TABLE",
    "Long",
    "LongLong",
    "LongStr",
    "Octet",
    "Octets",
    "Short",
    "ShortStr",
    "Table",
    "WireType",
}


def names_imported(source: str) -> set[str]:
    """Give the names of the modules that a module's source imports from elsewhere."""
    nodes = list(ast.walk(ast.parse(source)))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {
        node.module
        for node in nodes
        if isinstance(node, ast.ImportFrom) and node.module and not node.level
    }


@pytest.mark.parametrize("module", ["ammoo_wire", *MODULES])
def test_module_imports_neither_input_nor_output_nor_a_clock(module: str) -> None:
    file = importlib.import_module(module).__file__
    assert file is not None

    imported = {name.partition(".")[0] for name in names_imported(Path(file).read_text("utf-8"))}

    assert not imported & FORBIDDEN


def test_package_exports_what_its_modules_do() -> None:
    exported = {name for module in MODULES for name in importlib.import_module(module).__all__}

    assert exported - INTERNAL - FOR_DECLARATIONS | {"__version__"} == set(ammoo_wire.__all__)


def test_package_has_all_that_it_exports() -> None:
    assert [] == [name for name in ammoo_wire.__all__ if not hasattr(ammoo_wire, name)]


def test_package_has_nothing_else() -> None:
    with pytest.raises(AttributeError, match=r"^module 'ammoo_wire' has no attribute 'Nothing'$"):
        ammoo_wire.Nothing  # type: ignore[attr-defined]  # noqa: B018  both are the point


def test_what_takes_long_to_import_is_left_for_those_who_need_it() -> None:
    script = "import sys; before = set(sys.modules); import ammoo_wire; print(*set(sys.modules) - before)"
    run = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)

    assert not {"ammoo_wire.server", "datetime", "decimal", "json"} & set(run.stdout.split())


@pytest.mark.parametrize("name", MODULES)
def test_module_has_all_that_it_exports_and_explains_itself(name: str) -> None:
    module = importlib.import_module(name)

    assert [] == [each for each in module.__all__ if not hasattr(module, each)]
    assert module.__doc__


@pytest.mark.parametrize("name", sorted(set(ammoo_wire.__all__) - {"__version__"}))
def test_exported_class_and_function_is_explained(name: str) -> None:
    exported = getattr(ammoo_wire, name)

    assert exported.__doc__ or not isinstance(exported, type | FunctionType)


def test_editors_are_offered_what_is_exported() -> None:
    """Also what is imported when it is first asked for."""
    program = "import ammoo_wire; assert sorted(ammoo_wire.__all__) == dir(ammoo_wire)"

    subprocess.run([sys.executable, "-c", program], check=True)
