"""A chart of what `compare --json` has written, as SVG.

    hatch run bench:chart RESULTS.json CHART.svg

For a few workloads a row of bars each: CPU time a message by client, the longest bar the dearest.
"""

import argparse
import json
from html import escape
from pathlib import Path
from typing import Final

from benchmarks.job import Figures
from benchmarks.results import UVLOOP, Results, medians, microseconds
from benchmarks.workloads import LIMIT, WORKLOADS

__all__ = ["main"]

SHOWN: Final = ("publish_confirm_gathered", "consume_ack", "rpc", "consume_large")
WIDTH, NAME_WIDTH, BAR_WIDTH, ROW, GAP = 760, 150, 480, 18, 34
COLOURS: Final = {"ammoo": "#2a7f62", LIMIT: "#888888"}
OTHERS: Final = "#c9a66b"


def bars(title: str, costs: dict[str, float], top: int) -> tuple[list[str], int]:
    """Draw one workload's bars below `top`; gives them, and where they end."""
    drawn = [f'<text x="0" y="{top}" font-weight="bold">{escape(title)}, µs of CPU</text>']
    dearest = max(costs.values())
    for client, cost in sorted(costs.items(), key=lambda item: item[1]):
        top += ROW
        colour = COLOURS.get(client.partition("+")[0], OTHERS)
        length = max(1.0, cost / dearest * BAR_WIDTH)
        drawn += [
            f'<text x="{NAME_WIDTH - 8}" y="{top}" text-anchor="end">{escape(client)}</text>',
            f'<rect x="{NAME_WIDTH}" y="{top - 11}" width="{length:.1f}" height="13" fill="{colour}"/>',
            f'<text x="{NAME_WIDTH + length + 6:.1f}" y="{top}">{microseconds(cost)}</text>',
        ]
    return drawn, top + GAP


def chart(results: Results, about: dict[str, str]) -> str:
    """Draw all of it."""
    top, drawn = 20, []
    for workload in WORKLOADS:
        if workload.name not in SHOWN or workload.name not in results:
            continue
        found = {
            name: medians(rounds)
            for name, rounds in results[workload.name].items()
            if not name.endswith(UVLOOP)  # those have a column in the table of goals
        }
        costs = {name: figures.cpu for name, figures in found.items() if figures is not None}
        if costs:
            more, top = bars(workload.title, costs, top)
            drawn += more
    words = ", ".join(f"{name} {value}" for name, value in about.items() if name != "scale")
    # Broken in two, for it says every client's version.
    middle = words.find(", ", len(words) // 2)
    drawn += [
        f'<text x="0" y="{top}" font-size="9">{escape(words[: middle + 1])}</text>',
        f'<text x="0" y="{top + 12}" font-size="9">{escape(words[middle + 2 :])}</text>',
    ]
    return "\n".join(
        (
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {top + 20}">',
            '<rect width="100%" height="100%" fill="white"/>',
            '<g font-family="sans-serif" font-size="12">',
            *drawn,
            "</g>",
            "</svg>\n",
        )
    )


def main(arguments: list[str] | None = None) -> None:
    """Read, draw, write."""
    parser = argparse.ArgumentParser(
        prog="hatch run bench:chart", description=__doc__.partition("\n")[0]
    )
    parser.add_argument("results", type=Path, help="what compare --json has written")
    parser.add_argument("chart", type=Path, help="the SVG to write")
    options = parser.parse_args(arguments)
    written = json.loads(options.results.read_text())
    results: Results = {
        workload: {
            client: [None if figures is None else Figures(*figures) for figures in rounds]
            for client, rounds in clients.items()
        }
        for workload, clients in written["results"].items()
    }
    options.chart.write_text(chart(results, written["about"]), encoding="utf-8")


if __name__ == "__main__":
    main()
