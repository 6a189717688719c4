"""How Sphinx builds these pages: `make docs`. Nothing is fetched, neither in the build nor by the pages."""

from __future__ import annotations

import sys
from pathlib import Path

from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

import from_code

import sxeslake

project = "sxeslake"
author = "The sxeslake developers"
version = release = sxeslake.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "numpydoc"]
exclude_patterns = ["pictures/*.md"]
myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_typehints = "none"  # the docstrings say types, with shapes and units
autodoc_member_order = "bysource"
autodoc_default_options = {"exclude-members": "html_columns, html_hidden, html_title"}
numpydoc_show_class_members = False  # autodoc lists them
highlight_language = "none"
suppress_warnings = ["ref.python"]  # a field named like the attributes of several classes is no link

html_theme = "pydata_sphinx_theme"
html_title = "sxeslake"
html_favicon = "../sxeslake/web/static/icon.svg"
html_static_path = ["_static"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_prev_next": False,
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": ["copyright"],
    "footer_end": [],
}
html_context = {"default_mode": "auto"}
copyright = "The sxeslake developers; MIT licence"  # noqa: A001  (Sphinx's name)


def setup(app: Sphinx) -> None:
    """Make the pages that come from the code before Sphinx looks for pages."""
    app.connect("builder-inited", lambda app: from_code.write(Path(app.srcdir) / "reference" / "made"))
