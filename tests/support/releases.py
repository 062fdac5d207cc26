"""Compare RabbitMQ's releases: which ones a test is for, and which value holds on one of them.

A release is named as RabbitMQ's documentation names it, by its first two numbers ("4.0"); a set of
releases as Python packages name versions (">=4.0", ">=3.10,<4.3", "==4.0").
"""

from collections.abc import Mapping
from typing import TypeVar

from packaging.specifiers import SpecifierSet
from packaging.version import Version

__all__ = ["FAKE_RELEASES", "Value", "is_among", "newest_up_to", "release_of", "value_on"]

FAKE_RELEASES = ("4.3", "4.0", "3.10")
"""The releases that the fake broker can stand in for, its default first."""

Value = TypeVar("Value")


def release_of(version: str) -> str:
    """Return the release of a RabbitMQ version: "4.0" of "4.0.5"."""
    return ".".join(version.split(".")[:2])


def is_among(release: str, releases: str) -> bool:
    """Return whether a release belongs to a set of releases such as ">=4.0"."""
    return release in SpecifierSet(releases)


def newest_up_to(release: str, known: Mapping[str, object] | tuple[str, ...]) -> str:
    """Return the newest known release that is not newer than this one."""
    return max((each for each in known if Version(each) <= Version(release)), key=Version)


def value_on(release: str, values: Mapping[str, Value]) -> Value:
    """Return the value that holds on a release.

    Args:
        release: The release of the broker.
        values: Each value under the first release that it holds on.
    """
    return values[newest_up_to(release, values)]
