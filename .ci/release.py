"""Release the three packages together: RELEASING.md says when to run what.

    hatch run release:home https://…       write where the project is at home into the metadata
    hatch run release:version 1.1.0        write a version wherever it stands
    hatch run release:changelog [--draft]  move the fragments into the changelogs, or show them
    hatch run release:publishable          fail if the metadata names no home that others reach
    hatch run release:rehearse [FOLDER]    upload dist/ to an index of this machine and install it

The rehearsal goes through all that a release does, on loopback: twine uploads to a pypiserver, and
pip installs each package from there, alone in an environment outside of the tree (in FOLDER, if
one is named), and imports every module of it. pip's own settings are left out, so that nothing
comes from anywhere else.
"""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
MEMBERS = {
    "ammoo-wire": "ammoo_wire",
    "ammoo": "ammoo",
    "ammoo-fakebroker": "ammoo_fakebroker",
}
START_SECONDS = 20


def main() -> None:
    match sys.argv[1:]:
        case ["home", url]:
            write_home(url)
        case ["version", version]:
            write_version(version)
        case ["changelog", *arguments] if arguments in ([], ["--draft"]):
            collect_changelogs(*arguments)
        case ["publishable"]:
            check_home()
        case ["rehearse", folder]:
            rehearse(Path(folder))
        case ["rehearse"]:
            with tempfile.TemporaryDirectory() as folder:
                rehearse(Path(folder))
        case _:
            sys.exit(__doc__)


# --- the project's home -----------------------------------------------------------------------


def write_home(url: str) -> None:
    """Write where the project is at home into the URLs of each package's metadata."""
    for member in MEMBERS:
        file = ROOT / "packages" / member / "pyproject.toml"
        home = home_of(member)
        file.write_text(file.read_text("utf-8").replace(home, url.rstrip("/") + "/"), "utf-8")
        print(f"{file.relative_to(ROOT)}: {url}")


def check_home() -> None:
    """End with an error if the metadata still has the stand-in for a home."""
    for member in MEMBERS:
        if ".example/" in home_of(member):
            sys.exit(f"{member} is at home at {home_of(member)}: hatch run release:home URL")


def home_of(member: str) -> str:
    """Return the URL that all URLs of a package's metadata begin with."""
    source: str = _project(member)["urls"]["Source"]
    return source


def _project(member: str) -> dict[str, Any]:
    text = (ROOT / "packages" / member / "pyproject.toml").read_text("utf-8")
    project: dict[str, Any] = tomllib.loads(text)["project"]
    return project


# --- the version ------------------------------------------------------------------------------


def write_version(version: str) -> None:
    """Write a version into each pyproject, the pins between the members, and the sources."""
    for member, package in MEMBERS.items():
        folder = ROOT / "packages" / member
        _replace(folder / "pyproject.toml", r'(?m)^(version = ")[^"]+', version)
        _replace(folder / "pyproject.toml", r'("ammoo(?:-wire)?==)[^"]+', version)
        for source in (folder / "src" / package).glob("*.py"):
            _replace(source, r'(?m)^(__version__ = ")[^"]+', version)


def _replace(file: Path, pattern: str, version: str) -> None:
    text = file.read_text("utf-8")
    replaced = re.sub(pattern, rf"\g<1>{version}", text)
    if replaced != text:
        file.write_text(replaced, "utf-8")
        print(f"{file.relative_to(ROOT)}: {version}")


def current_version() -> str:
    """Return the version of the packages, which move in lockstep."""
    version: str = _project("ammoo-wire")["version"]
    return version


# --- the changelogs ---------------------------------------------------------------------------


def collect_changelogs(*arguments: str) -> None:
    """Move each package's fragments into its changelog, under the version that is written now."""
    for member in MEMBERS:
        folder = ROOT / "packages" / member
        version = current_version()
        command = ["towncrier", "build", "--dir", str(folder), "--version", version, "--yes"]
        subprocess.run([*command, *arguments], check=True, cwd=folder)


# --- the rehearsal ----------------------------------------------------------------------------


def rehearse(folder: Path) -> None:
    """Upload dist/ to an index of this machine, and install each package from there."""
    distributions = sorted((ROOT / "dist").glob("*"))
    expected = 2 * len(MEMBERS)
    if len(distributions) != expected:
        sys.exit(f"dist/ has {len(distributions)} files, expected {expected}: hatch build --all")
    with local_index(folder) as url:
        upload = ["twine", "upload", "--non-interactive", "--disable-progress-bar"]
        login = ["--repository-url", url, "--username", "nobody", "--password", "none"]
        subprocess.run([*upload, *login, *map(str, distributions)], check=True)
        for member, package in MEMBERS.items():
            install(folder / member, f"{url}simple/", member, package)
    print(f"rehearsed: {current_version()} uploaded, installed and imported from {url}")


@contextmanager
def local_index(folder: Path) -> Iterator[str]:
    """Run an empty package index on loopback, and yield its URL."""
    packages = folder / "index"
    packages.mkdir(parents=True)
    port = _free_port()
    arguments = ["-i", "127.0.0.1", "-p", str(port), "-P", ".", "-a", ".", "--disable-fallback"]
    command = [sys.executable, "-m", "pypiserver", "run", *arguments, str(packages)]
    with (
        (folder / "index.log").open("w") as log,
        subprocess.Popen(command, stdout=log, stderr=log) as server,
    ):
        try:
            _wait_for_listener(port)
            yield f"http://127.0.0.1:{port}/"
        finally:
            server.terminate()


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
        return port


def _wait_for_listener(port: int) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
        else:
            return


def install(environment: Path, index: str, member: str, package: str) -> None:
    """Install a package from an index into a new environment, and import every module of it."""
    python = environment / "bin" / "python"
    outside = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    base = getattr(sys, "_base_executable", sys.executable)
    subprocess.run([base, "-m", "venv", str(environment)], check=True)
    pip = [str(python), "-m", "pip", "--isolated", "--disable-pip-version-check"]
    wanted = f"{member}=={current_version()}"
    subprocess.run([*pip, "install", "-q", "--index-url", index, wanted], check=True, env=outside)
    subprocess.run([*pip, "check"], check=True, env=outside)
    program = ROOT / ".ci" / "import_all.py"
    subprocess.run(
        [str(python), "-I", str(program), package], check=True, cwd=environment, env=outside
    )


if __name__ == "__main__":
    main()
