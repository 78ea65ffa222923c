"""Sphinx settings for the documentation site; `make docs` builds it."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS))

import docstrings
import site_pages
from sphinx.application import Sphinx

import nnpal

project = "nnpal"
author = "nnpal developers"
copyright = "nnpal developers, GPL-2.0-or-later"
version = release = nnpal.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.mathjax"]
source_suffix = {".md": "markdown", ".rst": "restructuredtext"}
root_doc = "index"
# not pages; site_pages makes pages from examples and notebooks
exclude_patterns = ["_build", "examples", "notebooks"]

# anchors of headings as on the repository site
myst_heading_anchors = 5
myst_enable_extensions = ["dollarmath"]
# show quotes, dashes and dots as written
smartquotes = False

autodoc_typehints = "signature"
autoclass_content = "both"
autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
# pydantic's validation settings
autodoc_default_options = {"exclude-members": "model_config"}
# hundreds of API names would fill the navigation
toc_object_entries = False
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False
# entries that document several names stay together
napoleon_custom_sections = [("Arguments", "params_style"), ("Attributes", "params_style")]

html_theme = "furo"
html_title = f"nnpal {version}"
html_static_path = ["style"]
html_css_files = ["site.css"]
html_theme_options = {"navigation_with_keys": True}

highlight_language = "none"

# Link targets outside of docs/, or without a page of the same name -> page of the site
ELSEWHERE = {
    "../README.md": "index.rst",
    "../CONTRIBUTING.md": "generated/contributing.md",
    "../CHANGELOG.md": "generated/changelog.md",
    "../lammps_inputs": "generated/scripts.md",
    "../lammps_inputs/README.md": "generated/scripts.md",
    "../benchmarks/README.md": "generated/benchmarks.md",
    "../benchmarks/results": "generated/benchmarks.md",
    "examples": "generated/examples.md",
    "examples/results": "generated/examples.md",
}


def adapt(app: Sphinx, name: str, source: list[str]) -> None:
    """Redirect links that leave this folder to pages of the site, and replace headings and languages unknown to Sphinx.

    Pages in docs/ are written for the repository site; generated/ and api/ are one folder deeper.
    """
    depth = name.count("/")

    def moved(match: re.Match[str]) -> str:
        target, mark, anchor = match[1].partition("#")
        here = os.path.normpath(os.path.join(os.path.dirname(name), target))
        page = ELSEWHERE.get(here)
        return match[0] if page is None else f"]({'../' * depth}{page}{mark if page.endswith('.md') else ''}{anchor})"

    text = re.sub(r"\]\((?!https?:|#)([^)\s]+)\)", moved, source[0])
    text = re.sub(r"^#### \[", "### [", text, flags=re.M)  # headings of tables of keys skip a level
    source[0] = text.replace("```lammps\n", "```text\n")  # LAMMPS's input language has no lexer


def setup(app: Sphinx) -> None:
    app.connect("builder-inited", lambda _: site_pages.write(DOCS))
    app.connect("source-read", adapt)
    app.connect("autodoc-process-docstring", docstrings.escape, priority=400)
    app.connect("autodoc-process-signature", docstrings.shorten)
