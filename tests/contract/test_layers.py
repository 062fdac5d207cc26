"""Who may import whom: the plan of architecture, read off the import statements."""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGES = Path(__file__).parents[2] / "packages"
SOURCES = {
    "ammoo_wire": PACKAGES / "ammoo-wire" / "src",
    "ammoo": PACKAGES / "ammoo" / "src",
    "ammoo_fakebroker": PACKAGES / "ammoo-fakebroker" / "src",
}
IO_MODULES = {"asyncio", "socket", "ssl", "selectors", "threading", "time", "random"}

# The wire's command line: the one part of it that opens sockets and files.
WIRE_SHELLS = ("ammoo_wire.__main__", "ammoo_wire.tools")
# The wire's rooms from the ground up; none imports one further down in this list.
WIRE_ORDER = [
    "ammoo_wire.constants",
    "ammoo_wire.exceptions",
    "ammoo_wire.light_named_tuple",
    "ammoo_wire.field_types",
    "ammoo_wire.frames.flags",
    "ammoo_wire.fields",
    "ammoo_wire.table_encoder",
    "ammoo_wire.table_decoder",
    "ammoo_wire.method_compiler",
    "ammoo_wire.method_codecs",
    "ammoo_wire.frames.header",
    "ammoo_wire.frames.method",
    "ammoo_wire.frames",
    "ammoo_wire.command",
    "ammoo_wire.sasl",
    "ammoo_wire.heartbeat",
    "ammoo_wire.outgoing_frames",
    "ammoo_wire.frame_encoder",
    "ammoo_wire.frame_errors",
    "ammoo_wire.whole_contents",
    "ammoo_wire.incoming_frames",
    "ammoo_wire.protocol",
    "ammoo_wire.client",
    "ammoo_wire.server",
    "ammoo_wire.onlookers.description",
    "ammoo_wire.onlookers.read_items",
    "ammoo_wire.onlookers.resuming_assembler",
    "ammoo_wire.onlookers.reader",
    "ammoo_wire.onlookers.conversation",
    "ammoo_wire.onlookers",
    "ammoo_wire.tools",
    "ammoo_wire.__main__",
]
# Which rooms of the client may import asyncio's machinery; the others get by with Future.
CLIENT_OWNS_THE_LOOP = {
    "ammoo.running_loop",
    "ammoo.live.blocking",
    "ammoo.live.reply_timeouts",
    "ammoo.live.handshake",
    "ammoo.live.heartbeats",
    "ammoo.live.transport",
    "ammoo.live.sockets",
    "ammoo.live.ports",
    "ammoo.live.consuming",
    "ammoo.live.publishing",
    "ammoo.live.channel",
    "ammoo.live.connection",
    "ammoo.instrumentation.stall_guard",
    "ammoo.recovery.background",
    "ammoo.recovery.listener",
    "ammoo.recovery.reconnect_rounds",
    "ammoo.recovery.state",
    "ammoo.recovery.handshake_slots",
    "ammoo.recovery.gate",
    "ammoo.recovery.gated_publishing",
    "ammoo.recovery.lasting_channel",
    "ammoo.recovery.restoring.private_channels",
    "ammoo.recovery.restoring.topology_replay",
    "ammoo.recovery.restoring.channels",
    "ammoo.recovery.restoring.stragglers",
    "ammoo.recovery.restoring.reviving",
    "ammoo.recovery.connector",
    "ammoo.recovery.supervisor",
    "ammoo.inbox",
    "ammoo.channel_lifetime",
    "ammoo.recovery.credentials_keeper",
    "ammoo.publisher.window",
    "ammoo.publisher.confirmation",
    "ammoo.publisher.outcomes",
    "ammoo.publisher.sending",
    "ammoo.publisher.feeding",
    "ammoo.publisher.publisher",
    "ammoo.live.settle_watch",
    "ammoo.workers.run",
    "ammoo.workers.batches",
    "ammoo.workers.ports",
    "ammoo.workers.drain",
    "ammoo.workers.signals",
    "ammoo.consumer",
    "ammoo.rpc.caller",
    "ammoo.rpc.server",
    "ammoo.channel",
    "ammoo.connecting",
    "ammoo.connection",
}
# Which rooms of the broker may know asyncio and threads.
BROKER_SHELLS = {
    "ammoo_fakebroker.__main__",
    "ammoo_fakebroker.blocked_loops",
    "ammoo_fakebroker.broker",
    "ammoo_fakebroker.command_line.certificates",
    "ammoo_fakebroker.command_line.output",
    "ammoo_fakebroker.command_line.readiness",
    "ammoo_fakebroker.command_line.serving",
    "ammoo_fakebroker.clocks.auto_advance",
    "ammoo_fakebroker.clocks.clock",
    "ammoo_fakebroker.clocks.loop_clock",
    "ammoo_fakebroker.clocks.virtual_time",
    "ammoo_fakebroker.control.actions",
    "ammoo_fakebroker.function_errors",
    "ammoo_fakebroker.management.server",
    "ammoo_fakebroker.in_memory",
    "ammoo_fakebroker.network.memory_transport",
    "ammoo_fakebroker.network.draining",
    "ammoo_fakebroker.plugin",
    "ammoo_fakebroker.restart",
    "ammoo_fakebroker.network.server",
    "ammoo_fakebroker.network.client_socket",
    "ammoo_fakebroker.network.sockets",
    "ammoo_fakebroker.network.threaded_server",
    "ammoo_fakebroker.testing.real_broker",
    "ammoo_fakebroker.waiting.waits",
}
# The pytest plugin, which alone imports pytest, and what it calls, which names pytest's types.
PLUGIN = ("ammoo_fakebroker.plugin", "ammoo_fakebroker.testing")
# The floors of the broker's folders, and of the modules that stand in none of them. An import goes
# down, or stays in its folder: auth and messages stand side by side and do not know each other.
BROKER_FLOORS = {
    "attribute_names": 0,
    "blocked_loops": 0,
    "call_checks": 0,
    "clocks": 1,
    "described_messages": 0,
    "function_errors": 0,
    "option_names": 0,
    "predicates": -1,
    "similar_names": -1,
    "rabbitmq": 1,
    "auth": 2,
    "messages": 2,
    "exchanges": 3,
    "history": 3,
    "queues": 4,
    "node": 5,
    "connections": 6,
    "responders": 9,
    "restart": 10,
    "broker_snapshots": 11,
    "setup": 8,
    "setup_channel": 7,
    "snapshots": 7,
    "administration": 7,
    "definitions": 7,
    "network": 8,
    "faults": 9,
    "in_memory": 9,
    "interruptions": 10,
    "state_queries": 9,
    "management": 9,
    "control": 10,
    "time_control": 10,
    "waiting": 10,
    "event_queries": 11,
    "broker": 12,
    "testing": 13,
    "command_line": 13,
    "plugin": 14,
    "__main__": 14,
}
# The client's rooms by storey, each from the ground up; none imports one further down in the list.
CLIENT_STOREYS = {
    "values that both storeys above speak of": [
        "ammoo.version",
        "ammoo.server_release",
        "ammoo.running_loop",
        "ammoo.weak_calls",
        "ammoo.uncopyable",
        "ammoo.wire",
        "ammoo.python_values",
        "ammoo.number_checks",
        "ammoo.arguments",
        "ammoo.exceptions",
        "ammoo.content_encodings",
        "ammoo.publish_options",
        "ammoo.publish_defaults",
        "ammoo.workers.processing",
        "ammoo.messages",
        "ammoo.instrumentation.hooks",
        "ammoo.instrumentation.instruments",
        "ammoo.instrumentation.frame_recorder",
        "ammoo.instrumentation.stall_guard",
        "ammoo.auth",
        "ammoo.parameters",
    ],
    "one socket's life": [
        "ammoo.live.confirms",
        "ammoo.live.published_names",
        "ammoo.live.unacked",
        "ammoo.live.channel_numbers",
        "ammoo.live.commit_buffer",
        "ammoo.live.blocking",
        "ammoo.live.replies",
        "ammoo.live.reply_timeouts",
        "ammoo.live.returns",
        "ammoo.live.handshake",
        "ammoo.live.opening_failures",
        "ammoo.live.heartbeats",
        "ammoo.live.transport",
        "ammoo.live.sockets",
        "ammoo.live.flow_control",
        "ammoo.live.ports",
        "ammoo.live.acknowledgements",
        "ammoo.live.settle_watch",
        "ammoo.live.consuming",
        "ammoo.live.publishing",
        "ammoo.live.channel",
        "ammoo.live.instrumented",
        "ammoo.live.connection",
    ],
    "what the user holds": [
        "ammoo.uri",
        "ammoo.credentials",
        "ammoo.topology_records",
        "ammoo.topology",
        "ammoo.recovery.options",
        "ammoo.recovery.delays",
        "ammoo.recovery.handshake_slots",
        "ammoo.recovery.retry_decisions",
        "ammoo.recovery.restoring.remedies",
        "ammoo.recovery.restoring.pipelines",
        "ammoo.recovery.restoring.locked_pauses",
        "ammoo.recovery.gate",
        "ammoo.recovery.events",
        "ammoo.recovery.listener",
        "ammoo.stream_progress",
        "ammoo.inbox",
        "ammoo.channel_settings",
        "ammoo.unopened_channel",
        "ammoo.channel_lifetime",
        "ammoo.recovery.ports",
        "ammoo.recovery.gated_publishing",
        "ammoo.recovery.state",
        "ammoo.recovery.background",
        "ammoo.recovery.reports",
        "ammoo.recovery.missing_entities",
        "ammoo.recovery.topology_recording",
        "ammoo.recovery.lasting_channel",
        "ammoo.recovery.restoring.private_channels",
        "ammoo.recovery.restoring.topology_replay",
        "ammoo.recovery.restoring.channels",
        "ammoo.recovery.restoring.stragglers",
        "ammoo.recovery.restoring.handover",
        "ammoo.recovery.restoring.connection",
        "ammoo.recovery.hosts",
        "ammoo.recovery.connector",
        "ammoo.recovery.credentials_keeper",
        "ammoo.recovery.restoring.reviving",
        "ammoo.recovery.reconnect_rounds",
        "ammoo.recovery.supervisor",
        "ammoo.publisher.window",
        "ammoo.publisher.confirmation",
        "ammoo.publisher.failures",
        "ammoo.publisher.outcomes",
        "ammoo.publisher.resending",
        "ammoo.publisher.sending",
        "ammoo.publisher.ports",
        "ammoo.publisher.feeding",
        "ammoo.publisher.publisher",
        "ammoo.workers.keyed_backlog",
        "ammoo.workers.ports",
        "ammoo.workers.run",
        "ammoo.workers.batches",
        "ammoo.workers.drain",
        "ammoo.workers.signals",
        "ammoo.consumer",
        "ammoo.rpc.addresses",
        "ammoo.rpc.ports",
        "ammoo.rpc.caller",
        "ammoo.rpc.server",
        "ammoo.channel",
        "ammoo.connection",
        "ammoo.connecting",
    ],
}
CLIENT_ORDER = [room for rooms in CLIENT_STOREYS.values() for room in rooms]
CLIENT_FACES = {
    "ammoo",
    "ammoo.instrumentation",
    "ammoo.live",
    "ammoo.publisher",
    "ammoo.recovery",
    "ammoo.recovery.restoring",
    "ammoo.rpc",
    "ammoo.workers",
}


