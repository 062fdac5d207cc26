"""The chart of a comparison."""

from xml.etree import ElementTree

from benchmarks.chart import chart
from benchmarks.job import Figures
from benchmarks.results import Results


def figures(cpu: float) -> Figures:
    return Figures(cpu, 0.0, 1.0, 0, 0)


def test_bars_are_as_long_as_the_costs_and_the_cheapest_comes_first() -> None:
    results: Results = {"rpc": {"a<b": [figures(100.0)], "ammoo": [figures(50.0)], "none": [None]}}

    drawn = ElementTree.fromstring(chart(results, {"python": "CPython"}))

    namespace = {"svg": "http://www.w3.org/2000/svg"}
    bars = drawn.findall(".//svg:rect[@height='13']", namespace)
    short, long = (float(bar.attrib["width"]) for bar in bars)
    names = [text.text for text in drawn.findall(".//svg:text[@text-anchor='end']", namespace)]
    assert long == 2 * short
    assert ["ammoo", "a<b"] == names
