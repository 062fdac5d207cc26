"""Import every module of the package named on the command line, and say how many there were.

What needs pytest is left out: a distribution must work without it.
"""

import importlib
import pkgutil
import sys

NEEDS_PYTEST = {"ammoo_fakebroker.plugin"}
RUNS_WHEN_IMPORTED = {"ammoo_fakebroker.__main__"}

package = importlib.import_module(sys.argv[1])
names = {
    module.name for module in pkgutil.walk_packages(package.__path__, prefix=f"{package.__name__}.")
}
for name in sorted(names - NEEDS_PYTEST - RUNS_WHEN_IMPORTED):
    importlib.import_module(name)
print(f"{package.__name__} from {package.__file__}: {len(names)} modules")