# The modules that name each other, each circle with its reason; all but the first only as types.
CIRCLES = [
    # A table may hold tables, however deep: what does the first levels and what does the rest call
    # each other.
    {"ammoo_wire.deep_table_decoder", "ammoo_wire.table_decoder"},
    {"ammoo_wire.deep_table_encoder", "ammoo_wire.table_encoder"},
    # A user asks a connection for a channel, and a channel for its connection.
    {"ammoo.channel", "ammoo.connection"},
    # A returned message is in its exception, and a block that settles messages knows exceptions.
    {
        "ammoo.exceptions.channel",
        "ammoo.exceptions.publishing",
        "ammoo.messages",
        "ammoo.workers.processing",
    },
    # A queue has consumers, a consumer has its queue, and a delivery has both; the ports of queues and
    # consumers pass all three to the virtual host and the channel.
    {
        "ammoo_fakebroker.queues.consumers",
        "ammoo_fakebroker.queues.delivery",
        "ammoo_fakebroker.queues.ports",
        "ammoo_fakebroker.queues.queue",
    },
]


@cache
def modules(package: str) -> dict[str, Path]:
    source = SOURCES[package]
    found = {}
    for path in sorted((source / package).rglob("*.py")):
        parts = path.relative_to(source).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imports(module: str, path: Path, *, with_types: bool = False) -> Iterator[str]:
    """Give the full names that a module imports when it runs, or for types too."""
    tree = ast.parse(path.read_text())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    only_for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.dump(node.test)
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if id(node) in only_for_types and not with_types:
            continue
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = package.split(".")[: len(package.split(".")) - node.level + 1]
            prefix = ".".join(base) if node.level else ""
            full = ".".join(filter(None, (prefix, node.module or "")))
            yield from (f"{full}.{alias.name}" for alias in node.names)


