"""Check the types of every Python block in the READMEs and on the site, as an editor shows them.

    python .ci/type_snippets.py

Each block is a module of its own. pika has no types, so what a block does with it is not checked.
"""

import re
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```", re.MULTILINE | re.DOTALL)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for page in [
            *ROOT.glob("docs/**/*.md"),
            ROOT / "README.md",
            *ROOT.glob("packages/*/README.md"),
        ]:
            name = re.sub(r"\W", "_", str(page.relative_to(ROOT).with_suffix("")))
            for number, (indent, code) in enumerate(BLOCK.findall(page.read_text()), 1):
                module = Path(folder, f"{name}_{number}.py")
                module.write_text(re.sub(rf"^{indent}", "", code, flags=re.MULTILINE))
        options = ["--config-file=", "--check-untyped-defs", "--ignore-missing-imports"]
        checked = [folder, f"{ROOT}/docs/examples", f"{ROOT}/docs/draw.py"]
        sys.exit(subprocess.run(["mypy", *options, *checked], check=False, cwd=folder).returncode)


if __name__ == "__main__":
    main()
