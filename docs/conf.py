"""How the site is built: `hatch run docs:build`."""

from ammoo import __version__

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
html_copy_source = True
html_show_sphinx = False
pygments_style = "friendly"
pygments_dark_style = "github-dark"

# Each heading can be linked to, so that error texts and other pages can name it.
myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "deflist", "attrs_block"]

autodoc_class_signature = "separated"
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_default_options = {"members": True, "show-inheritance": True}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
# A docstring lists its attributes once; the properties behind them need no second entry.
napoleon_use_ivar = True

copybutton_prompt_text = r"\$ |>>> "
copybutton_prompt_is_regexp = True
copybutton_exclude = ".linenos, .gp, .go"

llms_txt_title = "ammoo"
llms_txt_summary = """
RabbitMQ (AMQP 0-9-1) for Python: an asyncio client (ammoo), an in-process RabbitMQ look-alike for
the tests of any AMQP program (ammoo-fakebroker), and the protocol without I/O (ammoo-wire).
"""