def neighbours(package: str, module: str, path: Path, *, with_types: bool) -> set[str]:
    """Return the modules of its package that a module imports; the package's face is left out."""
    known = modules(package)
    names = imports(module, path, with_types=with_types)
    found = {name if name in known else name.rpartition(".")[0] for name in names}
    return found & known.keys() - {module, package}


def all_modules(package: str) -> list[tuple[str, Path]]:
    return list(modules(package).items())


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo_wire"))
def test_wire_knows_neither_io_nor_the_other_packages(module: str, path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(module, path, with_types=True)}
    io_modules = set() if module.startswith(WIRE_SHELLS) else IO_MODULES

    assert not tops & (io_modules | {"ammoo", "ammoo_fakebroker", "pytest"})


def floor(name: str, order: list[str]) -> int:
    """Return the place of a module's room, or -1 if it has none."""
    name = name.replace("ammoo_wire.deep_table_", "ammoo_wire.table_")  # one room in two files
    rooms = [room for room in order if f"{name}.".startswith(f"{room}.")]
    return order.index(rooms[0]) if rooms else -1


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo_wire")[1:])
def test_wires_rooms_are_in_order(module: str, path: Path) -> None:
    """The face alone, which shows what all the others have, is left out."""
    used = [name for name in imports(module, path) if name.startswith("ammoo_wire.")]

    assert [] == [name for name in used if floor(name, WIRE_ORDER) > floor(module, WIRE_ORDER)]
    assert floor(module, WIRE_ORDER) >= 0


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo"))
def test_client_knows_no_broker(module: str, path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(module, path, with_types=True)}
    run = {name.partition(".")[0] for name in imports(module, path)}

    assert not tops & {"ammoo_fakebroker", "pytest"}
    assert not run & {"uuid", "importlib"}


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo"))
def test_only_the_clients_shells_own_the_loop(module: str, path: Path) -> None:
    used = {name for name in imports(module, path) if name.partition(".")[0] == "asyncio"}
    types = ("Future", "CancelledError", "AbstractEventLoop", "TimerHandle")
    harmless = {f"asyncio.{name}" for name in types}

    assert module in CLIENT_OWNS_THE_LOOP or used <= harmless


