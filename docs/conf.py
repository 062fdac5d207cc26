"""How the site is built: `hatch run docs:build`."""

import re
import sys
from pathlib import Path
from typing import Any

from ammoo import __version__
from ammoo.publish_options import NotGiven
from ammoo_wire.fields import WireType

project = "ammoo"
author = "the ammoo authors"
copyright = "2026, the ammoo authors"
release = __version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinx_llms_txt",
]
exclude_patterns = ["_build"]
html_theme = "furo"
html_title = f"ammoo {release}"
html_static_path = ["_static"]
html_css_files = ["ammoo.css"]
html_search_scorer = str(Path(__file__).with_name("search.js"))
html_copy_source = True
html_show_sphinx = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "github-dark"

# Each heading can be linked to, so that error texts and other pages can name it.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
# Bases are shown on the pages of exceptions only: others are private, and only divide the code.
autodoc_default_options = {"members": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# A docstring lists its attributes once; the properties behind them need no second entry.
napoleon_use_ivar = True

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

llms_txt_exclude = ["404"]
llms_txt_title = "ammoo"
llms_txt_summary = """
RabbitMQ (AMQP 0-9-1) for Python: an asyncio client (ammoo), an in-process RabbitMQ look-alike for
the tests of any AMQP program (ammoo-fakebroker), and the protocol without I/O (ammoo-wire).
"""


NUMBERED_FIELD = re.compile(r"(Alias for field|Field) number \d+")
DEFAULT_OBJECT = re.compile(r"<([\w.]+): [^<>]*>")
DEFAULT_FUNCTION = re.compile(r"<function [\w.]*(<lambda>)?[^<>]*>")

# Sphinx takes defaults and annotations from these texts.
NotGiven.__repr__ = lambda _: "NOT_GIVEN"  # type: ignore[method-assign]  # how the site shows it
WireType.__repr__ = lambda kind: repr(kind.value)  # type: ignore[method-assign]  # how the site shows it


def skip_tuple_noise(
    app: Any, what: str, name: str, member: object, skip: bool, options: Any
) -> bool | None:
    """Leave out what a named tuple makes by itself, and fields that its docstring lists."""
    text = getattr(member, "__doc__", None) or ""
    if name == "__new__" and text.startswith("Create new instance of"):
        return True
    if not NUMBERED_FIELD.match(text):
        return None
    place = app.env.temp_data
    module = sys.modules[place["autodoc:module"]]
    listed = getattr(module, place["autodoc:class"]).__doc__ or ""
    return True if re.search(rf"^\s+{name}:", listed, re.MULTILINE) else None


def drop_number_of_field(
    app: Any, what: str, name: str, member: object, options: Any, lines: list[str]
) -> None:
    """Show only name and type of a field that has no text of its own."""
    if lines and NUMBERED_FIELD.match(lines[0]):
        lines.clear()


def simplify_signature(
    app: Any, what: str, name: str, member: object, options: Any, signature: str, returns: str
) -> tuple[str, str] | None:
    """Show the default of an enumeration by its name alone, and a function as three dots."""
    if not signature:
        return None
    return DEFAULT_FUNCTION.sub("...", DEFAULT_OBJECT.sub(r"\1", signature)), returns


def add_base_of_links(
    app: Any, page: str, template: str, context: dict[str, Any], tree: object
) -> None:
    """Let the links of the page 404 begin at the root: a server shows it at any address."""
    if page == "404":
        context["metatags"] += f'<base href="{app.config.html_baseurl or "/"}">'


def setup(app: Any) -> None:
    app.connect("html-page-context", add_base_of_links)
    app.connect("autodoc-skip-member", skip_tuple_noise)
    app.connect("autodoc-process-docstring", drop_number_of_field)
    app.connect("autodoc-process-signature", simplify_signature)
