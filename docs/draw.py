"""Draw the diagrams of the site into docs/images: `hatch run docs:draw`, which needs Graphviz.

The picture of the packages is made from their imports. In the others, publishers and consumers are boxes with round corners, exchanges are diamonds, queues are boxes.
"""

import ast
import subprocess
from pathlib import Path

IMAGES = Path(__file__).with_name("images")
PACKAGES = Path(__file__).parents[1] / "packages"
STYLE = """
  rankdir=LR; bgcolor="white"; pad=0.2; nodesep=0.35; ranksep=0.6;
  node [fontname="DejaVu Sans", fontsize=12, color="#444444", fontcolor="#222222", margin="0.15,0.08"];
  edge [fontname="DejaVu Sans", fontsize=11, color="#444444", fontcolor="#333333", arrowsize=0.7];
"""
CLIENT = 'shape=box, style="rounded,filled", fillcolor="#dceefb"'
EXCHANGE = 'shape=diamond, style=filled, fillcolor="#fde8c8"'
QUEUE = 'shape=box, style=filled, fillcolor="#e3f4dc"'
END = 'shape=box, style="rounded,filled", fillcolor="#f6d5d5"'

DIAGRAMS = {
    "hello": f"""
      publisher [{CLIENT}]; hello [{QUEUE}]; consumer [{CLIENT}];
      publisher -> hello -> consumer;
    """,
    "work-queues": f"""
      publisher [{CLIENT}]; tasks [{QUEUE}];
      a [{CLIENT}, label="worker a"]; b [{CLIENT}, label="worker b"];
      publisher -> tasks; tasks -> a [label="task 0, task 2"]; tasks -> b [label="task 1, task 3"];
    """,
    "fanout": f"""
      publisher [{CLIENT}]; logs [{EXCHANGE}, label="logs\\n(fanout)"];
      screen [{QUEUE}]; file [{QUEUE}];
      publisher -> logs -> screen; logs -> file;
    """,
    "direct": f"""
      publisher [{CLIENT}]; levels [{EXCHANGE}, label="log_levels\\n(direct)"];
      alerts [{QUEUE}]; archive [{QUEUE}];
      publisher -> levels; levels -> alerts [label="error"];
      levels -> archive [label="error"]; levels -> archive [label="warning"];
      levels -> archive [label="info"];
    """,
    "topic": f"""
      publisher [{CLIENT}]; events [{EXCHANGE}, label="events\\n(topic)"];
      invoices [{QUEUE}]; audit [{QUEUE}];
      publisher -> events; events -> invoices [label="orders.*.created"];
      events -> audit [label="orders.#"];
    """,
    "stream": f"""
      publisher [{CLIENT}];
      prices [shape=record, style=filled, fillcolor="#e3f4dc", label="<0> 0|<1> 1|<2> 2|<3> 3|<4> 4"];
      a [{CLIENT}, label="consumer from first"]; b [{CLIENT}, label="consumer from 3"];
      publisher -> prices; prices:0 -> a; prices:3 -> b;
    """,
    "retries": f"""
      orders [{QUEUE}]; consumer [{CLIENT}];
      retry [{QUEUE}, label="orders.retry\\n(time to live)"]; parked [{QUEUE}, label="orders.parked"];
      orders -> consumer; consumer -> retry [label="rejected"];
      retry -> orders [label="expired"]; consumer -> parked [label="third attempt"];
    """,
    "life": f"""
      publish [{CLIENT}, label="publish"]; exchange [{EXCHANGE}]; queue [{QUEUE}];
      consumer [{CLIENT}]; done [{CLIENT}, label="acked: deleted"];
      returned [{END}, label="returned or dropped"]; dead [{END}, label="dead-lettered\\nor dropped"];
      publish -> exchange [label="sent"];
      exchange -> returned [label="no queue bound"];
      exchange -> queue [label="routed: confirmed"];
      queue -> dead [label="expired, too many,\\ndelivery limit"];
      queue -> consumer [label="delivered"];
      consumer -> queue [label="requeued, or\\nconnection lost"];
      consumer -> dead [label="rejected"];
      consumer -> done [label="ack"];
    """,
    "outcomes": f"""
      publish [{CLIENT}, label="await publish(...)"];
      returns [{QUEUE}, label="returns:\\nconfirmed"];
      nack [{END}, label="PublishNack:\\nrefused by a queue"];
      refused [{END}, label="PublishRefused:\\nthe server closed for it"];
      returned [{END}, label="PublishReturned:\\nno queue"];
      notsent [{END}, label="PublishNotSent:\\nsafe to send again"];
      unknown [{END}, label="PublishUnknown:\\nmay be there"];
      publish -> returns; publish -> nack; publish -> refused; publish -> returned;
      publish -> notsent; publish -> unknown;
    """,
}


def packages() -> str:
    """Return the graph of the packages' folders: an arrow where one imports something of another.

    Modules that lie in no folder are shown as what they are to users, the face of their package,
    and not as what folders import: the values that all layers share.
    """
    arrows = set()
    for source in sorted(PACKAGES.glob("*/src/*")):
        for path in sorted(source.rglob("*.py")):
            place = folder_of(path.relative_to(source.parent).with_suffix("").parts)
            targets = {folder_of(name) for name in imports(path, source.parent)}
            arrows |= {(place, target) for target in targets - {place, "ammoo", "ammoo_fakebroker"}}
    nodes = sorted({place for arrow in arrows for place in arrow})
    colours = {
        "ammoo_wire": QUEUE,
        "ammoo": CLIENT,
        "ammoo_fakebroker": EXCHANGE.replace("diamond", "box"),
    }
    return "rankdir=TB;" + "".join(
        [f'"{node}" [{colours[node.split(".")[0]]}];' for node in nodes]
        + [f'"{one}" -> "{other}";' for one, other in sorted(arrows)]
    )


def folder_of(name: tuple[str, ...]) -> str:
    """Return the folder that a module lies in; the wire and what lies in no folder are one each."""
    return ".".join(name[:2]) if len(name) > 2 and name[0] != "ammoo_wire" else name[0]


def imports(path: Path, root: Path) -> set[tuple[str, ...]]:
    """Return the names that a module imports of our packages when it runs."""
    here = path.relative_to(root).parent.parts
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom):
            base = here[: len(here) - node.level + 1] if node.level else ()
            module = (*base, *(node.module.split(".") if node.module else ()))
            # The file tells whether the last part is a folder's module or a name in a module.
            names |= {
                (*module, alias.name) if root.joinpath(*module).is_dir() else (*module,)
                for alias in node.names
            }
    return {name for name in names if name[0].startswith("ammoo")}


def draw(name: str, body: str) -> None:
    """Write docs/images/NAME.svg."""
    graph = f"digraph {{{STYLE}{body}}}"
    if name == "packages":  # arrows that follow from others would hide the layers
        graph = run(["tred"], graph)
    drawn = run(["dot", "-Tsvg"], graph)
    # Without the generator's comments, which name its release.
    (IMAGES / f"{name}.svg").write_text(drawn[drawn.index("<svg") :])


def run(command: list[str], text: str) -> str:
    """Return what a command of Graphviz makes of a text."""
    return subprocess.run(command, input=text, text=True, capture_output=True, check=True).stdout


def main() -> None:
    """Draw all."""
    for name, body in {**DIAGRAMS, "packages": packages()}.items():
        draw(name, body)


if __name__ == "__main__":
    main()