def client_floor(name: str) -> int:
    """Return the place of a module, or of a name in it, in `CLIENT_ORDER`; -1 if it has none."""
    rooms = [room for room in CLIENT_ORDER if f"{name}.".startswith(f"{room}.")]
    return CLIENT_ORDER.index(rooms[0]) if rooms else -1


def client_storey(name: str) -> int:
    """Return the storey of a module, or of a name in it."""
    storeys = [
        rooms for rooms in CLIENT_STOREYS.values() if CLIENT_ORDER[client_floor(name)] in rooms
    ]
    return list(CLIENT_STOREYS.values()).index(storeys[0])


def client_rooms() -> list[tuple[str, Path]]:
    """Return all modules of the client but the faces, which show what the others have."""
    return [(name, path) for name, path in all_modules("ammoo") if name not in CLIENT_FACES]


@pytest.mark.parametrize(("module", "path"), client_rooms())
def test_clients_rooms_are_in_order(module: str, path: Path) -> None:
    below = [name for name in imports(module, path) if name.startswith("ammoo.")]

    assert [] == [name for name in below if client_floor(name) > client_floor(module)]
    assert client_floor(module) >= 0


@pytest.mark.parametrize(("module", "path"), client_rooms())
def test_no_storey_of_the_client_names_one_above_it(module: str, path: Path) -> None:
    named = [name for name in imports(module, path, with_types=True) if name.startswith("ammoo.")]

    assert [] == [name for name in named if client_storey(name) > client_storey(module)]


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo_fakebroker"))
def test_broker_knows_no_client(module: str, path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(module, path, with_types=True)}

    assert "ammoo" not in tops
    assert "pytest" not in tops or module.startswith(PLUGIN)
    assert "pytest" not in set(imports(module, path)) or module == PLUGIN[0]


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo_fakebroker"))
def test_brokers_core_has_neither_loop_nor_clock_nor_socket(module: str, path: Path) -> None:
    tops = {name.partition(".")[0] for name in imports(module, path)}

    assert module in BROKER_SHELLS or not tops & (IO_MODULES - {"random"})


