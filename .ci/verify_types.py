"""Check that the public interface of each package is typed as completely as it was.

    python .ci/verify_types.py

Pyright's own count of the public symbols whose types are known must not fall below the floor.
"""

import json
import subprocess
import sys
from typing import Any

FLOORS = {"ammoo_wire": 1.0, "ammoo": 1.0, "ammoo_fakebroker": 1.0}
"""The least share of a package's public symbols whose types are known."""


def main() -> None:
    below = [package for package, floor in FLOORS.items() if _completeness_of(package) < floor]
    if below:
        sys.exit(f"less is typed than .ci/verify_types.py asks for: {', '.join(below)}")


def _completeness_of(package: str) -> float:
    """Return which share of a package's public symbols has known types, and print what has not."""
    command = ["pyright", "--verifytypes", package, "--ignoreexternal", "--outputjson"]
    output = subprocess.run(command, check=False, capture_output=True, text=True).stdout
    report: dict[str, Any] = json.loads(output)["typeCompleteness"]
    score: float = report["completenessScore"]
    print(f"{package}: {score:.1%} of the public interface is typed")
    for symbol in report["symbols"]:
        for fault in symbol["diagnostics"]:
            if symbol["isExported"] and fault["severity"] == "error":
                print(f"  {symbol['name']}: {fault['message'].splitlines()[0]}")
    return score


if __name__ == "__main__":
    main()
