"""The build backend of the repository's root, where nothing can be built: it says what can."""

import sys
from typing import NoReturn

__all__ = ["build_editable", "build_sdist", "build_wheel"]


def refuse(*_: object, **__: object) -> NoReturn:
    """Say in one sentence what to do instead."""
    sys.exit(
        "The root of this repository is no package: `hatch build --all` builds the three in"
        " packages/, and `pip install ./packages/ammoo-wire ./packages/ammoo"
        " ./packages/ammoo-fakebroker` installs them."
    )


get_requires_for_build_sdist = get_requires_for_build_wheel = refuse
get_requires_for_build_editable = build_editable = build_sdist = build_wheel = refuse