def broker_folder(module: str) -> str:
    return module.split(".")[1]


@pytest.mark.parametrize(("module", "path"), all_modules("ammoo_fakebroker")[1:])
def test_brokers_imports_go_down_for_types_too(module: str, path: Path) -> None:
    folder = broker_folder(module)
    elsewhere = [
        name
        for name in neighbours("ammoo_fakebroker", module, path, with_types=True)
        if broker_folder(name) != folder
    ]

    assert [] == [
        name for name in elsewhere if BROKER_FLOORS[broker_folder(name)] >= BROKER_FLOORS[folder]
    ]


def circle_of(module: str) -> str:
    """Return the first module of the circle that a module belongs to; itself if there is none."""
    circles = [sorted(circle) for circle in CIRCLES if module in circle]
    return circles[0][0] if circles else module


def graph_of(package: str, *, with_types: bool) -> dict[str, set[str]]:
    """Return what each module of a package imports; for types, each circle counts as one module."""
    node = circle_of if with_types else str
    graph: dict[str, set[str]] = {}
    for module, path in all_modules(package)[1:]:
        imported = {node(each) for each in neighbours(package, module, path, with_types=with_types)}
        graph.setdefault(node(module), set()).update(imported - {node(module)})
    return graph


@pytest.mark.parametrize("package", SOURCES)
def test_modules_name_each_other_in_no_circle_but_those_with_a_reason(package: str) -> None:
    graph = graph_of(package, with_types=True)

    assert graph.keys() == set(TopologicalSorter(graph).static_order())


@pytest.mark.parametrize("package", ["ammoo", "ammoo_fakebroker"])
def test_modules_import_in_no_circle_when_they_run(package: str) -> None:
    graph = graph_of(package, with_types=False)

    assert graph.keys() == set(TopologicalSorter(graph).static_order())
